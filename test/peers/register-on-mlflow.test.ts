/** An agent that TypeScript registers on a real MLflow server, and that MLflow's own client then loads. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { loadAgentConfig, registerInMlflow } from "../../src/deployment.ts";
import { runProgram } from "./run-program.ts";
import { startMlflow } from "./start-mlflow.ts";

const root = new URL("../../", import.meta.url);
const python = fileURLToPath(new URL(".peers/mlflow/bin/python", root));
const driver = fileURLToPath(new URL("model-directory.py", import.meta.url));
const record = fileURLToPath(new URL("fixtures/telemetry/record/", root));

test("an agent is registered once, and MLflow's own client loads it and is answered", async () => {
  const directory = mkdtempSync(join(tmpdir(), "registered-"));
  const server = await startMlflow();
  try {
    const file = fileURLToPath(new URL("examples/order-agent/agent.yaml", root));
    const config = await loadAgentConfig(file);
    const first = await registerInMlflow(config, { url: server.host });
    assert.deepEqual(
      [first.modelName, first.modelVersion, first.status],
      ["order_agent", "1", "success"],
    );
    const again = await registerInMlflow(config, { url: server.host });
    assert.deepEqual(again, { ...first, status: "unchanged" });

    const { code, output } = await runProgram(
      "env",
      ["-C", directory, python, driver, record, "order-agent=models:/order_agent/1"],
      { env: { MLFLOW_TRACKING_URI: server.host, DSPY_CACHEDIR: join(directory, "cache") } },
    );
    assert.equal(code, 0, output);
    const told = JSON.parse(/^JSON(.*)$/m.exec(output)?.[1] ?? "");
    assert.match(JSON.stringify(told["order-agent"].answer), /Order A-1001 was shipped on Monday/);
    assert.equal(told["order-agent"].metadata.dspy_databricks_content_hash, first.contentHash);
  } finally {
    await server.stop();
    rmSync(directory, { recursive: true, force: true });
  }
});
