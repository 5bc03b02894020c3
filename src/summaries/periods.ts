/**
 * Which summaries a stretch of time is put together from: by minute for two days, by hour
 * for a month, by day for long. Pure.
 */
export type Tier = "minute" | "hour" | "day";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Finest first. Days are those of UTC. */
export const tiers: Readonly<Record<Tier, { readonly lengthMs: number; readonly keptMs: number }>> =
  {
    minute: { lengthMs: 60_000, keptMs: 2 * DAY_MS },
    hour: { lengthMs: HOUR_MS, keptMs: 35 * DAY_MS },
    day: { lengthMs: DAY_MS, keptMs: 800 * DAY_MS },
  };

export const tierNames = Object.keys(tiers) as readonly Tier[];

export function startOf(tier: Tier, timeMs: number): number {
  const { lengthMs } = tiers[tier];
  return Math.floor(timeMs / lengthMs) * lengthMs;
}

/** Summaries of one tier that begin at or after `fromMs` and before `toMs`. */
export type Stretch = { readonly tier: Tier; readonly fromMs: number; readonly toMs: number };

/** The time at or before this one from which on summaries are kept that begin there. */
export function keptStart(timeMs: number, nowMs: number): number {
  return startOf(finestAt(timeMs, nowMs), timeMs);
}

/**
 * As few summaries as there can be for `[fromMs, toMs)`, in order.
 *
 * @param fromMs see `keptStart`.
 * @param toMs cut to the start of a minute, or of an hour or a day where no minutes are kept any
 * more; at or after `nowMs` it means up to now.
 */
export function cover(fromMs: number, toMs: number, nowMs: number): Stretch[] {
  const endMs = toMs >= nowMs ? Number.POSITIVE_INFINITY : keptStart(toMs, nowMs);
  const lastMs = Math.min(endMs, nowMs + 1);
  const stretches: { tier: Tier; fromMs: number; toMs: number }[] = [];
  for (let atMs = fromMs; atMs < lastMs; ) {
    const tier =
      tierNames.findLast(
        (name) => startOf(name, atMs) === atMs && atMs + tiers[name].lengthMs <= endMs,
      ) ?? "minute";
    const nextMs = atMs + tiers[tier].lengthMs;
    const last = stretches.at(-1);
    if (last?.tier === tier) last.toMs = nextMs;
    else stretches.push({ tier, fromMs: atMs, toMs: nextMs });
    atMs = nextMs;
  }
  return stretches;
}

/** The longest summaries that steps of this length can be put together from. */
export function tierOfSteps(stepMs: number, fromMs: number, nowMs: number): Tier {
  const finest = finestAt(fromMs, nowMs);
  const fitting = tierNames.filter((name) => stepMs % tiers[name].lengthMs === 0);
  const longest = fitting.at(-1) ?? "minute";
  return tiers[longest].lengthMs < tiers[finest].lengthMs ? finest : longest;
}

function finestAt(timeMs: number, nowMs: number): Tier {
  return tierNames.find((name) => nowMs - timeMs < tiers[name].keptMs) ?? "day";
}
