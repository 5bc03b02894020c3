/**
 * Over how long an agent is summed up while nothing is wrong with it. Not longer than
 * its latency rule looks back: right after a bad spell the sentence would call an agent
 * healthy and name a p99 above its limit.
 */
import type { Rule } from "./rule.ts";
import { rulesOf } from "./rules-in-force.ts";

/** Enough to say how an agent fares, and cheap to sum up for every look at the page. */
const WINDOW_MAX_MS = 60_000;

export function summaryWindowMs(rules: readonly Rule[], endpoint: string): number {
  const windows = rulesOf(rules, endpoint)
    .filter((rule) => rule.kind === "latency_p99")
    .map((rule) => rule.windowSeconds * 1000);
  return Math.min(WINDOW_MAX_MS, ...windows);
}
