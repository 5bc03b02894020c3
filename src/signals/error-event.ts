/** One failure: what broke, where, and whether the request survived it. */
import type { ErrorClass } from "./error-class.ts";

export type ErrorEvent = {
  /** `<trace id>:<span id>` of the deepest failing call. */
  readonly eventId: string;
  readonly traceId: string;
  readonly timeMs: number;
  readonly endpoint: string;
  readonly modelVersion: string | null;
  /** The exception's class without its module, such as `LMRateLimitError`. */
  readonly type: string;
  readonly errorClass: ErrorClass;
  readonly severity: "warning" | "error";
  /** The request went on in spite of it: a swallowed tool error, a retry, an adapter fallback. */
  readonly handled: boolean;
  /** Scrubbed and cut. Empty where the telemetry sends none. */
  readonly message: string;
  /** The module, tool or retriever in which it happened. */
  readonly path: string;
  readonly program: string;
  /** Errors with the same cause have the same group. */
  readonly group: string;
};
