/**
 * How often a request was forwarded, in a header of it: monitors that forward to each other
 * would otherwise send the same telemetry round for ever.
 */
export const HOPS_HEADER = "x-dspy-forward-hops";

/** What was forwarded so often is not forwarded again. */
export const HOPS_MAX = 4;

/** None where it is not told, by an agent or a collector in between. */
export function readHops(header: string | undefined): number {
  return /^\d{1,9}$/.test(header ?? "") ? Math.min(Number(header), HOPS_MAX) : 0;
}
