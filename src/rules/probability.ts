/**
 * Quantiles of the two distributions that comparing releases needs, exact to at
 * least six digits for tails from 1e-9 and for samples of a hundred and more.
 */

/** Terms of the series; for the largest z it needs about a hundred. */
const TERMS_MAX = 300;

/** Halvings of an interval of 6.5, which leave less than 1e-12 of it. */
const HALVINGS = 43;

/** The chance that a standard normal value is above z. From 0 where z is beyond 6.5. */
export function normalTail(z: number): number {
  if (z < 0) return 1 - normalTail(-z);
  if (z > 6.5) return 0;
  // 1/2 − φ(z) · (z + z³/3 + z⁵/(3·5) + …), the integral of the density by parts.
  let term = z;
  let sum = z;
  for (let odd = 3; odd < 2 * TERMS_MAX && term > sum * Number.EPSILON; odd += 2) {
    term *= (z * z) / odd;
    sum += term;
  }
  return 0.5 - (sum * Math.exp((-z * z) / 2)) / Math.sqrt(2 * Math.PI);
}

/** The z above which a standard normal value lies with this chance, at most a half. */
export function normalQuantile(tail: number): number {
  let low = 0;
  let high = 6.5;
  for (let halving = 0; halving < HALVINGS; halving++) {
    const middle = (low + high) / 2;
    if (normalTail(middle) > tail) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/**
 * The t above which a value of Student's distribution lies with this chance: the
 * normal quantile and three corrections in powers of 1 / degrees of freedom.
 *
 * Source: Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.5.
 */
export function studentQuantile(tail: number, { degrees }: { readonly degrees: number }): number {
  const z = normalQuantile(tail);
  const square = z * z;
  const first = (z * (square + 1)) / 4;
  const second = (z * ((5 * square + 16) * square + 3)) / 96;
  const third = (z * (((3 * square + 19) * square + 17) * square - 15)) / 384;
  return z + (first + (second + third / degrees) / degrees) / degrees;
}
