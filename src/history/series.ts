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

/** Series that are remembered. */
const SERIES_MAX = 50_000;
/** Of one name and endpoint, beyond which they are found by the text of their labels. */
const COMPARED_MAX = 8;

/** Of one name and endpoint. */
type Alike = { readonly first: Series[]; readonly byLabels: Map<string, Series[]> };

export class KnownSeries {
  readonly #alike = new Map<string, Map<string, Alike>>();
  #size = 0;

  /** The same object for each value of a series. */
  of(sample: Sample, told: Told): Series {
    const { endpoint, name, kind, labels } = sample;
    const { first, byLabels } = this.#alikeOf(endpoint, name);
    const isIts = (series: Series) =>
      series.kind === kind &&
      series.source === told.source &&
      series.workspaceId === told.workspaceId &&
      series.modelVersion === told.modelVersion &&
      hasLabels(series, labels);
    for (const series of first) if (isIts(series)) return series;
    const text = first.length < COMPARED_MAX ? null : textOf(labels);
    const known = text === null ? first : (byLabels.get(text) ?? []);
    const found = known.find(isIts);
    if (found) return found;
    const id = eventIdOf(told.source, told.workspaceId, endpoint, name, labels);
    const series = { ...told, id, endpoint, name, kind, labels };
    known.push(series);
    if (text !== null) byLabels.set(text, known);
    this.#size++;
    return series;
  }

  #alikeOf(endpoint: string, name: string): Alike {
    if (this.#size >= SERIES_MAX) {
      this.#alike.clear();
      this.#size = 0;
    }
    let ofEndpoint = this.#alike.get(endpoint);
    if (!ofEndpoint) {
      ofEndpoint = new Map();
      this.#alike.set(endpoint, ofEndpoint);
    }
    let alike = ofEndpoint.get(name);
    if (!alike) {
      alike = { first: [], byLabels: new Map() };
      ofEndpoint.set(name, alike);
    }
    return alike;
  }
}

function hasLabels({ labels }: Series, told: Series["labels"]): boolean {
  let more = 0;
  for (const key in told) {
    if (told[key] !== labels[key]) return false;
    more++;
  }
  for (const _ in labels) more--;
  return more === 0;
}
