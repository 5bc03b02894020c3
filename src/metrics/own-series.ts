/**
 * What a collector tells about itself. These series are outside of all limits: without
 * them it could not tell that a limit was reached.
 */
import { describe, OVERFLOW_LABELS } from "./labels.ts";
import { KIND_COUNTER, KIND_GAUGE, KIND_LATENCY, type RowKind } from "./rows.ts";

export const OVERFLOW_TOTAL = "metrics_overflow_total";
export const WINDOW_SKIPPED_TOTAL = "metrics_window_skipped_total";
export const REJECTED_TOTAL = "metrics_rejected_total";

/** Different metrics. What is above counts in the overflow series of its kind. */
export const METRICS_MAX = 1_000;

/**
 * Why a record was no measurement: not a number or not a finite one, below zero where
 * that means nothing, or reading what was passed threw.
 */
export type RejectReason = "not_finite" | "negative" | "unreadable";

/** Shown only once something is in them. */
export const OVERFLOW_NAMES: Readonly<Record<RowKind, string>> = {
  [KIND_COUNTER]: "overflow_total",
  [KIND_GAUGE]: "overflow",
  [KIND_LATENCY]: "overflow_latency_ms",
};

/** All below are descriptions of rows. */
export const OVERFLOWED = describe(OVERFLOW_TOTAL, []);
export const WINDOW_SKIPPED = describe(WINDOW_SKIPPED_TOTAL, []);

export function rejectedFor(reason: RejectReason): string {
  return describe(REJECTED_TOTAL, [["reason", reason]]);
}

/** Takes what is above the limits of the whole. */
export function overflowOf(kind: RowKind): string {
  return describe(OVERFLOW_NAMES[kind], OVERFLOW_LABELS);
}

const ownCounters: ReadonlySet<string> = new Set([
  OVERFLOWED,
  WINDOW_SKIPPED,
  ...(["not_finite", "negative", "unreadable"] as const).map(rejectedFor),
]);

/** One of each kind of overflow, and the three names above. */
export const OWN_METRICS = 6;

/** Whether a series counts towards the limits. An overflow series does not: it is what they lead to. */
export function isLimited(kind: RowKind, name: string, description: string): boolean {
  if (kind === KIND_COUNTER && ownCounters.has(description)) return false;
  return description !== describe(name, OVERFLOW_LABELS);
}
