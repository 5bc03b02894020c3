/**
 * Whether what is shown of an agent is how it is now, and if not, why. Silence has
 * several causes that ask for different things: nobody calls the agent; a source is
 * late; a source is denied; or the agent is called and its telemetry is lost. Pure.
 */

import type { HealthResult } from "../signals/health-result.ts";

export type Freshness =
  /** Its requests arrive. */
  | { readonly kind: "fresh" }
  /** Nobody calls it, and the workspace counts no requests either. */
  | { readonly kind: "no_traffic"; readonly sinceMs: number | null }
  /** The workspace counts requests, and no trace of them came, although traces did come before. */
  | {
      readonly kind: "telemetry_lost";
      readonly sinceMs: number;
      readonly requestsPerMinute: number;
      readonly countedMs: number;
    }
  /** The workspace counts requests; the agent has never sent a trace. */
  | {
      readonly kind: "no_telemetry";
      readonly requestsPerMinute: number;
      readonly countedMs: number;
    }
  /** What would tell has not been heard of since. */
  | { readonly kind: "late"; readonly sinceMs: number | null }
  /** What would tell may not be read. */
  | { readonly kind: "denied"; readonly sinceMs: number }
  /** Silent, and nothing but its own telemetry could tell why. */
  | { readonly kind: "silent"; readonly sinceMs: number | null };

export type FreshnessReading = {
  /** When the last request ended that a trace told of. */
  readonly lastRequestMs: number | null;
  /** What the workspace counted in one minute, and when that minute began. */
  readonly counted: { readonly requestsPerMinute: number; readonly timeMs: number } | null;
  readonly workspace: WorkspaceReading;
};

/** Whether the workspace answers; `none` where none is watched. */
export type WorkspaceReading =
  | { readonly kind: "none" }
  | { readonly kind: "answers" }
  | { readonly kind: "late"; readonly sinceMs: number | null }
  | { readonly kind: "denied"; readonly sinceMs: number };

/** A trace closes up to half a minute after its request, and a sender may be behind as long again. */
export const TRACES_DUE_MS = 2 * 60_000;
/** A silence that is shorter says nothing. */
export const SILENCE_MIN_MS = 5 * 60_000;
/** A count of a minute that is older says nothing of now. Databricks tells it some minutes late. */
export const COUNT_VALID_MS = 10 * 60_000;

/** The workspace is asked far more often than this. */
export const WORKSPACE_LATE_MS = 3 * 60_000;

/** @param checked the last check of the workspace; undefined where none is watched. */
export function workspaceReadingOf(
  checked: (Pick<HealthResult, "status" | "state" | "timeMs"> & { sinceMs: number }) | undefined,
  nowMs: number,
): WorkspaceReading {
  if (!checked) return { kind: "none" };
  const { status, state, timeMs, sinceMs } = checked;
  if (state === "denied") return { kind: "denied", sinceMs };
  if (status !== "healthy") return { kind: "late", sinceMs };
  return nowMs - timeMs > WORKSPACE_LATE_MS
    ? { kind: "late", sinceMs: timeMs }
    : { kind: "answers" };
}

export function freshnessOf(
  { lastRequestMs, counted, workspace }: FreshnessReading,
  nowMs: number,
): Freshness {
  const isCounted = counted !== null && nowMs - counted.timeMs <= COUNT_VALID_MS;
  if (isCounted && counted.requestsPerMinute > 0) {
    const { requestsPerMinute, timeMs: countedMs } = counted;
    if (lastRequestMs === null) return { kind: "no_telemetry", requestsPerMinute, countedMs };
    const isDue = nowMs - countedMs >= TRACES_DUE_MS;
    if (isDue && countedMs - lastRequestMs >= TRACES_DUE_MS) {
      return { kind: "telemetry_lost", sinceMs: lastRequestMs, requestsPerMinute, countedMs };
    }
  }
  if (lastRequestMs !== null && nowMs - lastRequestMs < SILENCE_MIN_MS) return { kind: "fresh" };
  if (workspace.kind === "denied" || workspace.kind === "late") return workspace;
  if (isCounted && counted.requestsPerMinute === 0) {
    return { kind: "no_traffic", sinceMs: lastRequestMs };
  }
  return { kind: "silent", sinceMs: lastRequestMs };
}
