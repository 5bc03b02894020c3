/**
 * A real server for tests of the client, which answers as Databricks, gateways and
 * bad networks do. Waits are jumped over; deadlines pass when a test says so.
 */
import assert from "node:assert/strict";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { inspect } from "node:util";
import { createDatabricksClient, type DatabricksClient } from "./client.ts";
import type { SignIn } from "./credentials.ts";
import { DatabricksError } from "./databricks-error.ts";
import { Secret } from "./secret.ts";
import { createTestClock, type TestClock } from "./test-clock.ts";

export const TOKEN = "dapi-4f6a1b2c3d-canary";
export const token: SignIn = { kind: "token", token: new Secret(TOKEN) };
/** Longer than every wait between attempts, so that the clock can tell them apart. */
export const TIMEOUT_MS = 1_000_000;

export type Seen = { method: string; url: string; authorization: string | undefined; body: string };

export type Setting = {
  readonly client: DatabricksClient;
  readonly clock: TestClock;
  readonly seen: Seen[];
  readonly host: string;
};

/** The n-th request gets the n-th answer, and the last one from then on. */
export async function withServer(
  answers: readonly RequestListener[],
  use: (setting: Setting) => Promise<void>,
  {
    signIn = token,
    totalTimeoutMs = 2 * TIMEOUT_MS,
    skipsUpToMs = TIMEOUT_MS - 1,
  }: { signIn?: SignIn | null; totalTimeoutMs?: number; skipsUpToMs?: number } = {},
) {
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    const { method = "", url = "", headers } = request;
    const call: Seen = { method, url, authorization: headers.authorization, body: "" };
    const answer = answers[Math.min(seen.push(call), answers.length) - 1];
    request.on("data", (chunk) => {
      call.body += chunk;
    });
    answer?.(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const clock = createTestClock({ skipsUpToMs });
  const host = `http://127.0.0.1:${port}`;
  const client = createDatabricksClient({
    credentials: { host, signIn, source: "environment" },
    fetch,
    clock,
    random: () => 0.5,
    timeoutMs: TIMEOUT_MS,
    totalTimeoutMs,
  });
  try {
    await use({ client, clock, seen, host });
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

export function answer(
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): RequestListener {
  return (_request, response) => {
    const type = typeof body === "string" ? "text/html" : "application/json";
    response.writeHead(status, { "content-type": type, ...headers });
    response.end(typeof body === "string" ? body : JSON.stringify(body));
  };
}
export const ok = answer(200, { endpoints: [] });
export const reset: RequestListener = (request) => request.socket.resetAndDestroy();
export const cut: RequestListener = (_request, response) => {
  response.writeHead(200, { "content-length": "100" });
  response.write('{"endpoints": [', () => response.destroy());
};

/** The error as people see it, with the port taken out, after a look for secrets in all of it. */
export async function failure(promise: Promise<unknown>, { host }: Setting): Promise<string> {
  const error: unknown = await promise.then(
    () => assert.fail("should have failed"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof DatabricksError, inspect(error));
  const everything = `${inspect(error, { depth: 20, showHidden: true })}${JSON.stringify(error)}${error.stack}`;
  assert.doesNotMatch(everything, /canary/);
  return `${error.code}: ${error.message}\n  Hint: ${error.hint}`.replaceAll(host, "https://dbc");
}
