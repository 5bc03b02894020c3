/**
 * What is kept of a thrown value: name, message and code of the error and of those
 * that caused it, without secrets. Its other fields may be a whole request with
 * its headers, and its stack is read only for the first error of a group, because
 * reading it costs twenty times as much as all the rest.
 */
import type { Scrubber } from "../signals/scrub.ts";
import { SCRUBBED_MAX_CHARS } from "./kept-context.ts";
import { asText, cut, field } from "./read-safely.ts";

export type KeptError = {
  readonly name: string;
  readonly message: string;
  /** Such as `ECONNREFUSED`. */
  readonly code: string | null;
  /** What caused it, the next cause first; the errors of an `AggregateError` after them. */
  readonly causes: readonly Omit<KeptError, "causes">[];
};

/** Causes of one error. */
const CAUSES_MAX = 5;
const NAME_MAX_CHARS = 100;
export const MESSAGE_MAX_CHARS = 1_000;
const STACK_MAX_CHARS = 8_000;
const NO_CAUSES: KeptError["causes"] = Object.freeze([]);

export function keptError(error: unknown, scrubber: Scrubber): KeptError | null {
  if (error === undefined || error === null) return null;
  const own = describe(error, scrubber);
  if (typeof error !== "object") return { ...own, causes: NO_CAUSES };
  const causes = causesOf(error, scrubber);
  return { name: own.name, message: own.message, code: own.code, causes };
}

function causesOf(error: object, scrubber: Scrubber): KeptError["causes"] {
  let cause = field(error, "cause");
  let errors = field(error, "errors");
  if ((cause === undefined || cause === null) && errors === undefined) return NO_CAUSES;

  const causes: Omit<KeptError, "causes">[] = [];
  const seen = new Set<unknown>([error]);
  while (cause !== undefined && cause !== null && causes.length < CAUSES_MAX && !seen.has(cause)) {
    seen.add(cause);
    causes.push(describe(cause, scrubber));
    if (typeof cause !== "object") break;
    errors ??= field(cause, "errors");
    cause = field(cause, "cause");
  }
  for (let index = 0; index < CAUSES_MAX && causes.length < CAUSES_MAX; index++) {
    const one = isList(errors) ? field(errors, String(index)) : undefined;
    if (one !== undefined && one !== null && !seen.has(one)) causes.push(describe(one, scrubber));
  }
  return causes;
}

function isList(value: unknown): value is readonly unknown[] {
  try {
    return Array.isArray(value);
  } catch {
    return false; // a revoked proxy
  }
}

function describe(error: unknown, scrubber: Scrubber): Omit<KeptError, "causes"> {
  if (typeof error !== "object" || error === null) {
    return { name: typeof error, message: cleanText(asText(error), scrubber), code: null };
  }
  const name = field(error, "name");
  const message = field(error, "message");
  const code = field(error, "code");
  return {
    name: typeof name === "string" && name !== "" ? cleanName(name, scrubber) : "object",
    message: typeof message === "string" ? cleanText(message, scrubber) : "",
    code:
      typeof code === "string" || typeof code === "number" ? cleanName(`${code}`, scrubber) : null,
  };
}

/** A text of any origin, without secrets, as long as is kept. */
export function cleanText(text: string, scrubber: Scrubber, maxChars = MESSAGE_MAX_CHARS): string {
  if (text.length <= maxChars) return cut(scrubber.text(text), maxChars);
  return cut(scrubber.text(text.slice(0, Math.max(SCRUBBED_MAX_CHARS, 2 * maxChars))), maxChars);
}

const cleanName = (text: string, scrubber: Scrubber) => cleanText(text, scrubber, NAME_MAX_CHARS);

/** The HTTP status that a client's error carries, where it does. */
export function statusOf(error: unknown): number | null {
  if (typeof error !== "object" || error === null) return null;
  return asStatus(field(error, "status")) ?? asStatus(field(error, "statusCode"));
}

export function asStatus(value: unknown): number | null {
  const isStatus =
    typeof value === "number" && Number.isInteger(value) && value >= 100 && value <= 599;
  return isStatus ? value : null;
}

export function keptStack(error: unknown, scrubber: Scrubber): string | null {
  if (typeof error !== "object" || error === null) return null;
  const stack = field(error, "stack");
  return typeof stack === "string" ? cleanText(stack, scrubber, STACK_MAX_CHARS) : null;
}
