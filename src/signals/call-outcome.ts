/**
 * How calls end that failed because of the agent or the way to it although no HTTP
 * status says so: values of the label `outcome`.
 */
export const failedOutcomes = [
  "timeout",
  "connection_failed",
  "connection_lost",
  "stream_error",
  "empty_stream",
  "handler_error",
] as const;
