/**
 * Whether a quantile, such as the p95 of latencies, has changed. Nothing is
 * assumed of the distribution: only ranks count.
 *
 * The interval of the ratio is that of the Bayesian bootstrap (Rubin 1981), in
 * closed form. It gives the samples random weights, again and again, and each time
 * looks up the quantile. In ascending order the first j of n weights sum up to a
 * value drawn from Beta(j, n − j), so the quantile is the j-th sample with the
 * chance that a binomial count, of n − 1 with the quantile's fraction, is j − 1.
 * These chances are all that endless rounds could find out: nothing is drawn, the
 * same samples always give the same interval, and only the samples around the
 * quantile matter. (The usual bootstrap is as simple, by Beta(k, n + 1 − k), but
 * puts the p95 of 100 samples at their 94th, and so finds small samples fast.)
 *
 * Whether it may be chance says an exact test too, as for every rate: does one
 * side have more than its share of what is above the quantile of both together?
 */
import { nearestRank } from "../signals/distribution.ts";
import type { Change, Interval, Proof } from "./change.ts";
import { isMore, type Rate } from "./rate-change.ts";

/** Ranks further from the middle than this have less than one chance in 10⁸ to be the quantile. */
const RANK_DEVIATIONS_MAX = 6;

/** Halvings of the range of ratios: twelve digits of the bound. */
const HALVINGS = 45;

/** The samples that may be the quantile, ascending, and the chance of each. */
type Candidates = { readonly values: Float64Array; readonly chances: Float64Array };

/**
 * The change of the quantile, as a ratio: 1.2 is a fifth more. Without an
 * interval where either may be 0.
 *
 * @param before ascending, finite and not negative, at least one; `after` alike.
 */
export function quantileChange(
  before: Float64Array,
  after: Float64Array,
  { fraction, alpha }: Proof & { readonly fraction: number },
): Change {
  const [was, is] = [candidatesOf(before, fraction), candidatesOf(after, fraction)];
  const interval = intervalOfRatio(was, is, alpha);
  const [rateBefore, rateAfter] = ratesAbove(before, after, fraction);

  if (chanceNotAbove(was, is, 1) <= alpha && isMore(rateBefore, rateAfter, { alpha }))
    return { interval, direction: "up" };
  if (chanceNotAbove(is, was, 1) <= alpha && isMore(rateAfter, rateBefore, { alpha }))
    return { interval, direction: "down" };
  return { interval, direction: null };
}

function candidatesOf(ascending: Float64Array, fraction: number): Candidates {
  const count = ascending.length;
  const odds = fraction / (1 - fraction);
  const reach = Math.ceil(RANK_DEVIATIONS_MAX * Math.sqrt(count * fraction * (1 - fraction)) + 1);
  const rank = nearestRank(fraction, count);
  const first = Math.max(1, rank - reach);
  const last = Math.min(count, rank + reach);

  // Binomial, from the rank outwards, each from the one beside it; then made to sum up to 1.
  const chances = new Float64Array(last - first + 1);
  chances[rank - first] = 1;
  for (let j = rank; j < last; j++) {
    chances[j + 1 - first] = (chances[j - first] ?? 0) * ((count - j) / j) * odds;
  }
  for (let j = rank; j > first; j--) {
    chances[j - 1 - first] = ((chances[j - first] ?? 0) * (j - 1)) / ((count - j + 1) * odds);
  }
  const sum = chances.reduce((total, chance) => total + chance, 0);
  return {
    values: ascending.subarray(first - 1, last),
    chances: chances.map((chance) => chance / sum),
  };
}

/** The chance that the quantile after is at most `ratio` times that before. */
function chanceNotAbove(before: Candidates, after: Candidates, ratio: number): number {
  let next = 0;
  let upToNext = 0;
  let sum = 0;
  for (let index = 0; index < before.values.length; index++) {
    const limit = ratio * (before.values[index] ?? 0);
    for (; next < after.values.length && (after.values[next] ?? 0) <= limit; next++) {
      upToNext += after.chances[next] ?? 0;
    }
    sum += (before.chances[index] ?? 0) * upToNext;
  }
  return sum;
}

function intervalOfRatio(before: Candidates, after: Candidates, alpha: number): Interval | null {
  const low = lowBound(before, after, alpha);
  // Seen from the other side the upper bound is the lower one, so that swapping the two mirrors all.
  const inverse = lowBound(after, before, alpha);
  return low === null || inverse === null ? null : { low, high: 1 / inverse };
}

/** The ratio below which the true one lies with the chance alpha. */
function lowBound(before: Candidates, after: Candidates, alpha: number): number | null {
  const [smallestBefore = 0, largestBefore = 0] = [before.values[0], before.values.at(-1)];
  const [smallestAfter = 0, largestAfter = 0] = [after.values[0], after.values.at(-1)];
  if (smallestBefore === 0 || smallestAfter === 0) return null;

  // Between what is out of the question and what is sure, with room for rounding.
  let low = Math.log(smallestAfter) - Math.log(largestBefore) - 1e-9;
  let high = Math.log(largestAfter) - Math.log(smallestBefore) + 1e-9;
  for (let halving = 0; halving < HALVINGS; halving++) {
    const middle = (low + high) / 2;
    if (chanceNotAbove(before, after, Math.exp(middle)) > alpha) high = middle;
    else low = middle;
  }
  return Math.exp(high);
}

type Rates = readonly [before: Rate, after: Rate];

/**
 * How many on each side are above the quantile of both together. Where many
 * samples are equal to it, those are counted too if that comes closer, as a ratio,
 * to the share that should be above. It looks at both sides as one, so that the
 * test of the two rates stays exact.
 */
function ratesAbove(before: Float64Array, after: Float64Array, fraction: number): Rates {
  const count = before.length + after.length;
  const quantile = valueAt(nearestRank(fraction, count), before, after);
  const rate = (values: Float64Array, isAbove: (value: number) => boolean): Rate => ({
    hits: values.length - 1 - values.findLastIndex((value) => !isAbove(value)),
    total: values.length,
  });
  const rates = (isAbove: (value: number) => boolean): Rates => [
    rate(before, isAbove),
    rate(after, isAbove),
  ];
  const hitsOf = ([one, other]: Rates) => one.hits + other.hits;

  const strict = rates((value) => value > quantile);
  const wide = rates((value) => value >= quantile);
  const expected = (1 - fraction) * count;
  return hitsOf(strict) * hitsOf(wide) < expected ** 2 ? wide : strict;
}

/** The value of this rank, from 1, of both together. */
function valueAt(rank: number, before: Float64Array, after: Float64Array): number {
  let [fromBefore, fromAfter] = [before.length, after.length];
  let value = Number.NaN;
  // From the top, which is where quantiles that matter are.
  while (fromBefore + fromAfter >= rank) {
    const one = before[fromBefore - 1] ?? Number.NEGATIVE_INFINITY;
    const other = after[fromAfter - 1] ?? Number.NEGATIVE_INFINITY;
    value = Math.max(one, other);
    if (one >= other) fromBefore--;
    else fromAfter--;
  }
  return value;
}
