/**
 * What kind of failure an error is. Callers group, alert and price by it, so it
 * says who has to act: the caller, the agent's code, the model's provider.
 *
 * `throttled`, `client` and `server` come from the HTTP status of the endpoint
 * itself; `client` is also a call whose caller gave up before it ended. Whatever
 * fails on the model's side, its own 429 or 401 included, is `lm_provider`.
 */
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
} as const;

export type ErrorClass = (typeof ErrorClass)[keyof typeof ErrorClass];

export const errorClasses: readonly ErrorClass[] = Object.values(ErrorClass);

/** What the endpoint's own status says, or `null` where it refused nothing. */
export function classOfStatus(statusCode: number): ErrorClass | null {
  if (statusCode === 429) return "throttled";
  if (statusCode >= 500) return "server";
  return statusCode >= 400 ? "client" : null;
}
