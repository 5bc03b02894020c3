/** What is to be served, from what is served now; and what a deployment remembers of the one before. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { readAgentConfig } from "../../config/agent-config.ts";
import type {
  ServedEntity,
  ServingConfigInput,
  ServingEndpoint,
} from "../../databricks/serving-endpoints.ts";
import { type DeploymentRecord, readRecord, writeRecord } from "./deployment-record.ts";
import { configAsServed, desiredConfig, isSameConfig, rolledBackConfig } from "./desired-config.ts";

const configOf = (deployment = "") =>
  readAgentConfig(
    `agent:
  name: support
  model: { code: agent.py }
  deployment: { catalog: ml, schema: agents, model_name: support, serving_endpoint: support${deployment} }`,
    { file: "agent.yaml" },
  );
const model = (version: string) => ({ name: "ml.agents.support", version });

/** As Databricks tells a configuration that it was given. */
function served(config: ServingConfigInput): Pick<ServingEndpoint, "servedEntities" | "routes"> {
  return {
    servedEntities: config.served_entities.map(
      (input): ServedEntity => ({
        name: input.name ?? "",
        entityName: input.entity_name ?? null,
        entityVersion: input.entity_version ?? null,
        scaleToZero: input.scale_to_zero_enabled ?? null,
        workloadSize: input.workload_size ?? null,
        workloadType: input.workload_type ?? null,
        minProvisionedConcurrency: 0,
        maxProvisionedConcurrency: 4,
        environmentVars: new Map(Object.entries(input.environment_vars ?? {})),
        deployment: "DEPLOYMENT_READY",
        message: null,
      }),
    ),
    routes: (config.traffic_config?.routes ?? []).map((route) => ({
      servedEntityName: route.served_entity_name,
      trafficPercentage: route.traffic_percentage,
    })),
  };
}

const endpointWith = (config: ServingConfigInput | null): ServingEndpoint | null =>
  // Of an endpoint, only what is served counts here.
  config && ({ ...served(config) } as ServingEndpoint);

/** Deploys the versions one after the other. */
function after(...versions: readonly string[]): ServingConfigInput {
  let current: ServingConfigInput | null = null;
  for (const version of versions) {
    current = desiredConfig(configOf(), model(version), endpointWith(current));
  }
  assert.ok(current);
  return current;
}

const previousOf = (config: ServingConfigInput) => {
  const [entity] = served(config).servedEntities;
  return entity && readRecord(entity)?.previous.map(({ version }) => version);
};

for (const [versions, previous] of [
  [["1"], []],
  [["1", "1"], []],
  [["1", "2"], ["1"]],
  [["1", "2", "2"], ["1"]],
  [
    ["1", "2", "3"],
    ["2", "1"],
  ],
  [["1", "2", "1"], ["2"]],
] as const) {
  test(`after ${versions.join(", ")} one can go back to ${previous.join(", ") || "nothing"}`, () => {
    assert.deepEqual(previousOf(after(...versions)), previous);
  });
}

test("what was deployed is the same as what is to be deployed, until something differs", () => {
  const config = after("1", "2");
  const { servedEntities, routes } = served(config);
  assert.ok(isSameConfig(config, servedEntities, routes));
  const again = (deployment = "") =>
    desiredConfig(configOf(deployment), model("2"), endpointWith(config));
  assert.ok(isSameConfig(again(), servedEntities, routes));
  for (const change of [
    ", scale_to_zero: false",
    ", compute_size: Large",
    ", compute_type: GPU_SMALL",
    ", environment_vars: { A: b }",
  ]) {
    assert.ok(!isSameConfig(again(change), servedEntities, routes), change);
  }
});

test("variables that are not told are no reason to wait, and none to leave a change out", () => {
  const config = after("1");
  const { servedEntities, routes } = served(config);
  const untold = servedEntities.map((entity) => ({ ...entity, environmentVars: new Map() }));
  assert.ok(!isSameConfig(config, untold, routes));
  assert.ok(isSameConfig(config, untold, routes, { untoldVariables: "same" }));
});

test("a rollback keeps all but the version, and what is served is put back as it was", () => {
  const config = after("1", "2", "3");
  const [entity] = served(config).servedEntities;
  const record = entity && readRecord(entity);
  assert.ok(entity && record);
  const back = rolledBackConfig(entity, record, model("1"));
  const [input] = back.served_entities;
  assert.deepEqual(
    [input?.entity_version, input?.environment_vars?.DSPY_MODEL_VERSION, previousOf(back)],
    ["1", "1", []],
  );
  const current = served(config);
  assert.ok(isSameConfig(configAsServed(current), current.servedEntities, current.routes));
});

test("what is remembered is read as it was written", () => {
  const ref = fc.record({
    name: fc.stringMatching(/^\w+\.\w+\.[\w-]+$/),
    version: fc.stringMatching(/^\d+$/),
  });
  const record: fc.Arbitrary<DeploymentRecord> = fc.record({
    agent: fc.string(),
    agentVersion: fc.string(),
    environment: fc.option(fc.string()),
    previous: fc.array(ref, { maxLength: 10 }),
    rolledBackFrom: fc.option(ref),
  });
  const read = (text: string) => {
    const [entity] = served(after("1")).servedEntities;
    assert.ok(entity);
    return readRecord({ ...entity, environmentVars: new Map([["DSPY_DEPLOYMENT", text]]) });
  };
  void fc.assert(
    fc.property(record, (one) => assert.deepEqual(read(writeRecord(one)), structuredClone(one))),
  );
  void fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => void read(text)));
});
