/**
 * One call of an agent as its endpoint logged it, seen from outside: whether it was
 * answered and how fast, but nothing of what went on inside.
 */
import type { ErrorClass } from "./error-class.ts";
import type { Tokens } from "./request.ts";

export type LoggedRequest = {
  /** Databricks' own id of the request, unique within an endpoint. */
  readonly requestId: string;
  /** Where the caller gave one that is a trace id, 32 hex digits. */
  readonly traceId: string | null;
  readonly endpoint: string;
  /** When the call ended, Unix milliseconds. */
  readonly timeMs: number;
  readonly latencyMs: number;
  readonly statusCode: number;
  /** From the status; `null` where it was answered. */
  readonly errorClass: ErrorClass | null;
  readonly tokens: Tokens | null;
  /** Id of the served entity, or name of the destination, that answered. */
  readonly servedEntity: string | null;
  /** The share of the requests that are logged, below 1; missing where all are. */
  readonly share?: number;
};
