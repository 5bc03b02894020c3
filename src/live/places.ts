/** The modules, tools and retrievers of an agent, as the tree in which they call each other. */
import type { ClosedTrace } from "../signals/closed-trace.ts";
import { addCosts, addKnown, costUsdOf, noCost, unknownCost } from "../signals/cost.ts";
import type { ModuleCall, PathSource } from "../signals/request.ts";
import { addTokens } from "../signals/tokens.ts";
import { ByRelease } from "./by-release.ts";
import { CallSums } from "./call-sums.ts";
import { type CountedCalls, cacheHitsOf, countCall, newSlicesOfCalls } from "./counted.ts";
import { Kept, type Room } from "./kept.ts";
import { type CallFigures, RunTally, type Use } from "./tally.ts";

/** Modules, tools and retrievers of one agent beyond this are counted together as `other`. */
export const PLACES_MAX = 200;
/**
 * Of all agents together. A place that is called every second all day takes 1.2 MB, twice as
 * much while several releases are served at once, so this, and not the bound of one
 * agent, bounds the memory.
 */
export const ALL_PLACES_MAX = 2_000;

/** Releases of one place that are counted apart in a run of the monitor; more are counted together. */
export const RUN_RELEASES_MAX = 10;

export type PlaceKind = "module" | "tool" | "retriever";

/** A module, tool or retriever of an agent. */
export type Place = CountedCalls & {
  /** As `run`, for each release apart. */
  runByRelease: ByRelease<CallSums>;
  /** The class of the DSPy program: several under one endpoint have a `self` each. */
  readonly program: string;
  readonly path: string;
  readonly pathSource: PathSource;
  readonly kind: PlaceKind;
  readonly depth: number;
};

export class Places {
  readonly #kept: Kept<Place>;
  /** The last in `#kept` of each path. Several kinds and programs seldom have the same. */
  readonly #lastOfPath = new Map<string, Place>();
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

  /** Starts the figures of a run anew; those of the windows stay. */
  beginRun(): void {
    for (const place of this.#inOrder) {
      place.run = new RunTally();
      place.runByRelease = newRunByRelease();
    }
  }

  forget(nowMs: number): void {
    this.#kept.forget(nowMs);
    this.#lastOfPath.clear();
    if (this.#kept.size === this.#inOrder.length) return;
    this.#inOrder = this.#inOrder.filter((place) => this.#kept.get(keyOf(place)) === place);
  }

  add(trace: Pick<ClosedTrace, "moduleCalls" | "errors">, nowMs: number): void {
    const placed = placeCallsOf<Place>(trace, (call, above) => this.#placeOf(call, above));
    for (const told of placed) countPlaceCall(told, nowMs);
  }

  #placeOf(call: PlacedCall, above: Place | undefined): Place {
    // Putting a key together and looking it up takes as long as all of counting.
    const last = this.#lastOfPath.get(call.path);
    if (last?.kind === call.kind && last.program === call.program) return last;
    const key = keyOf(call);
    const known = this.#kept.get(key);
    if (known) {
      this.#lastOfPath.set(call.path, known);
      return known;
    }
    if (!this.#kept.hasRoom && call !== theRest) {
      return this.#placeOf(theRest, undefined);
    }
    const place = this.#kept.add(key, {
      program: call.program,
      path: call.path,
      pathSource: call.pathSource,
      kind: call.kind,
      depth: above ? above.depth + 1 : 0,
      slices: newSlicesOfCalls(),
      run: new RunTally(),
      runByRelease: newRunByRelease(),
      lastSeenMs: Number.NEGATIVE_INFINITY, // counting the call tells
    });
    putInOrder(this.#inOrder, place, above);
    return place;
  }
}

/** Into a tree's rows: the last inside its caller; without one, the last of all. */
export function putInOrder<P extends { readonly depth: number }>(
  ordered: P[],
  place: P,
  above: P | undefined,
): void {
  let index = above ? ordered.indexOf(above) + 1 : ordered.length;
  while (index < ordered.length && above && (ordered[index]?.depth ?? 0) > above.depth) index++;
  ordered.splice(index, 0, place);
}

type PlacedCall = Pick<Place, "program" | "path" | "pathSource" | "kind">;

/** What is beyond the bound. */
const theRest: PlacedCall = { program: "other", path: "other", pathSource: "span", kind: "module" };

export function keyOf({ kind, program, path }: Pick<Place, "kind" | "program" | "path">): string {
  return `${kind} ${program} ${path}`;
}

export type PlacedModuleCall = ModuleCall & { readonly kind: PlaceKind };

function isPlace(call: ModuleCall): call is PlacedModuleCall {
  return call.kind === "module" || call.kind === "tool" || call.kind === "retriever";
}

