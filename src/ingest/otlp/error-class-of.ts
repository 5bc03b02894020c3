/**
 * The class of a failed call: what the agent told, else from what kind of call it
 * is and the name of its exception. Only a message tells a time-out from a refused
 * connection where the exception is the same (`LMTransportError` on DSPy's native
 * engine).
 */
import type { ErrorClass } from "../../signals/error-class.ts";
import type { AgentSpan } from "../../signals/span.ts";
import { remembering } from "./remembering.ts";

/**
 * What ended from outside, whatever kind of call it was: its caller gave up waiting or went
 * away, or the process was told to end. No model, tool or retriever failed.
 */
export const errorClassesOfEnds: readonly (readonly [RegExp, ErrorClass])[] = [
  // The last one is of a stream that a program in a thread goes on filling, before DSPy 3.4.
  [/^(?:CancelledError|GeneratorExit|RunFinishedError)$/, "client"],
  [/^(?:KeyboardInterrupt|SystemExit)$/, "unknown"],
];

/** The first that fits the name of the exception counts. */
export const errorClassesByType: readonly (readonly [RegExp, ErrorClass])[] = [
  [/^(?:LM)?(?:API)?Timeout(?:Error)?$/, "timeout"],
  [/^ContextWindowExceeded(?:Error)?$/, "lm_context"],
  [/^AdapterParseError$/, "adapter_parse"],
  [
    /^(?:LM\w+Error|RateLimitError|InternalServerError|ServiceUnavailableError|AuthenticationError|PermissionDeniedError|BadRequestError|NotFoundError|APIError|APIConnectionError|APIStatusError|APIResponseValidationError|BadGatewayError|MidStreamFallbackError|ContentPolicyViolationError|BudgetExceededError)$/,
    "lm_provider",
  ],
];

const classOfType = remembering(
  (type): ErrorClass | null =>
    errorClassesByType.find(([pattern]) => pattern.test(type))?.[1] ?? null,
);

const classOfEnd = remembering(
  (type): ErrorClass | null =>
    errorClassesOfEnds.find(([pattern]) => pattern.test(type))?.[1] ?? null,
);

export const TIMED_OUT = /\btimed?[ -]?out\b/i;

export function errorClassOf({
  kind,
  errorClass,
  errorType,
  errorMessage,
}: Pick<AgentSpan, "kind" | "errorClass" | "errorType" | "errorMessage">): ErrorClass {
  if (errorClass) return errorClass;
  const ended = classOfEnd(errorType ?? "");
  if (ended) return ended;
  if (kind === "tool" || kind === "retriever") return kind;
  const told = classOfType(errorType ?? "");
  if (told === "lm_provider" && TIMED_OUT.test(errorMessage ?? "")) return "timeout";
  return told ?? (kind === "lm" ? "lm_provider" : "unknown");
}
