/** What two samples say of a change from one to the other. */
export type Interval = { readonly low: number; readonly high: number };

export type Change = {
  /** Where the true change lies, `null` where it has no bound. */
  readonly interval: Interval | null;
  /** `null` where it may be chance. Where it is told, the whole interval lies on that side. */
  readonly direction: "up" | "down" | null;
};

/**
 * How much proof is asked for: the chance, at most, of a direction that is none,
 * for each of the two directions. An interval leaves out as much at either end.
 */
export type Proof = { readonly alpha: number };
