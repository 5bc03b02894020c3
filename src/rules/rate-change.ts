/**
 * Whether a share, such as that of failed requests, has changed. Right for small
 * counts too, where the usual normal approximation sees changes that are none.
 *
 * The interval of the difference is Newcombe's (1998, method 10), made of the two
 * Wilson intervals. Whether it may be chance says Fisher's exact test: of all the
 * ways to deal the same failures out to the requests of both sides, the share
 * that gives one side at least as many as it has.
 */
import type { Change, Interval, Proof } from "./change.ts";
import { normalQuantile, normalTail } from "./probability.ts";

/** `hits` of `total`: two whole numbers, the first not above the second. */
export type Rate = { readonly hits: number; readonly total: number };

/** Above this standard deviation of its count the exact test is normal to five digits, and too long to sum. */
const EXACT_DEVIATION_MAX = 1000;

/** The change of the rate from one to the other, as a difference: 0.03 is three points more. */
export function rateChange(before: Rate, after: Rate, { alpha }: Proof): Change {
  const z = normalQuantile(alpha);
  const [was, is] = [wilson(before, z), wilson(after, z)];
  const difference = is.share - was.share;
  const interval: Interval = {
    low: difference - Math.hypot(is.share - is.low, was.high - was.share),
    high: difference + Math.hypot(is.high - is.share, was.share - was.low),
  };
  if (interval.low > 0 && isMore(before, after, { alpha })) return { interval, direction: "up" };
  if (interval.high < 0 && isMore(after, before, { alpha })) return { interval, direction: "down" };
  return { interval, direction: null };
}

/** Whether the second has more hits than chance would give it, by Fisher's exact test. */
export function isMore(first: Rate, second: Rate, { alpha }: Proof): boolean {
  return (
    second.hits * first.total > first.hits * second.total && fisherTail(first, second) <= alpha
  );
}

/** The chance of at least so many hits in the second, given those of both. */
export function fisherTail(first: Rate, second: Rate): number {
  const hits = first.hits + second.hits;
  const total = first.total + second.total;
  const mean = hits * (second.total / total);
  const deviation = Math.sqrt(
    mean * (first.total / total) * ((total - hits) / Math.max(1, total - 1)),
  );
  if (deviation > EXACT_DEVIATION_MAX) return normalTail((second.hits - 0.5 - mean) / deviation);

  // From the most likely count outwards, each chance from the one beside it; only their ratios matter.
  const mode = Math.floor(((hits + 1) * (second.total + 1)) / (total + 2));
  const others = first.total - hits; // hits that the first lacks, less those of the second
  let sum = 0;
  let tail = 0;
  const add = (count: number, weight: number) => {
    sum += weight;
    if (count >= second.hits) tail += weight;
    return weight > sum * Number.EPSILON;
  };
  let weight = 1;
  for (let count = mode; add(count, weight); count++) {
    weight *= ((hits - count) * (second.total - count)) / ((count + 1) * (others + count + 1));
  }
  weight = 1;
  for (let count = mode - 1; count >= 0; count--) {
    weight *= ((count + 1) * (others + count + 1)) / ((hits - count) * (second.total - count));
    if (!add(count, weight)) break;
  }
  return tail / sum;
}

function wilson({ hits, total }: Rate, z: number): Interval & { readonly share: number } {
  const share = hits / total;
  const middle = share + (z * z) / (2 * total);
  const reach = z * Math.sqrt((share * (1 - share)) / total + ((z / total) * (z / total)) / 4);
  const size = 1 + (z * z) / total;
  // Exact at the ends, where rounding would leave a share just outside of its own interval.
  const low = hits === 0 ? 0 : (middle - reach) / size;
  const high = hits === total ? 1 : (middle + reach) / size;
  return { share, low, high };
}
