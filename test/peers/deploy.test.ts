/**
 * A deployment to its end with real programs: the deployer, a workspace whose served
 * entities are real `mlflow models serve` processes, a DSPy program that was never
 * recorded, and the monitor that it reports to. Only the language model is a stub.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { systemClock } from "../../src/clock.ts";
import {
  DatabricksDeployerWithMonitoring,
  loadAgentConfig,
  MonitorError,
} from "../../src/deployment.ts";
import { startLocalWorkspace } from "../../src/local-workspace/workspace.ts";
import { startMonitor } from "../start-monitor.ts";
import { until } from "./run-program.ts";

const root = new URL("../../", import.meta.url);
const python = fileURLToPath(new URL(".peers/mlflow/bin/python", root));
const record = fileURLToPath(new URL("fixtures/telemetry/record/", root));
const stubServer = fileURLToPath(new URL("model-directory.py", import.meta.url));

test("a program of one's own is deployed, answers, is watched, and survives a bad version", {
  timeout: 300_000,
}, async () => {
  const directory = mkdtempSync(join(tmpdir(), "deploy-"));
  const stub = spawn(python, [stubServer, record], { stdio: ["pipe", "pipe", "inherit"] });
  const [line] = await once(stub.stdout, "data");
  const monitor = await startMonitor();
  const workspace = await startLocalWorkspace({
    otlpUrl: monitor.url,
    clock: systemClock,
    examples: false,
    python,
  });
  const deployer = new DatabricksDeployerWithMonitoring({
    host: workspace.url,
    token: workspace.token,
    dataDir: directory,
  });
  const agent = join(directory, "agent");
  cpSync(new URL("examples/triage-pipeline/", root), agent, { recursive: true });
  const code = readFileSync(join(agent, "agent.py"), "utf8");
  writeFileSync(
    join(agent, "agent.yaml"),
    `agent:
  name: own-agent
  model: { code: agent.py, lm: { model: openai/gpt-4o-mini } }
  deployment:
    catalog: ml
    schema: agents
    model_name: own
    serving_endpoint: own-agent
    smoke_request: What is the state of order A-4001?
    environment_vars:
      OPENAI_BASE_URL: ${String(line).trim()}
      OPENAI_API_KEY: x
      DSPY_CACHEDIR: ${join(directory, "cache")}
  monitoring: { telemetry: { endpoint: "${monitor.url}" } }
`,
  );
  const deploy = async (text: string) => {
    writeFileSync(join(agent, "agent.py"), text);
    return await deployer.deploy(await loadAgentConfig(join(agent, "agent.yaml")));
  };
  try {
    const first = await deploy(`${code}\n# Never recorded.\n`);
    assert.deepEqual([first.status, first.modelVersion, first.warnings], ["success", "1", []]);
    const found = await until("the telemetry of the smoke request", async () => {
      const told = monitor.monitor.state.agents.get("own-agent");
      return told && told.recent.length > 0 ? told : null;
    });
    assert.equal(found.recent[0]?.request.modelVersion, "1");
    assert.ok(found.places.inOrder.some(({ path }) => path === "self.triage"));
    assert.ok((found.run.tokens?.input ?? 0) > 100);

    await assert.rejects(deploy(`${code}\nraise RuntimeError("broken on purpose")\n`), (error) => {
      assert.ok(error instanceof MonitorError && error.code === "DEPLOYMENT_FAILED");
      assert.match(error.message, /version 2 of model "ml\.agents\.own".*goes on serving/);
      assert.match(error.message, /broken on purpose/, "the last lines of the logs say why");
      return true;
    });
    const status = await deployer.getDeploymentStatus("own-agent");
    assert.equal(status.serving[0]?.modelVersion, "1");

    const mended = await deploy(`${code}\n# Mended.\n`);
    assert.deepEqual([mended.modelVersion, mended.previousVersion], ["3", "1"]);
    assert.deepEqual(await deployer.rollback("own-agent"), {
      endpointName: "own-agent",
      from: "3",
      to: "1",
      status: "success",
    });
  } finally {
    stub.stdin.end();
    await workspace.close();
    await monitor.close();
    rmSync(directory, { recursive: true, force: true });
  }
});
