/**
 * What is read from `agent.yaml`, and what people are told about a wrong one: each
 * `golden/NAME.yaml` is read, and `golden/NAME.txt` holds the message and the hint.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import * as fc from "fast-check";
import { MonitorError } from "../monitor-error.ts";
import { type AgentConfig, readAgentConfig } from "./agent-config.ts";
import { agentJsonSchema } from "./agent-json-schema.ts";

const golden = new URL("golden/", import.meta.url);
const read = (text: string, environment?: string) =>
  readAgentConfig(text, { file: "agent.yaml", environment });

function refusal(text: string, environment?: string): string {
  try {
    read(text, environment);
  } catch (error) {
    assert.ok(error instanceof MonitorError, String(error));
    assert.equal(error.code, "CONFIG_INVALID");
    return `${error.message}\n  Hint: ${error.hint}\n`;
  }
  assert.fail("it was read");
}

/** Which environment is asked for; none in the other files. */
const environments: Readonly<Record<string, string>> = {
  "in-an-environment.yaml": "dev",
  "environment-takes-away-what-is-needed.yaml": "prod",
};

for (const file of readdirSync(golden).filter((name) => name.endsWith(".yaml"))) {
  test(`wrong: ${file.replace(".yaml", "")}`, () => {
    const said = refusal(readFileSync(new URL(file, golden), "utf8"), environments[file]);
    assert.doesNotMatch(said, /sk-0123|hooks\.slack|dapi0123/);
    const path = new URL(file.replace(".yaml", ".txt"), golden);
    if (process.env.UPDATE === "1") writeFileSync(path, said);
    else assert.equal(said, readFileSync(path, "utf8"));
  });
}

const contract = `
agent:
  name: support-agent
  version: 1.4.0
  model:
    code: agent.py            # defines program, a dspy.Module; or  name: ml.agents.support, version: 7 | alias: champion
    requirements: [dspy>=3.4]
    program: program.json     # optional: compiled state
    lm: { model: databricks/databricks-claude-sonnet, temperature: 0.2, max_tokens: 500 }
  deployment:
    catalog: ml
    schema: agents
    model_name: support
    serving_endpoint: support-agent
    compute_size: Small
    scale_to_zero: true
    environment_vars: { DOCS_INDEX: ml.docs.index, API_KEY: "{{secrets/support/key}}" }
  monitoring:
    tables: { catalog: ml, schema: monitoring, prefix: agent_monitoring, readers: [analysts] }
    alerts:
      thresholds: { latency_p99_threshold_ms: 1000, error_rate_threshold_percent: 5 }
      webhook: env:SLACK_WEBHOOK_URL
    export: { every: 1 minute }
  environments:
    dev:  { monitoring: { alerts: { thresholds: { latency_p99_threshold_ms: 2000, error_rate_threshold_percent: 10 } } } }
    prod: { deployment: { scale_to_zero: false }, monitoring: { alerts: { thresholds: { latency_p99_threshold_ms: 500, error_rate_threshold_percent: 2 } } } }
`;

const thresholdsOf = ({ monitoring }: AgentConfig) => monitoring.alerts?.thresholds;

test("an environment overrides what it names, and nothing else", () => {
  const base = read(contract);
  const dev = read(contract, "dev");
  const prod = read(contract, "prod");
  assert.deepEqual(thresholdsOf(base), {
    latencyP99ThresholdMs: 1000,
    errorRateThresholdPercent: 5,
  });
  assert.deepEqual(thresholdsOf(dev), {
    latencyP99ThresholdMs: 2000,
    errorRateThresholdPercent: 10,
  });
  assert.deepEqual(thresholdsOf(prod), {
    latencyP99ThresholdMs: 500,
    errorRateThresholdPercent: 2,
  });
  assert.deepEqual(
    [base, dev, prod].map(({ deployment, environment }) => [environment, deployment.scaleToZero]),
    [
      [null, true],
      ["dev", true],
      ["prod", false],
    ],
  );
  assert.equal(prod.monitoring.alerts?.webhook, "env:SLACK_WEBHOOK_URL");
});

