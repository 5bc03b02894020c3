/**
 * The examples of `docs/health.md` run as they stand there, and print what their
 * comments say. The names of the package lead to the sources.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { systemClock } from "../clock.ts";
import { type LocalWorkspace, startLocalWorkspace } from "../local-workspace/workspace.ts";

const sources: Readonly<Record<string, string>> = {
  HealthCheckManager: "health-check-manager.ts",
  HealthStatus: "health-status.ts",
  checkEndpointHealth: "checks/endpoint-check.ts",
  createEndpointCheck: "checks/endpoint-check.ts",
  checkModelRegistryHealth: "checks/model-registry-check.ts",
  checkVectorStoreHealth: "checks/vector-store-check.ts",
  createHttpCheck: "checks/http-check.ts",
};
const urlOf = (path: string) => JSON.stringify(new URL(path, import.meta.url).href);

const monitoring = Object.entries(sources)
  .map(([name, path]) => `export { ${name} } from ${urlOf(path)};`)
  .join("\n");
/** As the contract has it. */
const databricks = `
  import { createDatabricksClient } from ${urlOf("../databricks/client.ts")};
  import { resolveCredentials } from ${urlOf("../databricks/credentials.ts")};
  import { systemClock } from ${urlOf("../clock.ts")};
  export class DatabricksClient {
    static fromEnvironment() {
      const credentials = resolveCredentials({ env: process.env, readFile: () => "", homeDirectory: "/" });
      return createDatabricksClient({ credentials, fetch, clock: systemClock, random: Math.random });
    }
  }`;

const markdown = readFileSync(new URL("../../docs/health.md", import.meta.url), "utf8");
const examples = Array.from(
  markdown.matchAll(/^```(?:ts)?\n([\s\S]*?)^```$/gm),
  ([, code = ""]) => code,
).filter((code) => code.includes('"dspy-databricks-agents/monitoring"'));

let workspace: LocalWorkspace;
let directory: string;
before(async () => {
  workspace = await startLocalWorkspace({ otlpUrl: null, clock: systemClock });
  directory = mkdtempSync(join(tmpdir(), "health-docs-"));
  writeFileSync(join(directory, "monitoring.ts"), monitoring);
  writeFileSync(join(directory, "databricks.ts"), databricks);
  writeFileSync(join(directory, "package.json"), '{"type":"module"}');
});
after(async () => {
  rmSync(directory, { recursive: true, force: true });
  await workspace.close();
});

const expected: readonly RegExp[] = [
  /^healthy 1\nvector_store healthy Vector store is accessible [\d.]+ \d{4}-\S+Z\n$/,
  /^true healthy 0\ntrue unhealthy 1\ntrue unhealthy 2\ntrue unhealthy 3\n$/,
  /^unknown timed_out\n$/,
  /^healthy ready Ready to serve\.\nhealthy\n$/,
  /^GET http:\/\/127\.0\.0\.1:\d+\/health answered 200\.\n$/,
];

test("every example is here", () => assert.equal(examples.length, expected.length));

for (const [index, code] of examples.entries()) {
  test(`example ${index + 1} runs, and ends by itself`, async () => {
    const file = join(directory, `example-${index + 1}.ts`);
    writeFileSync(file, code.replaceAll(/"dspy-databricks-agents\/(\w+)"/g, '"./$1.ts"'));
    const { status, stdout, stderr } = await run(file);
    assert.equal(status, 0, stderr);
    assert.match(stdout, expected[index] ?? /^$/);
  });
}

type Ended = { readonly status: number | null; readonly stdout: string; readonly stderr: string };

function run(file: string): Promise<Ended> {
  const child = spawn(process.execPath, [file], {
    timeout: 30_000,
    env: { ...process.env, DATABRICKS_HOST: workspace.url, DATABRICKS_TOKEN: workspace.token },
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk) => (stdout += chunk));
  child.stderr.on("data", (chunk) => (stderr += chunk));
  return new Promise((resolve) =>
    child.once("close", (status) => resolve({ status, stdout, stderr })),
  );
}
