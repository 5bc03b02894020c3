/** Reads fields of answers whose shape is not known: what is not as expected is `null`. */

export type JsonRecord = Readonly<Record<string, unknown>>;

export function recordOf(value: unknown): JsonRecord | null {
  // The one cast: an object's fields are unknown until one of the others has looked at them.
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as JsonRecord)
    : null;
}

/** Empty text says nothing. */
export function textOf(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}

/** Whole numbers also come as text, since JSON loses digits of large ones. */
export function integerOf(value: unknown): number | null {
  const number = typeof value === "string" && /^-?\d{1,15}$/.test(value) ? Number(value) : value;
  return typeof number === "number" && Number.isSafeInteger(number) ? number : null;
}

/** The digits of an id, which may have more than a number holds. */
export function idOf(value: unknown): string | null {
  if (typeof value === "bigint" || Number.isSafeInteger(value)) return String(value);
  return typeof value === "string" && /^\d{1,20}$/.test(value) ? value : null;
}

/** Not every fraction is one: `NaN` and infinity are not known. */
export function numberOf(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

/** Unix milliseconds of a date as text. */
export function dateOf(value: unknown): number | null {
  const ms = Date.parse(textOf(value) ?? "");
  return Number.isFinite(ms) ? ms : null;
}

/** What is neither is not known. */
export function flagOf(value: unknown): boolean | null {
  return typeof value === "boolean" ? value : null;
}

/** Protobuf's JSON leaves an empty list out, and an entry that is no object tells nothing. */
export function recordsOf(value: unknown): readonly JsonRecord[] {
  return Array.isArray(value) ? value.map(recordOf).filter((entry) => entry !== null) : [];
}

export function textsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((entry) => typeof entry === "string") : [];
}

/** Names and texts; other values are left out. */
export function textMapOf(value: unknown): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(recordOf(value) ?? {}).filter(
      (entry): entry is [string, string] => typeof entry[1] === "string",
    ),
  );
}
