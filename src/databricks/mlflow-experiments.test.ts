/** MLflow's experiments: one that is made, and one that may not be there. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  createMlflowExperiment,
  getMlflowExperiment,
  getMlflowExperimentByName,
} from "./mlflow-experiments.ts";
import { type ApiCase, checkApiCase, clientThatGets } from "./test-answering-client.ts";

const path = "/api/2.0/mlflow/experiments";
const name = "/Shared/agents";
const answer = { experiment: { experiment_id: "7", name } };

for (const [what, ...apiCase] of [
  [
    "made",
    (c) => createMlflowExperiment(c, { name }),
    { experiment_id: "7" },
    `POST ${path}/create {"name":"/Shared/agents"}`,
    "7",
  ],
  [
    "found by id",
    (c) => getMlflowExperiment(c, "7"),
    answer,
    `GET ${path}/get?experiment_id=7`,
    { id: "7", name },
  ],
  [
    "found by name",
    (c) => getMlflowExperimentByName(c, name),
    answer,
    `GET ${path}/get-by-name?experiment_name=%2FShared%2Fagents`,
    { id: "7", name },
  ],
] as readonly (readonly [string, ...ApiCase])[]) {
  test(`an experiment is ${what}`, () => checkApiCase(apiCase));
}

test("one that is not there is no error; an API that is not there is one", async () => {
  const missing = { error_code: "RESOURCE_DOES_NOT_EXIST" };
  assert.equal(
    await getMlflowExperimentByName(clientThatGets(missing, { status: 404 }).client, name),
    null,
  );
  await assert.rejects(getMlflowExperimentByName(clientThatGets({}, { status: 404 }).client, name));
});
