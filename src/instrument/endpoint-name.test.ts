/** The label that an address gives. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { endpointNameOf } from "./endpoint-name.ts";

const WORKSPACE = "https://dbc-1.cloud.databricks.com";

for (const [address, expected, body] of [
  [`${WORKSPACE}/serving-endpoints/prod-qa/invocations`, "prod-qa"],
  [`${WORKSPACE}/serving-endpoints/prod-qa/invocations?token=dapi123`, "prod-qa"],
  [`${WORKSPACE}/serving-endpoints/prod-qa/served-models/qa-3/invocations`, "prod-qa"],
  ["https://1.serving.azuredatabricks.net/2/serving-endpoints/qa/invocations", "qa"],
  [`${WORKSPACE}/serving-endpoints/a%20b/invocations`, "a b"],
  [`${WORKSPACE}/serving-endpoints/a%ZZ/invocations`, "a%ZZ"],
  [`${WORKSPACE}/serving-endpoints/chat/completions`, "qa", '{"model":"qa","messages":[]}'],
  [`${WORKSPACE}/serving-endpoints/responses`, "qa", '{"model":"qa","input":[]}'],
  [`${WORKSPACE}/ai-gateway/mlflow/v1/chat/completions`, "qa", '{"model":"qa"}'],
  [`${WORKSPACE}/serving-endpoints/chat/completions`, "dbc-1.cloud.databricks.com", "{"],
  [`${WORKSPACE}/serving-endpoints/chat/completions`, "dbc-1.cloud.databricks.com"],
  ["https://agent-bricks-qa-1234567890.aws.databricksapps.com/responses?x=1", "agent-bricks-qa"],
  ["https://qa-123.4.azure.databricksapps.com/api/invocations", "qa"],
  ["http://user:dapi-secret@127.0.0.1:8000/invocations#x", "127.0.0.1:8000"],
  [`http://127.0.0.1/serving-endpoints/${"n".repeat(300)}/invocations`, "n".repeat(128)],
  ["data:text/plain,hello", undefined],
  ["blob:nodedata:1", undefined],
] as const) {
  test(`${address.slice(0, 100)} is ${expected}`, () =>
    assert.equal(endpointNameOf(new URL(address), body), expected));
}
