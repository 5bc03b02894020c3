/**
 * What is counted apart for each release. In one slice of time there is mostly one
 * release, two while one takes over from the other: more than a few are counted
 * together as `other`, so that an agent which sends another release with each request
 * takes little more room than one that does not.
 */
import type { Mergeable } from "./sliced.ts";

/** A state of the program, in a version of the model that it is served as. */
export type ReleaseName = {
  /** Hash of the program's state; `null` where the telemetry does not tell. */
  readonly release: string | null;
  readonly modelVersion: string | null;
};

export const otherReleases: ReleaseName = { release: "other", modelVersion: null };

/** One release, and the next. There are very many of these with one release: an array would take three times the room. */
type Part<T> = ReleaseName & { readonly counted: T; next: Part<T> | null };

export class ByRelease<T extends Mergeable<T>> {
  readonly #create: () => T;
  readonly #max: number;
  #first: Part<T> | null = null;

  /** @param max releases that are counted apart. */
  constructor(create: () => T, max = Number.POSITIVE_INFINITY) {
    this.#create = create;
    this.#max = max;
  }

  of(name: ReleaseName): T {
    const { release, modelVersion } = name;
    let size = 0;
    let last: Part<T> | null = null;
    for (let part = this.#first; part; part = part.next) {
      if (part.release === release && part.modelVersion === modelVersion) return part.counted;
      size++;
      last = part;
    }
    if (size >= this.#max && name !== otherReleases) return this.of(otherReleases);
    const part = { release, modelVersion, counted: this.#create(), next: null };
    if (last) last.next = part;
    else this.#first = part;
    return part.counted;
  }

  /** The sum of the releases that are wanted. */
  sum(isWanted: (name: ReleaseName) => boolean = () => true): T {
    const wanted = [...this.parts()].filter(isWanted);
    const [only, ...others] = wanted;
    if (only && others.length === 0) return only.counted;
    const sum = this.#create();
    for (const { counted } of wanted) sum.merge(counted);
    return sum;
  }

  *parts(): Generator<ReleaseName & { readonly counted: T }> {
    for (let part = this.#first; part; part = part.next) yield part;
  }

  merge(other: ByRelease<T>): void {
    for (const part of other.parts()) this.of(part).merge(part.counted);
  }
}
