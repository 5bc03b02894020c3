/** The examples of the client's page run as they stand there, and the page names every function of the entry. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { systemClock } from "../src/clock.ts";
import * as entry from "../src/databricks.ts";
import { type LocalWorkspace, startLocalWorkspace } from "../src/local-workspace/workspace.ts";
import { testExamples } from "./docs-typescript.ts";

let workspace: LocalWorkspace;
before(async () => {
  workspace = await startLocalWorkspace({ otlpUrl: null, clock: systemClock });
});
after(() => workspace.close());

testExamples("docs/databricks.md", {
  env: () => ({ DATABRICKS_HOST: workspace.url, DATABRICKS_TOKEN: workspace.token }),
});

test("the page names every function of the entry", () => {
  const text = readFileSync(new URL("../docs/databricks.md", import.meta.url), "utf8");
  const unnamed = Object.keys(entry).filter((name) => !new RegExp(`\\b${name}\\b`).test(text));
  assert.deepEqual(unnamed, []);
});
