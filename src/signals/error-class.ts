/**
 * What kind of failure an error is. Callers group, alert and price by it, so it
 * says who has to act: the caller, the agent's code, the model's provider.
 *
 * `throttled`, `client` and `server` come only from the HTTP status of the
 * endpoint itself. Whatever fails on the model's side, its own 429 or 401
 * included, is `lm_provider`.
 */
export type ErrorClass =
  | "throttled"
  | "client"
  | "server"
  | "timeout"
  | "lm_provider"
  | "lm_context"
  | "adapter_parse"
  | "tool"
  | "retriever"
  | "max_iterations"
  | "unknown";
