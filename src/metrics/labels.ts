/**
 * Names and labels as callers give them, made safe to keep: bounded in number and
 * length, strings without halves of characters, and copied, so that a label cut out of
 * a large request does not keep the whole request in memory.
 */

/** Beyond these, labels are left out and text is cut. */
const LABELS_MAX = 32;
const LABEL_NAME_MAX_CHARS = 128;
export const LABEL_VALUE_MAX_CHARS = 1_024;
const LABELS_MAX_CHARS = 4_096;
export const NAME_MAX_CHARS = 200;

/** The labels of the one series that takes what is above the limit of its metric. */
export const OVERFLOW_LABELS: readonly (readonly [string, string])[] = [["overflow", "true"]];

export type LabelPairs = readonly (readonly [string, string])[];

/** Text of any length and origin, as a string of its own, at most `max` characters long. */
export function keep(value: unknown, max: number): string {
  const text = typeof value === "string" ? value : textOf(value);
  const cut = (text.length > max ? text.slice(0, max) : text).toWellFormed();
  // Shorter ones are never slices of another string.
  if (cut.length < 13) return cut;
  // As a property's name it becomes the one copy that literals of the same text share
  // too, so that comparing it with the caller's next one is comparing two pointers.
  return Object.keys({ [cut]: 0 })[0] ?? cut;
}

function textOf(value: unknown): string {
  try {
    return String(value);
  } catch {
    return "";
  }
}

export function keepName(name: unknown): string {
  return keep(name, NAME_MAX_CHARS);
}

/**
 * The labels of a series, sorted by name.
 *
 * @param own the collector's own labels; a caller's label of the same name is kept as
 * `exported_…`, as Prometheus does.
 */
export function keepLabels(own: LabelPairs, given: unknown): LabelPairs {
  const pairs = new Map<string, string>();
  let chars = 0;
  for (const [name, value] of own) {
    const kept = keep(value, LABEL_VALUE_MAX_CHARS);
    pairs.set(name, kept);
    chars += name.length + kept.length;
  }
  if (typeof given === "object" && given !== null) {
    for (const [givenName, value] of Object.entries(given)) {
      if (value === undefined || value === null) continue;
      if (pairs.size >= LABELS_MAX || chars >= LABELS_MAX_CHARS) break;
      let name = keep(givenName, LABEL_NAME_MAX_CHARS);
      while (pairs.has(name)) name = `exported_${name}`;
      const kept = keep(value, Math.min(LABEL_VALUE_MAX_CHARS, LABELS_MAX_CHARS - chars));
      pairs.set(name, kept);
      chars += name.length + kept.length;
    }
  }
  return sorted(pairs);
}

/** One more label of the collector's own; the caller's of this name gives way. */
export function withLabel(labels: LabelPairs, name: string, value: string): LabelPairs {
  const others = new Map(labels);
  const given = others.get(name);
  others.delete(name);
  if (given !== undefined) {
    let moved = name;
    while (moved === name || others.has(moved)) moved = `exported_${moved}`;
    others.set(moved, given);
  }
  others.set(name, value);
  return sorted(others);
}

function sorted(pairs: ReadonlyMap<string, string>): LabelPairs {
  return [...pairs].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

/** What names a series in shared memory. */
export function describe(name: string, labels: LabelPairs): string {
  const parts = [name];
  for (const [label, value] of labels) parts.push(label, value);
  return JSON.stringify(parts);
}

export function readDescription(description: string): {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
} {
  const parts: unknown = JSON.parse(description);
  if (!Array.isArray(parts)) return { name: "", labels: {} };
  const [name, ...rest] = parts.map(String);
  const pairs: [string, string][] = [];
  for (let i = 0; i + 1 < rest.length; i += 2) pairs.push([rest[i] ?? "", rest[i + 1] ?? ""]);
  return { name: name ?? "", labels: Object.fromEntries(pairs) };
}
