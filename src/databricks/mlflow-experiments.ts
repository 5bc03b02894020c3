/**
 * MLflow's experiments, of Databricks or of a server of one's own.
 *
 * Source: databricks-sdk-py 0.156.0, `ExperimentsAPI`, and MLflow 3.17.2.
 */
import { apiPath } from "./api-path.ts";
import type { CallLimits, DatabricksClient } from "./client.ts";
import { DatabricksError } from "./databricks-error.ts";
import { recordOf, textOf } from "./json-fields.ts";
import type { JsonAnswer } from "./read-answer.ts";

export type Experiment = { readonly id: string; readonly name: string };

/** Returns the id. In Databricks the name is a path, such as `/Shared/agents`. */
export async function createMlflowExperiment(
  client: DatabricksClient,
  experiment: {
    readonly name: string;
    readonly artifact_location?: string;
    readonly tags?: readonly { readonly key: string; readonly value: string }[];
  },
  limits: CallLimits = {},
): Promise<string> {
  const answer = await client.postJson(apiPath`/api/2.0/mlflow/experiments/create`, experiment, {
    ...limits,
    purpose: `create the MLflow experiment "${experiment.name}"`,
    permission: `Give the identity CAN MANAGE on the folder of "${experiment.name}".`,
  });
  const id = textOf(recordOf(answer.json)?.experiment_id);
  if (id === null) throw answer.unusable("names no experiment");
  return id;
}

/** `null` where there is none. */
export function getMlflowExperiment(
  client: DatabricksClient,
  id: string,
  limits: CallLimits = {},
): Promise<Experiment | null> {
  return answered(id, () =>
    client.getJson(apiPath`/api/2.0/mlflow/experiments/get`, {
      ...limits,
      ...finding(id),
      query: { experiment_id: id },
    }),
  );
}

/** `null` where there is none. */
export function getMlflowExperimentByName(
  client: DatabricksClient,
  name: string,
  limits: CallLimits = {},
): Promise<Experiment | null> {
  return answered(name, () =>
    client.getJson(apiPath`/api/2.0/mlflow/experiments/get-by-name`, {
      ...limits,
      ...finding(name),
      query: { experiment_name: name },
    }),
  );
}

/** Moves it to the trash. */
export async function deleteMlflowExperiment(
  client: DatabricksClient,
  id: string,
  limits: CallLimits = {},
): Promise<void> {
  await client.postJson(
    apiPath`/api/2.0/mlflow/experiments/delete`,
    { experiment_id: id },
    {
      ...limits,
      purpose: `delete the MLflow experiment ${id}`,
      permission: `Give the identity CAN MANAGE on the MLflow experiment ${id}.`,
    },
  );
}

export function readPermission(experiment: string): string {
  return `Give the identity CAN READ on the MLflow experiment "${experiment}".`;
}

function finding(nameOrId: string) {
  return {
    purpose: `find the MLflow experiment "${nameOrId}"`,
    permission: readPermission(nameOrId),
  };
}

async function answered(
  nameOrId: string,
  ask: () => Promise<JsonAnswer>,
): Promise<Experiment | null> {
  const answer = await ask().catch(notFoundIsNull);
  if (!answer) return null;
  const found = recordOf(recordOf(answer.json)?.experiment);
  const id = textOf(found?.experiment_id);
  if (id === null) throw answer.unusable("is no experiment");
  return { id, name: textOf(found?.name) ?? nameOrId };
}

function notFoundIsNull(error: unknown): null {
  // A server that knows no such route answers 404 too, but has no such code.
  const call = error instanceof DatabricksError ? error.call : null;
  if (call?.status === 404 && call.errorCode === "RESOURCE_DOES_NOT_EXIST") return null;
  throw error;
}
