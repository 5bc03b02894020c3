/**
 * What the page holds of one address of the API while it asks again and again.
 * Pure: the last figures stay when an answer fails, together with since when and
 * why, and the next good answer clears that.
 */
export type Failure = {
  readonly kind: "no answer" | "not found";
  readonly sinceMs: number;
};

export type Live<Data> = {
  /** The address without its range; another one starts from nothing. */
  readonly place: string;
  readonly path: string;
  readonly data: Data | null;
  readonly answeredMs: number | null;
  readonly failure: Failure | null;
};

export function nothingYet<Data>(path: string): Live<Data> {
  return { place: placeOf(path), path, data: null, answeredMs: null, failure: null };
}

/** Another range of the same place keeps the figures until the new ones are there. */
export function turnedTo<Data>(live: Live<Data>, path: string): Live<Data> {
  return live.place === placeOf(path) ? live : nothingYet(path);
}

export function answered<Data>(path: string, data: Data, nowMs: number): Live<Data> {
  return { place: placeOf(path), path, data, answeredMs: nowMs, failure: null };
}

export function failed<Data>(
  live: Live<Data>,
  { kind, nowMs }: { kind: Failure["kind"]; nowMs: number },
): Live<Data> {
  const sinceMs = live.failure?.kind === kind ? live.failure.sinceMs : nowMs;
  return { ...live, failure: { kind, sinceMs } };
}

function placeOf(path: string): string {
  return path.split("?", 1)[0] ?? path;
}
