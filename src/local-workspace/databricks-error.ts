/**
 * Refusals in the shape of Databricks' REST API: a code for programs, a message
 * for people, and the id of the request. A handler throws a `Refusal`, and the
 * workspace answers it.
 *
 * Source: databricks-sdk-py 0.156.0, `databricks/sdk/errors`.
 */
import { randomUUID } from "node:crypto";

const statusOf = {
  BAD_REQUEST: 400,
  MALFORMED_REQUEST: 400,
  INVALID_PARAMETER_VALUE: 400,
  INVALID_STATE: 400,
  MAX_NOTEBOOK_SIZE_EXCEEDED: 400,
  DIRECTORY_NOT_EMPTY: 400,
  UNAUTHENTICATED: 401,
  PERMISSION_DENIED: 403,
  RESOURCE_DOES_NOT_EXIST: 404,
  NOT_FOUND: 404,
  ENDPOINT_NOT_FOUND: 404,
  CATALOG_DOES_NOT_EXIST: 404,
  SCHEMA_DOES_NOT_EXIST: 404,
  TABLE_DOES_NOT_EXIST: 404,
  VOLUME_DOES_NOT_EXIST: 404,
  CATALOG_ALREADY_EXISTS: 400,
  SCHEMA_ALREADY_EXISTS: 400,
  VOLUME_ALREADY_EXISTS: 400,
  RESOURCE_ALREADY_EXISTS: 409,
  ALREADY_EXISTS: 409,
  RESOURCE_CONFLICT: 409,
  ABORTED: 409,
  MAX_REQUEST_SIZE_EXCEEDED: 413,
  REQUEST_LIMIT_EXCEEDED: 429,
  RESOURCE_EXHAUSTED: 429,
  INTERNAL_ERROR: 500,
  NOT_IMPLEMENTED: 501,
  TEMPORARILY_UNAVAILABLE: 503,
  DEADLINE_EXCEEDED: 504,
} as const;

export type DatabricksErrorCode = keyof typeof statusOf;

export class Refusal extends Error {
  readonly errorCode: DatabricksErrorCode;
  /** Where Databricks answers with another status than the code's usual one. */
  readonly status: number;

  constructor(errorCode: DatabricksErrorCode, message: string, { status }: StatusOption = {}) {
    super(message);
    this.errorCode = errorCode;
    this.status = status ?? statusOf[errorCode];
  }
}

type StatusOption = { readonly status?: number };

export function databricksError(
  errorCode: DatabricksErrorCode,
  message: string,
  requestId?: string,
): Response {
  return errorResponse({ status: statusOf[errorCode], errorCode, message, requestId });
}

export type ErrorAnswer = {
  readonly status: number;
  readonly errorCode: string;
  readonly message: string;
  readonly requestId?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
};

export function errorResponse(answer: ErrorAnswer): Response {
  const { status, errorCode, message, requestId = randomUUID(), headers = {} } = answer;
  const requestInfo = {
    "@type": "type.googleapis.com/google.rpc.RequestInfo",
    request_id: requestId,
    serving_data: "",
  };
  return Response.json(
    { error_code: errorCode, message, details: [requestInfo] },
    { status, headers: { ...headers, "x-databricks-request-id": requestId } },
  );
}
