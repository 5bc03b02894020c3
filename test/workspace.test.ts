/**
 * Watching a workspace that credentials name: here the local one, reached as a real
 * one would be. It is only read, and its endpoints show with their state and metrics.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { systemClock } from "../src/clock.ts";
import { startLocalWorkspace } from "../src/local-workspace/workspace.ts";

test("DATABRICKS_HOST makes the monitor watch that workspace, with nothing but GET", async () => {
  const workspace = await startLocalWorkspace({ otlpUrl: null, clock: systemClock });
  const methods = new Set<string>();
  const proxy = await startProxy(workspace.url, (method) => methods.add(method));
  try {
    const { code, stdout, stderr } = await runMonitor({
      DATABRICKS_HOST: proxy.url,
      DATABRICKS_TOKEN: workspace.token,
    });
    assert.equal(code, 0, stderr);
    assert.match(stderr, /reading only/);
    assert.ok(!stderr.includes(workspace.token) && !stdout.includes(workspace.token));
    const { telemetry, health } = JSON.parse(stdout);
    assert.equal(telemetry, "live");
    assert.deepEqual(
      health
        .map(
          ({ component, status }: { component: string; status: string }) =>
            `${component} ${status}`,
        )
        .sort(),
      [
        "endpoint/order-agent healthy",
        "endpoint/support-rag healthy",
        "endpoint/triage-pipeline healthy",
        "workspace healthy",
      ],
    );
    assert.deepEqual([...methods], ["GET"]);
  } finally {
    proxy.close();
    await workspace.close();
  }
});

type Result = { readonly code: number | null; readonly stdout: string; readonly stderr: string };

function runMonitor(env: Record<string, string>): Promise<Result> {
  const directory = mkdtempSync(join(tmpdir(), "workspace-"));
  const args = [
    "bin/dspy-databricks.js",
    "monitor",
    "--port",
    "0",
    "--for",
    "3s",
    "--output",
    "json",
  ];
  const child = spawn(process.execPath, [...args, "--data-dir", directory], {
    env: { ...process.env, ...env },
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk) => (stdout += chunk));
  child.stderr.on("data", (chunk) => (stderr += chunk));
  return new Promise((resolve) =>
    child.once("close", (code) => {
      rmSync(directory, { recursive: true, force: true });
      resolve({ code, stdout, stderr });
    }),
  );
}

/** Passes requests on, and tells their methods. */
async function startProxy(target: string, see: (method: string) => void) {
  const server = createServer((incoming, outgoing) => {
    see(incoming.method ?? "");
    const { host: _, ...headers } = incoming.headers;
    const passed = request(
      new URL(incoming.url ?? "/", target),
      { method: incoming.method, headers },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(outgoing);
      },
    );
    incoming.pipe(passed);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
