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
import { WAREHOUSE_ID } from "../src/local-workspace/sql/warehouse.ts";
import { startLocalWorkspace } from "../src/local-workspace/workspace.ts";

test("DATABRICKS_HOST makes the monitor watch that workspace, with nothing but reading", async () => {
  const workspace = await startLocalWorkspace({ otlpUrl: null, clock: systemClock });
  await writeSpan(workspace);
  const calls = new Set<string>();
  const proxy = await startProxy(workspace.url, (call) => calls.add(call));
  try {
    const { code, stdout, stderr } = await runMonitor({
      DATABRICKS_HOST: proxy.url,
      DATABRICKS_TOKEN: workspace.token,
    });
    assert.equal(code, 0, stderr);
    assert.match(stderr, /reading only/);
    assert.ok(!stderr.includes(workspace.token) && !stdout.includes(workspace.token));
    const { telemetry, health, agents } = JSON.parse(stdout);
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
    const called = agents.filter(({ requests }: { requests: number }) => requests > 0);
    assert.deepEqual(
      called.map(({ endpoint, requests }: Counted) => ({ endpoint, requests })),
      [{ endpoint: "rag", requests: 1 }],
    );
    const notOnlyRead = [...calls].filter((call) => !call.startsWith("GET "));
    assert.deepEqual(notOnlyRead, ["POST /api/2.0/sql/statements"]);
    assert.deepEqual(
      [...calls].filter((call) => /invocations/.test(call)),
      [],
    );
  } finally {
    proxy.close();
    await workspace.close();
  }
});

type Counted = { readonly endpoint: string; readonly requests: number };

/** One call of an agent whose telemetry goes to a table of the workspace. */
async function writeSpan({ url, token }: { readonly url: string; readonly token: string }) {
  const startNano = `${Date.now() - 60_000}000000`;
  for (const statement of [
    "CREATE SCHEMA main.traces",
    `CREATE TABLE main.traces.rag_otel_spans (trace_id STRING, span_id STRING, parent_span_id STRING, name STRING,
      start_time_unix_nano BIGINT, end_time_unix_nano BIGINT, attributes VARIANT)`,
    `INSERT INTO main.traces.rag_otel_spans SELECT '${"a".repeat(32)}', '${"b".repeat(16)}', NULL, 'RagQA',
      ${startNano}, ${startNano}, parse_json('{"dspy.kind": "module", "dspy.program.class": "RagQA"}')`,
  ]) {
    const answer = await fetch(`${url}/api/2.0/sql/statements`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}` },
      body: JSON.stringify({ statement, warehouse_id: WAREHOUSE_ID }),
    });
    const { status } = (await answer.json()) as { status: { state: string } };
    assert.equal(status.state, "SUCCEEDED", JSON.stringify(status));
  }
}

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
    "--warehouse",
    WAREHOUSE_ID,
    "--span-table",
    "main.traces.rag_otel_spans",
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

/** Passes requests on, and tells them by method and path. */
async function startProxy(target: string, see: (call: string) => void) {
  const server = createServer((incoming, outgoing) => {
    see(`${incoming.method} ${incoming.url}`);
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
