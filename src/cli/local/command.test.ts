/** The command, run: what it prints is what a client needs, and what it keeps is there after a SIGKILL. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

const bin = fileURLToPath(new URL("../../../bin/dspy-databricks.js", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "local-command-"));
after(() => rmSync(directory, { recursive: true, force: true }));

type Started = {
  readonly url: string;
  readonly token: string;
  stop(signal: NodeJS.Signals): Promise<number | null>;
};

async function start(dataDir: string): Promise<Started> {
  const args = [bin, "local", "--port", "0", "--data-dir", dataDir, "--token", "ann=token-of-ann"];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  after(() => child.kill());
  let errors = "";
  child.stderr.on("data", (chunk) => (errors += chunk));
  const [printed] = await Promise.race([
    once(child.stdout, "data"),
    once(child, "exit").then(() => assert.fail(errors)),
  ]);
  const [, url = "", token = ""] =
    /^DATABRICKS_HOST=(\S+)\nDATABRICKS_TOKEN=(\S+)\n$/.exec(String(printed)) ?? [];
  return {
    url,
    token,
    async stop(signal) {
      child.kill(signal);
      const [code] = await once(child, "exit");
      assert.doesNotMatch(errors, /Warning/);
      return code;
    },
  };
}

const call = (url: string, token: string, init: RequestInit = {}) =>
  fetch(`${url}/api/2.1/unity-catalog/catalogs`, {
    ...init,
    headers: { authorization: `Bearer ${token}` },
  });

test("it is the same workspace after a SIGKILL, with the same token", async () => {
  const dataDir = join(directory, "kept");
  const first = await start(dataDir);
  const made = await call(first.url, first.token, { method: "POST", body: '{"name":"kept"}' });
  assert.equal(made.status, 200);
  assert.equal((await call(first.url, "token-of-ann")).status, 200);
  await first.stop("SIGKILL");

  const second = await start(dataDir);
  assert.equal(second.token, first.token);
  const { catalogs } = (await (await call(second.url, second.token)).json()) as {
    catalogs: { name: string }[];
  };
  assert.deepEqual(
    catalogs.map(({ name }) => name),
    ["main", "ml", "kept"],
  );
  assert.equal(statSync(join(dataDir, "admin-token")).mode & 0o777, 0o600);
  assert.equal(await second.stop("SIGTERM"), 0);
});

test("an example can be deployed to it at once: the secret that it refers to is there", async () => {
  const { url, token, stop } = await start(join(directory, "examples"));
  const secrets = await fetch(`${url}/api/2.0/secrets/list?scope=agents`, {
    headers: { authorization: `Bearer ${token}` },
  });
  const { secrets: listed } = (await secrets.json()) as { secrets: { key: string }[] };
  assert.deepEqual(
    listed.map(({ key }) => key),
    ["openai_api_key"],
  );
  await stop("SIGTERM");
});
