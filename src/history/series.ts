/**
 * Series of samples. All that a series' values have in common is put together once, since there
 * are very many of them: a value then is a series, a time and a number.
 */
import type { Sample } from "../signals/sample.ts";
import { eventIdOf, textOf } from "./event-id.ts";

export type Series = Pick<Sample, "endpoint" | "name" | "kind" | "labels"> & {
  /** A hash of what tells it from all others. The event id of a value is this, a slash, and its time. */
  readonly id: string;
  readonly workspaceId: string;
  readonly source: string;
  /** Tells no series apart from another: of what concerns an endpoint it is the one that is served. */
  readonly modelVersion: string | null;
};

type Told = Pick<Series, "workspaceId" | "source" | "modelVersion">;

/** Series that are remembered by what their labels say. */
const SERIES_MAX = 50_000;
/** Series that are remembered by the very object of their labels, of each: a histogram has six. */
const ALIKE_MAX = 32;

type Known = {
  readonly series: Series;
  /** Of which a value came next, the last time. */
  next: Known | null;
};

export class KnownSeries {
  /** Most values of a series share the object. */
  readonly #byLabels = new WeakMap<Series["labels"], Known[]>();
  readonly #byText = new Map<string, Known>();
  #last: Known | null = null;

  /** The same object for each value of a series. */
  of(sample: Sample, told: Told): Series {
    // Most come in the same order each time.
    const next = this.#last?.next;
    const isNext = next && next.series.labels === sample.labels && isOf(next, sample, told);
    const known = isNext ? next : this.#lookUp(sample, told);
    if (this.#last) this.#last.next = known;
    this.#last = known;
    return known.series;
  }

  #lookUp(sample: Sample, told: Told): Known {
    const { labels } = sample;
    const alike = this.#byLabels.get(labels) ?? [];
    const its = alike.find((known) => isOf(known, sample, told));
    if (its) return its;
    const known = this.#ofText(sample, told);
    if (alike.length === 0) this.#byLabels.set(labels, alike);
    if (alike.length < ALIKE_MAX) alike.push(known);
    return known;
  }

  #ofText({ endpoint, name, kind, labels }: Sample, told: Told): Known {
    const parts = [told.source, told.workspaceId, endpoint, name, labels] as const;
    const version = told.modelVersion === null ? "" : `=${told.modelVersion}`;
    const text = [kind, version, ...parts].map(textOf).join("\u0000");
    const before = this.#byText.get(text);
    if (before) return before;
    if (this.#byText.size >= SERIES_MAX) this.#byText.clear();
    const series = { ...told, id: eventIdOf(...parts), endpoint, name, kind, labels };
    const known = { series, next: null };
    this.#byText.set(text, known);
    return known;
  }
}

/** @param sample with the same labels. */
function isOf({ series }: Known, { endpoint, name, kind }: Sample, told: Told): boolean {
  return (
    series.name === name &&
    series.endpoint === endpoint &&
    series.kind === kind &&
    series.source === told.source &&
    series.workspaceId === told.workspaceId &&
    series.modelVersion === told.modelVersion
  );
}
