/**
 * Errors with the same cause. A group knows since when it is there, how often, in
 * which versions of the model, and whether somebody said that it is resolved.
 */
import type { ErrorClass } from "../signals/error-class.ts";
import type { ErrorSeverity } from "./error-severity.ts";

/**
 * `new` for its first hour, then `ongoing`. After `resolve` it is `resolved`, and
 * `regressed` when it is seen again.
 */
export type GroupState = "new" | "ongoing" | "resolved" | "regressed";

export type GroupVersion = {
  readonly version: string;
  readonly count: number;
  /** Unix milliseconds. */
  readonly firstSeenMs: number;
  readonly lastSeenMs: number;
};

export type ErrorGroup = {
  /** 16 hex digits, the same for the same cause in every process. */
  readonly id: string;
  readonly type: string;
  readonly agentName: string | null;
  readonly statusCode: number | null;
  readonly errorClass: ErrorClass;
  /** The worst so far. */
  readonly severity: ErrorSeverity;
  readonly state: GroupState;
  /** Since it was first seen, as long as the group is kept. */
  readonly count: number;
  /** Unix milliseconds. */
  readonly firstSeenMs: number;
  readonly lastSeenMs: number;
  /** The message of its first error. */
  readonly message: string;
  /** The name of what was thrown first. */
  readonly errorName: string | null;
  /** Of its first error. */
  readonly stack: string | null;
  /** Versions of the model in which it was seen, the last seen first, at most 20. */
  readonly versions: readonly GroupVersion[];
};

export const VERSIONS_MAX = 20;
/** How long a group counts as new. */
export const NEW_MS = 3_600_000;
