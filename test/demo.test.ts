/** `npm start`: the examples are deployed by the deployer that users have, and their telemetry arrives. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { startDemo } from "../src/cli/monitor/demo.ts";
import { systemClock } from "../src/clock.ts";
import { startLocalWorkspace } from "../src/local-workspace/workspace.ts";
import { startMonitor } from "./start-monitor.ts";

test("the examples are deployed, called, and report to the monitor", async () => {
  const dataDirectory = mkdtempSync(join(tmpdir(), "demo-"));
  const monitor = await startMonitor();
  const workspace = await startLocalWorkspace({
    otlpUrl: null,
    clock: systemClock,
    examples: false,
  });
  const problems: string[] = [];
  const demo = startDemo({
    workspace,
    otlpUrl: monitor.url,
    dataDirectory,
    clock: systemClock,
    onProblem: (problem) => problems.push(problem),
  });
  try {
    const agents = () => monitor.monitor.state.agents.all();
    // The test's own time limit ends it when nothing comes.
    while (agents().length < 3 && problems.length === 0) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.deepEqual(problems, []);
    assert.deepEqual(
      agents()
        .map(({ endpoint }) => endpoint)
        .sort(),
      ["order-agent", "support-rag", "triage-pipeline"],
    );
    const made = workspace.calls().filter(({ method, path }) => {
      return method === "POST" && path === "/api/2.0/serving-endpoints";
    });
    assert.equal(made.length, 3);
  } finally {
    await demo.close();
    await workspace.close();
    await monitor.close();
    rmSync(dataDirectory, { recursive: true, force: true });
  }
});
