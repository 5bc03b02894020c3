/** What a deployment makes of what Databricks answers. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DatabricksError } from "../databricks/databricks-error.ts";
import { unlessThere } from "./databricks-says.ts";

function refusal(errorCode: string, status: number): DatabricksError {
  const call = {
    method: "POST",
    path: "/api/2.1/unity-catalog/schemas",
    host: "h",
    status,
    errorCode,
    details: [],
    requestId: null,
    retryAfterMs: null,
    networkCode: null,
  };
  return new DatabricksError("DATABRICKS_FAILED", "refused", { hint: "none", call });
}

const presents = [
  ["SCHEMA_ALREADY_EXISTS", 400],
  ["VOLUME_ALREADY_EXISTS", 409],
  ["RESOURCE_ALREADY_EXISTS", 400],
  ["ALREADY_EXISTS", 409],
] as const;

for (const [errorCode, status] of presents) {
  test(`two agents deployed at once into what is new to both: ${errorCode} is no failure`, () =>
    unlessThere(Promise.reject(refusal(errorCode, status))));
}

test("any other refusal is a failure", () =>
  assert.rejects(unlessThere(Promise.reject(refusal("INVALID_PARAMETER_VALUE", 400)))));
