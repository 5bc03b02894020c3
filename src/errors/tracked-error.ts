/** One error as it is kept and told: without secrets, bounded, with the group of its cause. */
import type { ErrorClass } from "../signals/error-class.ts";
import type { ErrorSeverity } from "./error-severity.ts";
import type { Context } from "./kept-context.ts";
import type { KeptError } from "./kept-error.ts";

export type TrackedError = {
  /** `<id of the tracker>:<sequence>`; the same error has the same id whoever reads it. */
  readonly eventId: string;
  /** Counts the errors of a tracker from 1 on. */
  readonly sequence: number;
  /** Unix milliseconds. */
  readonly timeMs: number;
  readonly type: string;
  readonly errorClass: ErrorClass;
  readonly severity: ErrorSeverity;
  readonly message: string;
  readonly agentName: string | null;
  readonly modelVersion: string | null;
  readonly statusCode: number | null;
  readonly context: Context;
  readonly error: KeptError | null;
  readonly groupId: string;
};
