/**
 * Turns the answer of a Databricks API into JSON or into an error that says what
 * happened. Error bodies are read leniently: gateways and proxies answer too, in
 * HTML or nothing at all.
 */
import type { ErrorCode } from "../monitor-error.ts";
import { DatabricksError, type FailedCall, foreignText } from "./databricks-error.ts";
import { parseExactJson } from "./exact-json.ts";
import { type JsonRecord, recordOf } from "./json-fields.ts";
import { type Secret, withoutSecrets } from "./secret.ts";
import { type HttpAnswer, type HttpRequest, retryAfterMs } from "./transport.ts";

export type CallContext = {
  readonly host: string;
  /** Where the credentials come from, such as `profile prod`. */
  readonly source: string;
  readonly secrets: () => readonly Secret[];
  /** What to grant, as a sentence, should the answer be 403. */
  readonly permission?: string | undefined;
  readonly inOtherWords?: ((error: DatabricksError) => DatabricksError) | undefined;
};

type Call = { readonly request: HttpRequest; readonly context: CallContext };

export type JsonAnswer = {
  readonly json: unknown;
  readonly headers: Headers;
  /** An error for JSON that is not what the API promises; `what` reads after "but it". */
  unusable(what: string): DatabricksError;
  /** An error for an answer that says itself that what was asked has failed. */
  failed(failure: SaidFailure): DatabricksError;
};

export type SaidFailure = {
  /** What has failed, as it reads after "but". */
  readonly what: string;
  /** Databricks' own code and words, as they came. */
  readonly errorCode: string | null;
  readonly message: string | null;
  readonly code: ErrorCode;
  readonly hint: string;
  readonly details?: readonly unknown[];
};

/**
 * Whole numbers beyond 2^53 come as `bigint`.
 *
 * @throws DatabricksError `DATABRICKS_FAILED` when the text is not JSON.
 */
export function parseJson(answer: HttpAnswer, call: Call): JsonAnswer {
  const unusable = (what: string) => unusableError(what, { answer, call });
  const failed = (failure: SaidFailure) => saidError(failure, { answer, call });
  try {
    return { json: parseExactJson(answer.text), headers: answer.headers, unusable, failed };
  } catch {
    // The parser's own error quotes the body, so it goes no further.
    throw unusable(`is ${describe(answer)}, not JSON`);
  }
}

/** What is wrong with an answer whose body was not read as JSON; `what` reads after "but it". */
export function unusableAnswer(
  what: string,
  answer: Omit<HttpAnswer, "text" | "attempts">,
  call: Call,
): DatabricksError {
  return unusableError(what, { answer: { ...answer, text: "", attempts: 1 }, call });
}

export function statusError(answer: HttpAnswer, call: Call): DatabricksError {
  const error = databricksError(answer, call);
  return call.context.inOtherWords?.(error) ?? error;
}

function databricksError(answer: HttpAnswer, call: Call): DatabricksError {
  const { request, context } = call;
  const failed = failedCall(answer, call);
  const said = saidMessage(answer);
  const message =
    `${tried(call)} answered ${answer.status}` +
    (failed.errorCode ? ` ${failed.errorCode}` : "") +
    (said === null ? ` with ${describe(answer)}` : `: ${foreignText(said, context.secrets())}`) +
    (failed.requestId ? ` (request ${failed.requestId})` : "");

  switch (answer.status) {
    case 401:
      return new DatabricksError("DATABRICKS_UNAUTHENTICATED", message, {
        hint: `Check that the credentials from ${context.source} belong to this workspace and have not expired.`,
        call: failed,
      });
    case 403:
      return new DatabricksError("DATABRICKS_FORBIDDEN", message, {
        hint:
          context.permission ??
          `Give the identity behind the credentials from ${context.source} the permission that the answer names.`,
        call: failed,
      });
    default:
      return new DatabricksError("DATABRICKS_FAILED", message, {
        hint: hintFor(answer, request),
        call: failed,
      });
  }
}

