/**
 * The deployer's contract, against a real workspace. It is started by `npm run test:live`,
 * which asks before. All that it makes has `dspy_live_` and a random number in its name,
 * and is taken away in the end, also when a case fails.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/clock.ts";
import { readAgentConfig } from "../../src/config/agent-config.ts";
import { deleteModelVersion, listModelVersions } from "../../src/databricks/model-versions.ts";
import { deleteRegisteredModel } from "../../src/databricks/registered-models.ts";
import { deleteSchema } from "../../src/databricks/schemas.ts";
import { deleteServingEndpoint } from "../../src/databricks/serving-endpoints.ts";
import { deleteVolume } from "../../src/databricks/volumes.ts";
import { DatabricksClient } from "../../src/databricks.ts";
import { createDeployer } from "../../src/deploy/deployer.ts";
import { testDeployer } from "../deployer-contract.ts";

const catalog = process.env.DSPY_LIVE_CATALOG;
assert.ok(catalog, "start it by npm run test:live, which asks first");

/** It needs no language model, so it costs none. */
const code = `import dspy


class Echo(dspy.Module):
    def forward(self, question: str):
        return dspy.Prediction(answer=f"You asked: {question}")


program = Echo()
`;

async function removeModel(on: DatabricksClient, modelName: string): Promise<void> {
  for (const { version } of await listModelVersions(on, modelName)) {
    if (version !== null) await deleteModelVersion(on, { modelName, version });
  }
  await deleteRegisteredModel(on, modelName);
}

testDeployer(async () => {
  const name = `dspy_live_${randomBytes(4).toString("hex")}`;
  const directory = mkdtempSync(join(tmpdir(), "live-"));
  const client = DatabricksClient.fromEnvironment();
  const configOf = (model: string, source: string) => {
    writeFileSync(join(directory, "agent.py"), source);
    const yaml = `agent:
  name: ${name}
  model: ${model}
  deployment:
    catalog: ${catalog}
    schema: ${name}
    model_name: ${name}
    serving_endpoint: ${name}
  monitoring: { tables: { catalog: ${catalog}, schema: ${name} } }
`;
    return readAgentConfig(yaml, { file: join(directory, "agent.yaml") });
  };
  const say = (text: string) => void process.stderr.write(`${text}\n`);
  say(`Making ${catalog}.${name} and the serving endpoint ${name} on ${client.host}`);
  return {
    client,
    deployer: createDeployer({
      client,
      clock: systemClock,
      dataDirectory: join(directory, "data"),
      onProgress: ({ step, state, message }) => say(`  ${step} ${state} ${message}`),
    }),
    question: "Is anybody there?",
    agent: ({ release, isBroken = false }) =>
      configOf(
        "{ code: agent.py }",
        `${code}\n# Release ${release}.\n${isBroken ? 'raise RuntimeError("broken on purpose")\n' : ""}`,
      ),
    registered: (version) =>
      configOf(`{ name: ${catalog}.${name}.${name}, version: ${version} }`, code),
    async close() {
      rmSync(directory, { recursive: true, force: true });
      const removed = [
        ["the endpoint", () => deleteServingEndpoint(client, name)],
        ["the model", () => removeModel(client, `${catalog}.${name}.${name}`)],
        ["the volume", () => deleteVolume(client, `${catalog}.${name}.agent_monitoring_files`)],
        ["the schema", () => deleteSchema(client, `${catalog}.${name}`)],
      ] as const;
      for (const [what, remove] of removed) {
        try {
          await remove();
          say(`Removed ${what}`);
        } catch (error) {
          say(
            `${what} of ${name} is to be removed by hand: ${error instanceof Error ? error.message : error}`,
          );
        }
      }
    },
  };
});
