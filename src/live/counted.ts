/** How calls are counted: in the run of the monitor, and in slices of time for the windows. */
import type { ModuleCall } from "../signals/request.ts";
import { ByRelease, type ReleaseName } from "./by-release.ts";
import { FINE_RETAINED_MS, Sliced, type Slicing } from "./sliced.ts";
import { type CallFigures, type RunTally, Tally } from "./tally.ts";

/** A request that ends later than this after its arrival has a wrong clock: it is in no window. */
export const CLOCK_AHEAD_MAX_MS = 60_000;

export const agentSlicing: Slicing = { fineSliceMs: 1_000, coarseSliceMs: 60_000 };
/** There are many more places than agents, so their slices are longer. */
const placeSlicing: Slicing = { fineSliceMs: 5_000, coarseSliceMs: 300_000 };

/**
 * Stretches of time that begin and end at whole multiples of this hold the same
 * calls for an agent and for its places.
 */
export function alignmentMs(fromMs: number, nowMs: number): number {
  return nowMs - fromMs <= FINE_RETAINED_MS ? placeSlicing.fineSliceMs : placeSlicing.coarseSliceMs;
}

/** Latencies that one slice keeps one by one; there are very many slices. */
const SLICE_SAMPLES_MAX = 32;
/** Releases that one slice counts apart. */
const SLICE_RELEASES_MAX = 3;

export function newTally(use: "sum" | "slice"): Tally {
  return use === "sum" ? new Tally() : new Tally(SLICE_SAMPLES_MAX);
}

function newTallies(use: "sum" | "slice"): ByRelease<Tally> {
  return new ByRelease(() => newTally(use), use === "sum" ? undefined : SLICE_RELEASES_MAX);
}

/** Since this run of the monitor began, whatever the time of the call. */
type Run = { run: RunTally };

/** Requests of an agent. */
export type CountedRequests = Run & {
  readonly slices: Sliced<Tally>;
  /** When a request was last taken; `null` before the first. */
  lastSeenMs: number | null;
};

/** Calls of a module or a model, for each release apart. */
export type CountedCalls = Run & {
  readonly slices: Sliced<ByRelease<Tally>>;
  /** When a call was last taken. */
  lastSeenMs: number;
};

export function newSlicesOfCalls(): CountedCalls["slices"] {
  return new Sliced(newTallies, placeSlicing);
}

export function countRequest(
  counted: CountedRequests,
  timeMs: number,
  nowMs: number,
  figures: CallFigures,
): void {
  counted.lastSeenMs = nowMs;
  counted.run.add(figures);
  if (timeMs > nowMs + CLOCK_AHEAD_MAX_MS) return;
  counted.slices.fine(timeMs, nowMs)?.add(figures);
  counted.slices.coarse(timeMs, nowMs)?.add(figures);
}

export function countCall(
  counted: CountedCalls,
  call: ReleaseName & { readonly timeMs: number },
  nowMs: number,
  figures: CallFigures,
): void {
  const { timeMs } = call;
  counted.lastSeenMs = nowMs;
  counted.run.add(figures);
  if (timeMs > nowMs + CLOCK_AHEAD_MAX_MS) return;
  counted.slices.fine(timeMs, nowMs)?.of(call).add(figures);
  counted.slices.coarse(timeMs, nowMs)?.of(call).add(figures);
}

/** Of a model call: 1 when DSPy's cache answered. */
export function cacheHitsOf({ cache }: ModuleCall): number | null {
  return cache === "unknown" ? null : cache === "hit" ? 1 : 0;
}