function hintFor(answer: HttpAnswer, request: HttpRequest): string {
  if (answer.status === 404) return "Check the name, and that it exists in this workspace.";
  if (answer.status === 409) {
    return "It is there already, or is being changed at the moment: look at it before you try again.";
  }
  if (answer.status === 501) return "This workspace does not have this API.";
  if (answer.status === 429) return "The workspace limits its callers: ask less often, or later.";
  if (answer.status >= 500 && request.isIdempotent) {
    return "Try again later; if it stays, report the request id to Databricks.";
  }
  if (answer.status >= 500) {
    return "It may have been done all the same: look before you try again.";
  }
  return "Databricks refused the request as it is; the message above says why.";
}

function unusableError(
  what: string,
  { answer, call }: { readonly answer: HttpAnswer; readonly call: Call },
): DatabricksError {
  const error = new DatabricksError(
    "DATABRICKS_FAILED",
    `${tried(call)} answered ${answer.status}, but it ${what}`,
    {
      hint: "Check that the host is a Databricks workspace, without a sign-in page or gateway in front of it.",
      call: failedCall(answer, call),
    },
  );
  return call.context.inOtherWords?.(error) ?? error;
}

function saidError(
  { what, errorCode, message, code, hint, details }: SaidFailure,
  { answer, call }: { readonly answer: HttpAnswer; readonly call: Call },
): DatabricksError {
  const secrets = call.context.secrets();
  const said = [errorCode, message].filter((text) => text !== null).join(": ");
  return new DatabricksError(
    code,
    `${tried(call)} answered ${answer.status}, but ${what}${said && ` ${foreignText(said, secrets)}`}`,
    {
      hint,
      call: {
        ...failedCall(answer, call),
        errorCode: errorCode === null ? null : foreignText(errorCode, secrets),
        details: details ?? [],
      },
    },
  );
}

function tried({ request, context }: Call): string {
  return `cannot ${request.purpose}: ${request.method} ${request.path} on ${context.host}`;
}

/** `HTML of 312 bytes`: enough to see what it is, without showing it. */
function describe(answer: HttpAnswer): string {
  if (answer.text === "") return "an empty body";
  const isHtml = /^\s*<(!doctype html|html)/i.test(answer.text.slice(0, 200));
  return `${isHtml ? "HTML" : "text"} of ${answer.text.length} characters`;
}

function failedCall(answer: HttpAnswer, { request, context }: Call): FailedCall {
  const secrets = context.secrets();
  // Masked as a whole and read again, so that no secret stays in any detail.
  const body = parsedRecord(withoutSecrets(answer.text, secrets));
  const details = Array.isArray(body?.details) ? body.details : [];
  const errorCode = body?.error_code;
  return {
    method: request.method,
    path: request.path,
    host: context.host,
    status: answer.status,
    errorCode: typeof errorCode === "string" ? foreignText(errorCode, secrets) : null,
    details,
    requestId: requestIdOf(answer, { details, secrets }),
    retryAfterMs: retryAfterMs(answer.headers),
    networkCode: null,
  };
}

/** Databricks names the request in a header, in a detail of the error, or in both. */
function requestIdOf(
  answer: HttpAnswer,
  { details, secrets }: { readonly details: unknown[]; readonly secrets: readonly Secret[] },
): string | null {
  const inDetails = details
    .map((detail) => recordOf(detail)?.request_id)
    .find((id) => typeof id === "string" && id !== "");
  const id = inDetails ?? answer.headers.get("x-request-id");
  return typeof id === "string" ? foreignText(id, secrets) : null;
}

/** What the body says went wrong; older APIs say `error`. */
function saidMessage(answer: HttpAnswer): string | null {
  const body = parsedRecord(answer.text);
  const said = body?.message ?? body?.error_description ?? body?.error;
  return typeof said === "string" && said !== "" ? said : null;
}

function parsedRecord(text: string): JsonRecord | null {
  try {
    return recordOf(JSON.parse(text));
  } catch {
    return null;
  }
}
