/** How bad an error is, and what kind it is: the words of the API, as constants and as types. */
import type { ErrorClass as ErrorClassName } from "../signals/error-class.ts";

export const ErrorSeverity = {
  INFO: "info",
  WARNING: "warning",
  ERROR: "error",
  CRITICAL: "critical",
} as const;

export type ErrorSeverity = (typeof ErrorSeverity)[keyof typeof ErrorSeverity];

/** From the mildest on. */
export const severities: readonly ErrorSeverity[] = Object.values(ErrorSeverity);

export const ErrorClass = {
  THROTTLED: "throttled",
  CLIENT: "client",
  SERVER: "server",
  TIMEOUT: "timeout",
  LM_PROVIDER: "lm_provider",
  LM_CONTEXT: "lm_context",
  ADAPTER_PARSE: "adapter_parse",
  TOOL: "tool",
  RETRIEVER: "retriever",
  MAX_ITERATIONS: "max_iterations",
  UNKNOWN: "unknown",
} as const satisfies Record<string, ErrorClassName>;

export type ErrorClass = ErrorClassName;

export const errorClasses: readonly ErrorClass[] = Object.values(ErrorClass);