test("secrets pass through as references, and names that the user chose stay as they are", () => {
  assert.deepEqual(read(contract).deployment.environmentVars, {
    DOCS_INDEX: "ml.docs.index",
    API_KEY: "{{secrets/support/key}}",
  });
});

test("what was read can't be changed by accident", () => {
  const { deployment, model } = read(contract);
  for (const part of [deployment, deployment.environmentVars, model]) {
    assert.ok(Object.isFrozen(part));
  }
});

test("what is left out has its default", () => {
  const minimal = `agent:
  name: a
  model: { name: ml.agents.a, alias: champion }
  deployment: { catalog: ml, schema: agents, model_name: a, serving_endpoint: a }`;
  const { deployment, monitoring, version } = read(minimal);
  assert.deepEqual([version, monitoring], ["0.0.0", {}]);
  assert.deepEqual(deployment, {
    catalog: "ml",
    schema: "agents",
    modelName: "a",
    servingEndpoint: "a",
    computeSize: "Small",
    computeType: "CPU",
    scaleToZero: true,
    trafficPercentage: 100,
    smokeRequest: "Hello!",
    environmentVars: {},
  });
});

test("what only the environment says is enough for it", () => {
  const text = contract
    .replace("    catalog: ml\n", "")
    .replace("deployment: { scale", "deployment: { catalog: live, scale");
  assert.equal(read(text, "prod").deployment.catalog, "live");
  assert.match(refusal(text), /deployment\.catalog is missing/);
});

test("an environment takes a key away with null, and replaces a list as a whole", () => {
  const text = contract.replace(
    "prod: { ",
    "prod: { model: { program: null, requirements: [dspy==3.4.1] }, ",
  );
  const { model } = read(text, "prod");
  assert.deepEqual(model, {
    code: "agent.py",
    requirements: ["dspy==3.4.1"],
    files: [],
    lm: { model: "databricks/databricks-claude-sonnet", temperature: 0.2, maxTokens: 500 },
  });
});

for (const [environment, said] of [
  [
    "prd",
    /^agent\.yaml:\d+:3: there is no environment "prd"\n {2}Hint: Did you mean prod\? Known are dev, prod\.\n$/,
  ],
  ["staging", /Hint: Known are dev, prod/],
  ["toString", /there is no environment "toString"/],
] as const) {
  test(`the environment ${environment} is unknown`, () => {
    assert.match(refusal(contract, environment), said);
  });
}

test("a file without environments says how to add one", () => {
  const text = contract.slice(0, contract.indexOf("  environments:"));
  assert.match(refusal(text, "prod"), /Hint: Add environments: \{ prod: \{\} \} under agent/);
});

test("anything at all is read or refused, and never breaks the reader", () => {
  const fragments = contract.split("\n");
  const line = fc.constantFrom(...fragments, "- [", "? x", "<<: *a", "\t", "'", "a: &a {b: *a}");
  void fc.assert(
    fc.property(fc.oneof(fc.array(line), fc.array(fc.string({ unit: "binary" }))), (lines) => {
      try {
        read(lines.join("\n"), "prod");
      } catch (error) {
        assert.ok(error instanceof MonitorError && error.code === "CONFIG_INVALID", String(error));
        assert.match(error.message, /^agent\.yaml(:\d+:\d+: | has \d+ mistakes\n)/);
      }
    }),
  );
});

test("docs/agent.schema.json is what editors get", () => {
  const path = new URL("../../docs/agent.schema.json", import.meta.url);
  const now = agentJsonSchema();
  if (process.env.UPDATE === "1") writeFileSync(path, `${JSON.stringify(now, null, 2)}\n`);
  assert.deepEqual(JSON.parse(readFileSync(path, "utf8")), now, "UPDATE=1 writes it");
});
