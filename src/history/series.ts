/**
 * Series of samples. All that a series' values have in common is put together once, since there
 * are very many of them: a value then is a series, a time and a number.
 */
import type { Sample } from "../signals/sample.ts";
import { eventIdOf, textOf } from "./event-id.ts";

export type Series = {
  /** A hash of what tells it from all others. The event id of a value is this, a slash, and its time. */
  readonly id: string;
  readonly workspaceId: string;
  readonly source: string;
  readonly endpoint: string;
  readonly name: string;
  readonly kind: Sample["kind"];
  readonly labels: Sample["labels"];
};

/** Series that are remembered. */
const SERIES_MAX = 50_000;

export class KnownSeries {
  readonly #known = new Map<string, Series>();

  /** The same object for each value of a series. */
  of(
    { endpoint, name, kind, labels }: Pick<Sample, "endpoint" | "name" | "kind" | "labels">,
    { workspaceId, source }: Pick<Series, "workspaceId" | "source">,
  ): Series {
    const text = `${source}\u0000${endpoint}\u0000${name}\u0000${kind}\u0000${textOf(labels)}`;
    let series = this.#known.get(text);
    if (series?.workspaceId === workspaceId) return series;
    if (this.#known.size >= SERIES_MAX) this.#known.clear();
    const id = eventIdOf(source, workspaceId, endpoint, name, labels);
    series = { id, workspaceId, source, endpoint, name, kind, labels };
    this.#known.set(text, series);
    return series;
  }
}
