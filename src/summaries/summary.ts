/**
 * What is summed up of one agent over a stretch of time: its requests, and the modules,
 * models and errors behind them. Two of them merge into that of both stretches, so that
 * days are made of hours and a month of days, percentiles included.
 */
import { ByRelease } from "../live/by-release.ts";
import { GROUPS_MAX } from "../live/error-groups.ts";
import { MODELS_MAX } from "../live/models.ts";
import { keyOf, PLACES_MAX, type Place, putInOrder } from "../live/places.ts";
import { Tally } from "../live/tally.ts";
import { TelemetryLoss } from "../live/telemetry-loss.ts";
import type { ErrorEvent } from "../signals/error-event.ts";

/** Releases of a module or a model that one summary counts apart. */
const RELEASES_MAX = 10;
/** Latencies that are kept one by one while they wait to be written; there are very many sums. */
const EXACT_SAMPLES_MAX = 32;

export type PlaceName = Pick<Place, "program" | "path" | "pathSource" | "kind">;

export type SummedPlace = PlaceName & {
  readonly depth: number;
  /** The place that it was called in. */
  readonly above: SummedPlace | null;
  readonly calls: ByRelease<Tally>;
};

export type ErrorCause = Pick<
  ErrorEvent,
  "endpoint" | "program" | "path" | "type" | "errorClass" | "message"
>;

export type SummedGroup = {
  readonly group: string;
  /** As the last of them told it. */
  last: ErrorCause;
  count: number;
  handled: number;
  firstMs: number;
  lastMs: number;
};

const theRest: PlaceName = { program: "other", path: "other", pathSource: "span", kind: "module" };

export class Summary {
  readonly requests = newTally();
  readonly loss = new TelemetryLoss();
  modelVersion: string | null = null;
  lastRequestMs: number | null = null;
  readonly conventions = new Set<string>();
  readonly groups = new Map<string, SummedGroup>();
  readonly models = new Map<string, ByRelease<Tally>>();
  readonly #places = new Map<string, SummedPlace>();
  readonly #inOrder: SummedPlace[] = [];

  /** In tree order: a caller before what it calls. */
  get places(): readonly SummedPlace[] {
    return this.#inOrder;
  }

  /** The place of that name, made where it is new. @param above where it was called. */
  placeOf(name: PlaceName, above: SummedPlace | null): SummedPlace {
    const known = this.#places.get(keyOf(name));
    if (known) return known;
    if (this.#places.size >= PLACES_MAX && name !== theRest) return this.placeOf(theRest, null);
    const { program, path, pathSource, kind } = name;
    const place = {
      ...{ program, path, pathSource, kind, above },
      depth: above ? above.depth + 1 : 0,
      calls: newTallies(),
    };
    this.#places.set(keyOf(name), place);
    putInOrder(this.#inOrder, place, above ?? undefined);
    return place;
  }

  modelOf(named: string): ByRelease<Tally> {
    const known = this.models.get(named);
    if (known) return known;
    const name = this.models.size < MODELS_MAX ? named : "other";
    const calls = this.models.get(name) ?? newTallies();
    this.models.set(name, calls);
    return calls;
  }

  addGroup(told: SummedGroup): void {
    const isKept = this.groups.has(told.group) || this.groups.size < GROUPS_MAX;
    const added = isKept ? told : { ...told, group: "other", last: otherCause(told.last) };
    const known = this.groups.get(added.group);
    if (!known) {
      this.groups.set(added.group, { ...added });
      return;
    }
    known.count += added.count;
    known.handled += added.handled;
    known.firstMs = Math.min(known.firstMs, added.firstMs);
    if (added.lastMs < known.lastMs) return;
    known.lastMs = added.lastMs;
    known.last = added.last;
  }

  /** A request of this time was counted. */
  noteRequest(timeMs: number, modelVersion: string | null): void {
    const isNewest = timeMs >= (this.lastRequestMs ?? Number.NEGATIVE_INFINITY);
    if (isNewest) this.lastRequestMs = timeMs;
    if (modelVersion !== null && (isNewest || this.modelVersion === null)) {
      this.modelVersion = modelVersion;
    }
  }

  merge(other: Summary): void {
    this.requests.merge(other.requests);
    this.loss.merge(other.loss);
    if (other.lastRequestMs !== null) this.noteRequest(other.lastRequestMs, other.modelVersion);
    for (const convention of other.conventions) this.conventions.add(convention);
    for (const group of other.groups.values()) this.addGroup(group);
    const mine = new Map<SummedPlace, SummedPlace>();
    for (const place of other.places) {
      const above = (place.above && mine.get(place.above)) ?? null;
      const own = this.placeOf(place, above);
      mine.set(place, own);
      own.calls.merge(place.calls);
    }
    for (const [model, calls] of other.models) this.modelOf(model).merge(calls);
  }
}

function newTally(): Tally {
  return new Tally(EXACT_SAMPLES_MAX);
}

function newTallies(): ByRelease<Tally> {
  return new ByRelease(newTally, RELEASES_MAX);
}

function otherCause(cause: ErrorCause): ErrorCause {
  return { ...cause, type: "other", path: "other", message: "more groups than are kept apart" };
}
