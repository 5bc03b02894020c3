/** The official Databricks SDK reads the local workspace as it reads a real one. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "../../src/clock.ts";
import { startLocalWorkspace } from "../../src/local-workspace/workspace.ts";
import { runProgram } from "./run-program.ts";

const python = new URL("../../.peers/python/bin/python", import.meta.url).pathname;
const script = new URL("databricks-sdk.py", import.meta.url).pathname;

test("databricks-sdk 0.156.0 lists, gets, queries and exports metrics", async () => {
  const workspace = await startLocalWorkspace({ otlpUrl: null, clock: systemClock });
  try {
    const { code, output } = await runProgram(python, [script], {
      env: { DATABRICKS_HOST: workspace.url, DATABRICKS_TOKEN: workspace.token },
    });
    assert.equal(code, 0, output);
  } finally {
    await workspace.close();
  }
});
