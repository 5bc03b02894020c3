/**
 * What is kept of a thrown value: name, message and code of the error and of those
 * that caused it, without secrets. Its other fields may be a whole request with
 * its headers, and its stack is read only for the first error of a group, because
 * reading it costs twenty times as much as all the rest.
 */
import { hashTemplate, hashText, type Lanes } from "../signals/fingerprint.ts";
import type { Scrubber } from "../signals/scrub.ts";
import { asText, field } from "./read-safely.ts";

export type KeptCause = {
  readonly name: string;
  readonly message: string;
  /** Such as `ECONNREFUSED`. */
  readonly code: string | null;
};

export type KeptError = KeptCause & {
  /** What caused it, the next cause first; the errors of an `AggregateError` after them. */
  readonly causes: readonly KeptCause[];
};

/** Causes of one error. */
const CAUSES_MAX = 5;
const NAME_MAX_CHARS = 100;
const MESSAGE_MAX_CHARS = 1_000;
const STACK_MAX_CHARS = 8_000;
const NO_CAUSES: KeptError["causes"] = Object.freeze([]);

export function keptError(error: unknown, scrubber: Scrubber): KeptError | null {
  if (error === undefined || error === null) return null;
  const { name, message, code } = describe(error, scrubber);
  const causes = typeof error === "object" ? causesOf(error, scrubber) : NO_CAUSES;
  return { name, message, code, causes };
}

function causesOf(error: object, scrubber: Scrubber): KeptError["causes"] {
  let cause = field(error, "cause");
  let errors = field(error, "errors");
  if ((cause === undefined || cause === null) && errors === undefined) return NO_CAUSES;

  const causes: KeptCause[] = [];
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

function describe(error: unknown, scrubber: Scrubber): KeptCause {
  if (typeof error !== "object" || error === null) {
    return { name: typeof error, message: keptMessage(error, scrubber), code: null };
  }
  const name = field(error, "name");
  const message = field(error, "message");
  const code = field(error, "code");
  return {
    name: typeof name === "string" && name !== "" ? keptName(name, scrubber) : "object",
    message: typeof message === "string" ? keptMessage(message, scrubber) : "",
    code:
      typeof code === "string" || typeof code === "number" ? keptName(`${code}`, scrubber) : null,
  };
}

export const keptMessage = (message: unknown, scrubber: Scrubber): string =>
  scrubber.start(asText(message), MESSAGE_MAX_CHARS);

const keptName = (name: string, scrubber: Scrubber) => scrubber.start(name, NAME_MAX_CHARS);

/** Memory of an error or one of its causes besides its characters. */
const ERROR_BYTES = 150;

/** An upper estimate. */
export function sizeOfError(error: KeptError): number {
  return error.causes.reduce((sum, cause) => sum + sizeOfOne(cause), sizeOfOne(error));
}

const sizeOfOne = ({ name, message, code }: KeptCause) =>
  ERROR_BYTES + 2 * (name.length + message.length + (code?.length ?? 0));

/** What was thrown is a part of the cause: `fetch failed` has many. */
export function hashError(lanes: Lanes, error: KeptError): void {
  hashOne(lanes, error);
  for (const cause of error.causes) hashOne(lanes, cause);
}

function hashOne(lanes: Lanes, { name, message, code }: KeptCause): void {
  hashText(lanes, name);
  hashText(lanes, code ?? "");
  hashTemplate(lanes, message);
}

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
  return typeof stack === "string" ? scrubber.start(stack, STACK_MAX_CHARS) : null;
}
