/**
 * Says in words where the time of slow requests goes. With a time before to
 * compare with, it shares out what was added among the modules; without one it
 * says only where the time is spent now. It names a cause only when that one
 * explains at least half.
 */
import { formatDurationMs, formatDurationsMs, formatPercent } from "./format-quantity.ts";
import { placeNames } from "./place-names.ts";
import type { Window } from "./window.ts";

/** A place that explains at least this share is named as the cause. */
export const CAUSE_SHARE_MIN = 0.5;

/** Fewer requests than this before are no baseline. */
export const BASELINE_REQUESTS_MIN = 3;

/** Requests that grew by less than this share did not become slower. */
const GROWTH_SHARE_MIN = 0.1;

/** Places that are listed when no single one is the cause. */
const LISTED_MAX = 3;

/** What one module costs an average request. */
type Cost = {
  readonly program: string;
  readonly path: string;
  readonly calls: number;
  readonly ownMs: number;
  readonly lmMs: number;
};

/** One or two sentences; empty when nothing is known. */
export function explainLatency(now: Window, before: Window | null): string {
  const costsNow = costs(now);
  if (costsNow.size === 0) {
    return now.requests > 0
      ? "Its telemetry names no modules, so where the time goes is not known."
      : "";
  }
  const name = placeNames(now.modules);
  const costsBefore = before && before.requests >= BASELINE_REQUESTS_MIN ? costs(before) : null;
  if (!before || !costsBefore || costsBefore.size === 0) return whereTimeGoes(now, costsNow);

  const added = [...costsNow.values()].map((cost) => {
    const was = costsBefore.get(keyOf(cost)) ?? null;
    return { now: cost, was, addedMs: cost.ownMs - (was?.ownMs ?? 0) };
  });
  const slower = added.filter(({ addedMs }) => addedMs > 0).sort((a, b) => b.addedMs - a.addedMs);
  const meanBeforeMs = before.meanMs ?? sum(costsBefore.values());
  const meanAddedMs =
    now.meanMs !== null && before.meanMs !== null
      ? now.meanMs - before.meanMs
      : sum(costsNow.values()) - sum(costsBefore.values());
  if (meanAddedMs <= meanBeforeMs * GROWTH_SHARE_MIN) {
    const mean = formatDurationMs(now.meanMs ?? sum(costsNow.values()));
    return `On average requests are no slower than before (${mean}). ${whereTimeGoes(now, costsNow)}`.trim();
  }

  // Modules may win back what others add, and time may pass outside of modules: never share out less than either.
  const totalMs = Math.max(
    meanAddedMs,
    slower.reduce((total, { addedMs }) => total + addedMs, 0),
  );
  const [largest] = slower;
  if (largest === undefined) return "The added time is in none of its modules.";
  const share = largest.addedMs / totalMs;
  if (share >= CAUSE_SHARE_MIN) {
    return `${shareText(share)} of the added time is in ${name(largest.now)} (${why(largest.now, largest.was)}).`;
  }
  const shares = slower.map(({ now, addedMs }) => ({ place: name(now), share: addedMs / totalMs }));
  return `The added time has no single cause: ${list(shares)}.`;
}

/** What made a module slower: more calls, its model, or its own work. */
function why(now: Cost, was: Cost | null): string {
  if (was === null || was.calls === 0) return "it was not called before";

  const perCallNowMs = now.ownMs / now.calls;
  const perCallBeforeMs = was.ownMs / was.calls;
  const byCallsMs = (now.calls - was.calls) * perCallBeforeMs;
  if (byCallsMs >= (now.ownMs - was.ownMs) * CAUSE_SHARE_MIN) {
    return `it is called ${perRequest(now.calls)} per request instead of ${perRequest(was.calls)}`;
  }

  const [lmNowMs, lmBeforeMs] = [now.lmMs / now.calls, was.lmMs / was.calls];
  if (lmNowMs - lmBeforeMs >= (perCallNowMs - perCallBeforeMs) * CAUSE_SHARE_MIN) {
    if (lmBeforeMs <= 0) return `model calls wait ${formatDurationMs(lmNowMs)}`;
    const [shown, shownBefore] = formatDurationsMs(lmNowMs, lmBeforeMs);
    return `model calls wait ${shown} instead of ${shownBefore}`;
  }
  const [shown, shownBefore] = formatDurationsMs(perCallNowMs, perCallBeforeMs);
  return `a call takes ${shown} instead of ${shownBefore}`;
}

function whereTimeGoes(now: Window, costsNow: ReadonlyMap<string, Cost>): string {
  const name = placeNames(now.modules);
  const ranked = [...costsNow.values()].sort((a, b) => b.ownMs - a.ownMs);
  const totalMs = Math.max(now.meanMs ?? 0, sum(ranked));
  const [largest] = ranked;
  if (largest === undefined || totalMs <= 0) return "";

  const share = largest.ownMs / totalMs;
  if (share >= CAUSE_SHARE_MIN) {
    const isModel = largest.lmMs >= largest.ownMs * CAUSE_SHARE_MIN;
    const perCall = formatDurationMs((isModel ? largest.lmMs : largest.ownMs) / largest.calls);
    const what = isModel ? `model calls wait ${perCall}` : `a call takes ${perCall}`;
    return `${shareText(share)} of the time is in ${name(largest)} (${what}).`;
  }
  return `No single place takes most of the time: ${list(
    ranked.map((cost) => ({ place: name(cost), share: cost.ownMs / totalMs })),
  )}.`;
}

function costs({ requests, modules }: Window): ReadonlyMap<string, Cost> {
  const byPlace = new Map<string, Cost>();
  if (!(requests > 0)) return byPlace;
  for (const { program, path, calls, selfMs, lmMs } of modules) {
    if (![calls, selfMs, lmMs].every((number) => Number.isFinite(number) && number >= 0)) continue;
    if (calls === 0) continue;
    const key = keyOf({ program, path });
    const was = byPlace.get(key);
    byPlace.set(key, {
      program,
      path,
      calls: (was?.calls ?? 0) + calls / requests,
      // Model calls that ran side by side can add up to more than the module took.
      ownMs: (was?.ownMs ?? 0) + selfMs / requests,
      lmMs: (was?.lmMs ?? 0) + Math.min(lmMs, selfMs) / requests,
    });
  }
  return byPlace;
}

function keyOf({ program, path }: Pick<Cost, "program" | "path">): string {
  return `${program} ${path}`;
}

function sum(values: Iterable<Cost>): number {
  let totalMs = 0;
  for (const { ownMs } of values) totalMs += ownMs;
  return totalMs;
}

function list(shares: readonly { readonly place: string; readonly share: number }[]): string {
  return shares
    .slice(0, LISTED_MAX)
    .map(({ place, share }) => `${formatPercent(share * 100)} in ${place}`)
    .join(", ");
}

function shareText(share: number): string {
  return share === 1 ? "All" : formatPercent(share * 100);
}

/** `once`, `2 times`, `1.5 times`. */
function perRequest(calls: number): string {
  const rounded = calls >= 10 ? Math.round(calls) : Math.round(calls * 10) / 10;
  return rounded === 1 ? "once" : `${rounded} times`;
}
