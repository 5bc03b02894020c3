/**
 * A call of the Databricks API that failed, with what Databricks said about it.
 * Holds text and numbers only: no request, no response and no error of the HTTP
 * client, since each of these can carry the token into a log.
 */
import { type ErrorCode, MonitorError } from "../monitor-error.ts";
import { type Secret, withoutSecrets } from "./secret.ts";

/** What an error tells about the call, as far as it is known. */
export type FailedCall = {
  readonly method: string;
  readonly path: string;
  readonly host: string;
  /** The HTTP status; `null` when there was no whole answer. */
  readonly status: number | null;
  /** Databricks' own code, such as `RESOURCE_DOES_NOT_EXIST`. An open set. */
  readonly errorCode: string | null;
  readonly details: readonly unknown[];
  readonly requestId: string | null;
  /** How long Databricks asks to wait before the next call. */
  readonly retryAfterMs: number | null;
  /** Why there was no answer, such as `ECONNREFUSED`. */
  readonly networkCode: string | null;
};

export class DatabricksError extends MonitorError {
  readonly call: FailedCall;

  constructor(
    code: ErrorCode,
    message: string,
    { hint, call }: { readonly hint: string; readonly call: FailedCall },
  ) {
    super(code, message, { hint });
    this.name = "DatabricksError";
    this.call = call;
  }
}

/** Whether it says that what was asked for does not exist; not that Databricks has no such API. */
export function isNotThere(error: unknown): error is DatabricksError {
  if (!(error instanceof DatabricksError) || error.call.status !== 404) return false;
  const { errorCode } = error.call;
  return errorCode !== null && errorCode !== "ENDPOINT_NOT_FOUND";
}

/** Whether it says that what was to be made exists: made by somebody else, or by an attempt whose answer was lost. */
export function isAlreadyThere(error: unknown): error is DatabricksError {
  return error instanceof DatabricksError && /ALREADY_EXISTS$/.test(error.call.errorCode ?? "");
}

/** Longest text of Databricks that a message repeats. */
const FOREIGN_TEXT_MAX_CHARS = 500;

/** Text from an answer, fit for a message: one line, no secrets, no terminal codes, bounded. */
export function foreignText(text: string, secrets: readonly Secret[]): string {
  // Masked before it is cut: half a token would not be recognised.
  const line = withoutSecrets(text, secrets)
    .replace(/[\s\p{Cc}\p{Cf}]+/gu, " ")
    .trim();
  return line.length > FOREIGN_TEXT_MAX_CHARS ? `${line.slice(0, FOREIGN_TEXT_MAX_CHARS)}…` : line;
}
