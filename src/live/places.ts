/** The modules, tools and retrievers of an agent, as the tree in which they call each other. */
import { costUsdOf, noCost, unknownCost } from "../signals/cost.ts";
import type { ModuleCall, PathSource } from "../signals/request.ts";
import { count, newTally, placeSlicing, useOf } from "./counted.ts";
import { Kept, type Room } from "./kept.ts";
import { Sliced } from "./sliced.ts";
import { RunTally, type Tally } from "./tally.ts";

/** Modules, tools and retrievers of one agent beyond this are counted together as `other`. */
export const PLACES_MAX = 200;
/**
 * Of all agents together. A place that is called all day takes up to 0.5 MB, so this,
 * and not the bound of one agent, bounds the memory.
 */
export const ALL_PLACES_MAX = 2_000;

export type PlaceKind = "module" | "tool" | "retriever";

/** A module, tool or retriever of an agent. */
export type Place = {
  /** The class of the DSPy program: several under one endpoint have a `self` each. */
  readonly program: string;
  readonly path: string;
  readonly pathSource: PathSource;
  readonly kind: PlaceKind;
  readonly depth: number;
  readonly slices: Sliced<Tally>;
  run: RunTally;
  /** When a call of it was last taken. */
  lastSeenMs: number;
};

export class Places {
  readonly #kept: Kept<Place>;
  #inOrder: Place[] = [];

  constructor(room: Room) {
    this.#kept = new Kept(PLACES_MAX, room);
  }

  get size(): number {
    return this.#kept.size;
  }

  /** In tree order: a caller before what it calls. */
  get inOrder(): readonly Place[] {
    return this.#inOrder;
  }

  find(path: string): Place | undefined {
    return this.#inOrder.find((place) => place.path === path);
  }

  forget(nowMs: number): void {
    this.#kept.forget(nowMs);
    if (this.#kept.size === this.#inOrder.length) return;
    this.#inOrder = this.#inOrder.filter((place) => this.#kept.get(keyOf(place)) === place);
  }

  /** @param calls of one trace, in tree order. */
  add(calls: readonly ModuleCall[], nowMs: number): void {
    // Where model calls tell their tokens, a module without model calls used none: 0, not unknown.
    const tokensTold = calls.some(({ kind, tokens }) => kind === "lm" && tokens !== null);
    const costTold = calls.some(({ kind, cost }) => kind === "lm" && costUsdOf(cost) !== null);
    const cacheTold = calls.some(({ kind, cache }) => kind === "lm" && cache !== "unknown");
    const nothingUsed = {
      tokens: tokensTold ? { input: 0, output: 0 } : null,
      cost: costTold ? noCost : unknownCost,
      cacheHits: cacheTold ? 0 : null,
    };
    const places = new Map<string, Place>();
    for (const call of calls) {
      const above = places.get(call.parentSpanId ?? "");
      if (!isPlace(call.kind)) {
        if (!above) continue;
        places.set(call.spanId, above);
        addInnerCall(above, call, nowMs);
        continue;
      }
      const place = this.#placeOf({ ...call, kind: call.kind }, above);
      places.set(call.spanId, place);
      count(place, call.timeMs, nowMs, (tally) => {
        tally.addLatency(call.latencyMs);
        tally.ownMs += call.selfMs;
        tally.addUse(nothingUsed);
        if (call.errorClass) {
          tally.failed++;
          tally.addFailed(call.errorClass, 1);
        }
      });
    }
  }

  #placeOf(call: PlacedCall, above: Place | undefined): Place {
    const key = keyOf(call);
    const known = this.#kept.get(key);
    if (known) return known;
    if (!this.#kept.hasRoom && call !== theRest) {
      return this.#placeOf(theRest, undefined);
    }
    const place = this.#kept.add(key, {
      program: call.program,
      path: call.path,
      pathSource: call.pathSource,
      kind: call.kind,
      depth: above ? above.depth + 1 : 0,
      slices: new Sliced(newTally, placeSlicing),
      run: new RunTally(),
      lastSeenMs: Number.NEGATIVE_INFINITY, // counting the call tells
    });
    // The last inside its caller; without one, the last of all.
    const ordered = this.#inOrder;
    let index = above ? ordered.indexOf(above) + 1 : ordered.length;
    while (index < ordered.length && above && (ordered[index]?.depth ?? 0) > above.depth) index++;
    ordered.splice(index, 0, place);
    return place;
  }
}

type PlacedCall = Pick<Place, "program" | "path" | "pathSource" | "kind">;

/** What is beyond the bound. */
const theRest: PlacedCall = { program: "other", path: "other", pathSource: "span", kind: "module" };

function keyOf({ kind, program, path }: Pick<Place, "kind" | "program" | "path">): string {
  return `${kind} ${program} ${path}`;
}

function isPlace(kind: ModuleCall["kind"]): kind is PlaceKind {
  return kind === "module" || kind === "tool" || kind === "retriever";
}

/** A model, adapter or embedding call counts where it was made. */
function addInnerCall(place: Place, call: ModuleCall, nowMs: number): void {
  count(place, call.timeMs, nowMs, (tally) => {
    tally.ownMs += call.selfMs;
    if (call.kind !== "lm") return;
    tally.lmMs += call.latencyMs;
    tally.addUse(useOf(call));
  });
}
