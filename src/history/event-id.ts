/**
 * The id of an event that telemetry gives none: a hash of what tells it from all others,
 * so that whoever writes it, and however often, gives it the same id.
 */
import { hash } from "node:crypto";

type Part = string | number | null | Readonly<Record<string, string>>;

/** Hex digits of an id: 128 bits, with which ten thousand million events collide once in 10¹⁸. */
const ID_DIGITS = 32;

/** The order of labels makes no difference. */
export function eventIdOf(...parts: readonly Part[]): string {
  let text = "";
  for (const part of parts) text += `${textOf(part)}${END}`;
  return hash("sha256", text, "hex").slice(0, ID_DIGITS);
}

/** Series that are remembered. */
const SERIES_MAX = 50_000;

export type SeriesId = {
  /** A hash of what tells the series from all others. */
  readonly id: string;
  /** The same object for each value of a series. */
  readonly labels: Readonly<Record<string, string>>;
};

/**
 * Ids of the values of series: that of the series, and the time. A series is hashed once, since
 * it has very many values.
 */
export class SeriesIds {
  readonly #known = new Map<string, SeriesId>();

  of(labels: SeriesId["labels"], ...parts: readonly (string | null)[]): SeriesId {
    let text = textOf(labels);
    for (const part of parts) text += `${END}${part}`;
    const known = this.#known.get(text);
    if (known) return known;
    if (this.#known.size >= SERIES_MAX) this.#known.clear();
    const series = { id: eventIdOf(...parts, labels), labels };
    this.#known.set(text, series);
    return series;
  }
}

/** Stands in no name or label: control characters are taken out where they come in. */
const END = "\u0000";

function textOf(part: Part): string {
  if (part === null || typeof part !== "object") return String(part);
  const labels = Object.keys(part);
  if (labels.length > 1) labels.sort();
  let text = "";
  for (const label of labels) text += `${label}${END}${part[label]}${END}`;
  return text;
}
