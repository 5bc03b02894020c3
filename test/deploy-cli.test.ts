/**
 * The commands of deployment as a person sees them, one after the other, against the local
 * workspace: `deploy-cli.golden.txt` holds what they say. `UPDATE=1` writes it anew.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type Clock, systemClock } from "../src/clock.ts";
import { type LocalWorkspace, startLocalWorkspace } from "../src/local-workspace/workspace.ts";
import { createSecret } from "./deploy-setting.ts";
import { quickStart } from "./quick-start.ts";

const bin = fileURLToPath(new URL("../bin/dspy-databricks.js", import.meta.url));
const golden = new URL("deploy-cli.golden.txt", import.meta.url);
const directory = mkdtempSync(join(tmpdir(), "deploy-cli-"));

const startMs = Math.floor(Date.now() / 60_000) * 60_000;
/** Stands at the beginning of a minute: `status` tells of the last complete one, and none completes here. */
const minuteWithoutEnd: Clock = { ...systemClock, now: () => startMs };

let workspace: LocalWorkspace;
before(async () => {
  workspace = await startLocalWorkspace({
    otlpUrl: null,
    clock: minuteWithoutEnd,
    examples: false,
    principals: { "ci@example.com": "dapi-ci" },
  });
  await createSecret(workspace, { scope: "agents", key: "openai_api_key" });
  cpSync(new URL("../examples/order-agent/", import.meta.url), directory, { recursive: true });
});
after(async () => {
  await workspace.close();
  rmSync(directory, { recursive: true, force: true });
});

async function run(command: string, token = workspace.token): Promise<string> {
  const [, ...args] = command.split(" ");
  const child = spawn(process.execPath, [bin, ...args], {
    cwd: directory,
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      PATH: process.env.PATH,
      HOME: directory,
      ...quickStart,
      DATABRICKS_HOST: workspace.url,
      DATABRICKS_TOKEN: token,
    },
  });
  const ended = new Promise((resolve) => child.once("close", resolve));
  const [exit, stdout, stderr] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
  // How often it is told that it is waited for depends on the machine.
  const told = stderr.replaceAll(/^ {2}… .*\n/gm, "");
  return `$ ${command}\nexit ${exit}\nstdout:\n${stdout}stderr:\n${told}`
    .replaceAll(workspace.url, "https://workspace.example")
    .replaceAll(/127\.0\.0\.1_\d+/g, "workspace.example")
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "<time>")
    .replaceAll(/[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}/g, "<id>")
    .replaceAll(/\b[\da-f]{32}\b/g, "<id>")
    .replaceAll(/\d+ bytes/g, "… bytes");
}

const byCommand = (text: string) => text.split(/\n(?=\$ )/);

test("a day with the commands", { timeout: 100_000 }, async () => {
  const deploy = "dspy-databricks deploy agent.yaml --env prod";
  const said = [await run(`${deploy} --dry-run`, "dapi-ci"), await run(deploy), await run(deploy)];
  const yaml = readFileSync(join(directory, "agent.yaml"), "utf8");
  writeFileSync(join(directory, "agent.yaml"), yaml.replace("dspy>=3.3", "dspy>=3.4"));
  said.push(
    await run(deploy),
    await run("dspy-databricks status order-agent"),
    await run("dspy-databricks rollback order-agent"),
    await run("dspy-databricks rollback order-agent"),
    await run("dspy-databricks status nothing"),
    await run("dspy-databricks alerts plan agent.yaml --env dev"),
    await run("dspy-databricks alerts apply agent.yaml --env dev"),
    await run("dspy-databricks alerts plan agent.yaml --env dev"),
    await run("dspy-databricks alerts test agent.yaml --env dev"),
  );
  const now = said.join("\n");
  if (process.env.UPDATE === "1") writeFileSync(golden, now);
  const expected = byCommand(readFileSync(golden, "utf8"));
  for (const [i, answer] of byCommand(now).entries()) {
    assert.equal(answer, expected[i], "UPDATE=1 writes it");
  }
  assert.equal(said.length, expected.length);
});

test("the results are JSON for programs", async () => {
  const said = await run(
    "dspy-databricks deploy agent.yaml --env dev --output json --no-monitoring",
  );
  const [, stdout = ""] = /\nstdout:\n([\s\S]*)stderr:\n/.exec(said) ?? [];
  const { status, endpointName, environment, monitoring } = JSON.parse(stdout);
  assert.deepEqual([status, endpointName, environment], ["success", "order-agent", "dev"]);
  assert.equal(monitoring, undefined);
});
