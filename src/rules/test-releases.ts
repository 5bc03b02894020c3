/** Seeded requests of made-up releases, for tests of how they compare. */
import type { ReleaseSample } from "./compare-releases.ts";

export type Random = () => number;

/** Mulberry32: from 0 to below 1, the same for the same seed. */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let bits = Math.imul(state ^ (state >>> 15), 1 | state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** One value of a distribution around 1. */
export type Draw = (random: Random) => number;

export const lognormal =
  (sigma: number): Draw =>
  (random) =>
    Math.exp(sigma * normal(random));

/** Kinderman and Monahan's ratio of uniforms: fast, and without anything kept from draw to draw. */
function normal(random: Random): number {
  for (;;) {
    const denominator = 1 - random();
    const ratio = (Math.sqrt(8 / Math.E) * (random() - 0.5)) / denominator;
    if (ratio * ratio <= -4 * Math.log(denominator)) return ratio;
  }
}

const common = lognormal(0.4);
const quick = lognormal(0.2);

/** So that one in a hundred takes twenty times as long, and the variance has no end. */
export const heavyTailed: Draw = (random) => (1 - random()) ** (-1 / 1.5);

/** Cached answers take a fiftieth of the time. */
export const withCacheHits =
  (share: number): Draw =>
  (random) =>
    random() < share ? quick(random) / 50 : common(random);

/** Measured coarsely: most values are shared by many. */
export const inTenths =
  (draw: Draw): Draw =>
  (random) =>
    Math.round(draw(random) * 10) / 10;

export type Traffic = {
  readonly requests: number;
  readonly errorRate: number;
  readonly latency: Draw;
  /** `null` where the telemetry tells neither tokens nor cost. */
  readonly tokens: Draw | null;
};

const TYPICAL_MS = 600;
const TYPICAL_TOKENS = 1_200;
const USD_PER_TOKEN = 3e-6;

export function drawRelease(
  { requests, errorRate, latency, tokens }: Traffic,
  random: Random,
): ReleaseSample {
  let failed = 0;
  const latenciesMs: number[] = [];
  const tokensPerRequest: number[] | null = tokens && [];
  for (let request = 0; request < requests; request++) {
    if (random() < errorRate) failed++;
    latenciesMs.push(TYPICAL_MS * latency(random));
    if (tokens) tokensPerRequest?.push(Math.round(TYPICAL_TOKENS * tokens(random)));
  }
  return {
    release: "7c1f2d05aa",
    requests,
    failed,
    latenciesMs,
    tokensPerRequest,
    costUsdPerRequest: tokensPerRequest?.map((count) => count * USD_PER_TOKEN) ?? null,
    predictors: new Map(),
  };
}
