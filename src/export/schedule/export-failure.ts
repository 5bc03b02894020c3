/**
 * What a scheduled export does after a failure: what will pass by itself is tried again
 * soon, what somebody has to mend is parked and looked at every few minutes. Pure.
 */
import { DatabricksError } from "../../databricks/databricks-error.ts";
import { type ErrorCode, MonitorError } from "../../monitor-error.ts";

/** Plain data, so that it comes out of a process whole. */
export type ExportFailure = {
  /** `null`: a bug. */
  readonly code: ErrorCode | null;
  readonly message: string;
  readonly hint: string | null;
  /** How long Databricks asks to wait. */
  readonly retryAfterMs: number | null;
  /** Whether it may have had an effect that nobody saw. */
  readonly isOutcomeUnknown: boolean;
};

export type AfterFailure = {
  /** `busy`: somebody else exports this history, which is as good. `waiting`: there is none yet. */
  readonly state: "failing" | "parked" | "busy" | "waiting";
  readonly waitMs: number;
};

/** How often what is parked is tried. */
export const PROBE_INTERVAL_MS = 5 * 60_000;
/** A statement whose answer was lost may be running still: so long nothing is sent that might meet it. */
export const UNKNOWN_OUTCOME_WAIT_MS = 60_000;
const BACKOFF_MIN_MS = 1_000;
const BACKOFF_MAX_MS = 60_000;
const RETRY_AFTER_MAX_MS = 5 * 60_000;
const BUSY_WAIT_MS = 10_000;

/** Time alone mends none of them. */
const PARKED: ReadonlySet<ErrorCode> = new Set([
  "DATABRICKS_FORBIDDEN",
  "DATABRICKS_UNAUTHENTICATED",
  "TABLE_CONFLICT",
  "TABLE_DROPPED",
  "WAREHOUSE_MISSING",
  "CREDENTIALS_MISSING",
  "CONFIG_INVALID",
  "PACKAGE_MISSING",
  "STORE_DAMAGED",
]);

/** What a process of its own told of its failure. */
export class ExportFailedError extends Error {
  readonly failure: ExportFailure;

  constructor(failure: ExportFailure) {
    super(failure.message);
    this.name = "ExportFailedError";
    this.failure = failure;
  }
}

export function failureOf(error: unknown): ExportFailure {
  if (error instanceof ExportFailedError) return error.failure;
  if (error instanceof MonitorError) {
    const { code, message, hint } = error;
    const call = error instanceof DatabricksError ? error.call : null;
    const isOutcomeUnknown =
      call !== null && call.networkCode !== null && call.path.includes("/sql/statements");
    return { code, message, hint, retryAfterMs: call?.retryAfterMs ?? null, isOutcomeUnknown };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { code: null, message, hint: null, retryAfterMs: null, isOutcomeUnknown: false };
}

/** @param failures in a row, this one included. @param random from 0 to 1. */
export function afterFailure(
  { code, retryAfterMs, isOutcomeUnknown }: ExportFailure,
  failures: number,
  random: number,
): AfterFailure {
  if (code === "EXPORT_RUNNING") return { state: "busy", waitMs: BUSY_WAIT_MS };
  if (code === "HISTORY_MISSING") return { state: "waiting", waitMs: BUSY_WAIT_MS };
  if (code !== null && PARKED.has(code)) return { state: "parked", waitMs: PROBE_INTERVAL_MS };
  const backoffMs = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** Math.min(failures, 16));
  const askedMs = Math.min(retryAfterMs ?? 0, RETRY_AFTER_MAX_MS);
  const unknownMs = isOutcomeUnknown ? UNKNOWN_OUTCOME_WAIT_MS : 0;
  return {
    state: "failing",
    waitMs: Math.max(BACKOFF_MIN_MS, random * backoffMs, askedMs, unknownMs),
  };
}