/** By event id, the calls whose answers could not be read; `null` without any. */
function unreadAnswers(errors: ClosedTrace["errors"]): ReadonlySet<string> | null {
  let unread: Set<string> | null = null;
  for (const { errorClass, eventId } of errors) {
    if (errorClass === "adapter_parse") unread = (unread ?? new Set()).add(eventId);
  }
  return unread;
}

/** One call of a place, with what it did itself: not in places below. */
export type PlaceCall<P> = {
  readonly place: P;
  readonly call: PlacedModuleCall;
} & CallFigures;

/** While what happened inside it is added. */
type OpenPlaceCall<P> = { -readonly [Field in keyof PlaceCall<P>]: PlaceCall<P>[Field] };

/**
 * The calls of places in a trace, in tree order.
 *
 * @param placeOf which place a call is of, told the place that it was called in.
 */
export function placeCallsOf<P>(
  { moduleCalls, errors }: Pick<ClosedTrace, "moduleCalls" | "errors">,
  placeOf: (call: PlacedModuleCall, above: P | undefined) => P,
): PlaceCall<P>[] {
  const unread = unreadAnswers(errors);
  const nothingUsed = nothingUsedIn(moduleCalls);
  const placed: OpenPlaceCall<P>[] = [];
  // The calls that are open, by depth, since calls are told in tree order; and for each
  // the call of a place that it is, or that it was made in.
  const open: ModuleCall[] = [];
  const openWithin: (OpenPlaceCall<P> | undefined)[] = [];
  for (const call of moduleCalls) {
    const { depth } = call;
    const isInside = depth > 0 && open[depth - 1]?.spanId === call.parentSpanId;
    const above = isInside ? openWithin[depth - 1] : undefined;
    let within = above;
    if (isPlace(call)) {
      within = newPlaceCall(placeOf(call, above?.place), call, nothingUsed);
      placed.push(within);
      if (above && call.kind === "tool" && call.errorClass) above.toolFailures++;
    } else if (above) {
      addInnerCall(above, call);
    }
    open[depth] = call;
    openWithin[depth] = within;
    if (within && unread?.has(call.eventId)) within.parseFailures++;
  }
  // What happened inside a call is told after it: only now are the calls whole.
  for (const told of placed) told.selfMs = selfWithin(told);
  return placed;
}

function newPlaceCall<P>(
  place: P,
  call: PlacedModuleCall,
  { tokens, cost, cacheHits }: Use,
): OpenPlaceCall<P> {
  return {
    place,
    call,
    latencyMs: call.latencyMs,
    selfMs: call.selfMs,
    errorClass: call.errorClass,
    cache: "unknown",
    tokens,
    cost,
    cacheHits,
    lmMs: 0,
    lmCalls: 0,
    parseFailures: 0,
    toolFailures: 0,
  };
}

function newRunByRelease(): ByRelease<CallSums> {
  return new ByRelease(() => new CallSums(), RUN_RELEASES_MAX);
}

function countPlaceCall(told: PlaceCall<Place>, nowMs: number): void {
  const { place, call, latencyMs, selfMs, errorClass } = told;
  place.runByRelease.of(call).add({ latencyMs, selfMs, failed: errorClass !== null });
  countCall(place, call, nowMs, told);
}

/** Sums of times differ in their last digits by more than the clocks of agents tell. */
const SAME_MS = 1e-3;

/** Model calls that ran side by side can add up to more than the module took. */
function selfWithin({ selfMs, latencyMs }: CallFigures): number {
  return selfMs > latencyMs - SAME_MS ? latencyMs : selfMs;
}

/** Where model calls tell their tokens, a module without model calls used none: 0, not unknown. */
function nothingUsedIn(calls: readonly ModuleCall[]): Use {
  let [tokensTold, costTold, cacheTold] = [false, false, false];
  for (const { kind, tokens, cost, cache } of calls) {
    if (kind !== "lm") continue;
    tokensTold ||= tokens !== null;
    costTold ||= costUsdOf(cost) !== null;
    cacheTold ||= cache !== "unknown";
  }
  return {
    tokens: tokensTold ? { input: 0, output: 0 } : null,
    cost: costTold ? noCost : unknownCost,
    cacheHits: cacheTold ? 0 : null,
  };
}

/** A model, adapter or embedding call counts where it was made. */
function addInnerCall(within: OpenPlaceCall<unknown>, call: ModuleCall): void {
  within.selfMs += call.selfMs;
  if (call.kind !== "lm") return;
  within.lmMs += call.latencyMs;
  within.lmCalls++;
  within.tokens = addTokens(within.tokens, call.tokens);
  within.cost = addCosts(within.cost, call.cost);
  within.cacheHits = addKnown(within.cacheHits, cacheHitsOf(call));
}
