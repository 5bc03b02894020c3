/**
 * Which class an error is where the caller doesn't say: by the words of its type;
 * else by the HTTP status of the endpoint, else by the name of what was thrown.
 */
import { classOfStatus, type ErrorClass } from "../signals/error-class.ts";

/** Where the type says nothing. */
export function errorClassOf({
  statusCode,
  errorName,
}: {
  readonly statusCode: number | null;
  readonly errorName: string | null;
}): ErrorClass {
  // The gateway gave up waiting for the agent.
  if (statusCode === 504) return "timeout";
  const told = statusCode === null ? null : classOfStatus(statusCode);
  if (told !== null) return told;
  return errorName !== null && /timeout/i.test(errorName) ? "timeout" : "unknown";
}

const byWord = new Map<string, ErrorClass>([
  ["timeout", "timeout"],
  ["deadline_exceeded", "timeout"],
  ["throttled", "throttled"],
  ["rate_limit", "throttled"],
  ["model", "lm_provider"],
  ["lm", "lm_provider"],
  ["llm", "lm_provider"],
  ["lm_provider", "lm_provider"],
  ["context_length", "lm_context"],
  ["context_window", "lm_context"],
  ["lm_context", "lm_context"],
  ["parse", "adapter_parse"],
  ["adapter", "adapter_parse"],
  ["adapter_parse", "adapter_parse"],
  ["tool", "tool"],
  ["retriever", "retriever"],
  ["retrieval", "retriever"],
  ["vector_store", "retriever"],
  ["max_iterations", "max_iterations"],
]);

/** `model.timeout` is a failure of the model's side: the first word that says something counts. */
export function classOfType(type: string): ErrorClass | null {
  for (const word of type.toLowerCase().split(".")) {
    const known = byWord.get(word);
    if (known) return known;
  }
  return null;
}
