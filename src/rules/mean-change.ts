/**
 * Whether the mean of something that has no upper bound, such as the cost of a
 * request, has changed. It compares means and not medians or logarithms, because
 * the mean times the requests is what is paid.
 *
 * The interval of the ratio is Welch's, for the logarithm of the means, with
 * their standard errors by the delta method. Where few requests make most of the
 * mean, a small sample that happens to lack them has too small a variance and
 * looks certain to be cheaper; so a change must also show in a t-test that takes
 * the variance of both together, as it is when both are alike.
 */
import type { Change, Interval, Proof } from "./change.ts";
import { studentQuantile } from "./probability.ts";

type Moments = {
  readonly count: number;
  readonly mean: number;
  /** Of a single value, relative to the mean, squared. */
  readonly spread: number;
};

/**
 * The change of the mean, as a ratio: 1.2 is a fifth more. Without an interval
 * where a mean is 0. Both have at least two samples, finite and not negative.
 */
export function meanChange(before: Float64Array, after: Float64Array, { alpha }: Proof): Change {
  const [was, is] = [momentsOf(before), momentsOf(after)];
  const interval = intervalOfRatio(was, is, alpha);
  const t = difference(was, is);
  const isCertain = t > studentQuantile(alpha, { degrees: was.count + is.count - 2 });
  if (!isCertain) return { interval, direction: null };
  if (is.mean > was.mean && (interval === null || interval.low > 1))
    return { interval, direction: "up" };
  if (is.mean < was.mean && (interval === null || interval.high < 1))
    return { interval, direction: "down" };
  return { interval, direction: null };
}

function intervalOfRatio(was: Moments, is: Moments, alpha: number): Interval | null {
  if (was.mean === 0 || is.mean === 0) return null;
  const [errorBefore, errorAfter] = [was.spread / was.count, is.spread / is.count];
  const variance = errorBefore + errorAfter;
  // Welch and Satterthwaite; without any spread they do not matter.
  const degrees =
    variance ** 2 / (errorBefore ** 2 / (was.count - 1) + errorAfter ** 2 / (is.count - 1));
  const reach = variance === 0 ? 0 : studentQuantile(alpha, { degrees }) * Math.sqrt(variance);
  const ratio = is.mean / was.mean;
  return { low: ratio * Math.exp(-reach), high: ratio * Math.exp(reach) };
}

/** The distance of the means in their common standard error. Infinite where nothing spreads. */
function difference(was: Moments, is: Moments): number {
  // Relative to the larger mean, so that no square overflows.
  const unit = Math.max(was.mean, is.mean);
  const distance = Math.abs(is.mean - was.mean) / unit;
  if (unit === 0 || distance === 0) return 0;
  const squares = [was, is].reduce(
    (sum, { spread, count, mean }) => sum + spread * (count - 1) * (mean / unit) ** 2,
    0,
  );
  const variance = squares / (was.count + is.count - 2);
  return distance / Math.sqrt(variance * (1 / was.count + 1 / is.count));
}

export function meanOf(values: Float64Array): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum / values.length;
}

function momentsOf(values: Float64Array): Moments {
  const mean = meanOf(values);
  let squares = 0;
  if (mean > 0) for (const value of values) squares += (value / mean - 1) ** 2;
  return { count: values.length, mean, spread: squares / (values.length - 1) };
}
