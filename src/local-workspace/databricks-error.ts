/**
 * Refusals in the shape of Databricks' REST API: a code for programs, a message
 * for people, and the id of the request.
 *
 * Source: databricks-sdk-py 0.156.0, `databricks/sdk/errors`.
 */
import { randomUUID } from "node:crypto";

const statusOf = {
  BAD_REQUEST: 400,
  MALFORMED_REQUEST: 400,
  INVALID_PARAMETER_VALUE: 400,
  UNAUTHENTICATED: 401,
  RESOURCE_DOES_NOT_EXIST: 404,
  NOT_FOUND: 404,
  MAX_REQUEST_SIZE_EXCEEDED: 413,
  INTERNAL_ERROR: 500,
  NOT_IMPLEMENTED: 501,
} as const;

export type DatabricksErrorCode = keyof typeof statusOf;

export function databricksError(
  errorCode: DatabricksErrorCode,
  message: string,
  requestId: string = randomUUID(),
): Response {
  const requestInfo = {
    "@type": "type.googleapis.com/google.rpc.RequestInfo",
    request_id: requestId,
    serving_data: "",
  };
  return Response.json(
    { error_code: errorCode, message, details: [requestInfo] },
    { status: statusOf[errorCode], headers: { "x-databricks-request-id": requestId } },
  );
}
