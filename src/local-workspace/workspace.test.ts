/** The workspace as callers and the monitor meet it: over HTTP, on loopback. */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import type { Clock } from "./clock.ts";
import { readRecordings } from "./recordings.ts";
import { startLocalWorkspace } from "./workspace.ts";

/** Nothing takes time, so that no test waits for a recorded latency. */
const hurried: Clock = {
  now: Date.now,
  every: () => () => {},
  after(_, run) {
    const immediate = setImmediate(run);
    return () => clearImmediate(immediate);
  },
};

/** Waits for nothing to happen, ever. */
const patient: Clock = { now: Date.now, every: () => () => {}, after: () => () => {} };

const [recording = assert.fail()] = readRecordings()[0]?.recordings ?? [];

function ask({ url, token }: { readonly url: string; readonly token: string }) {
  return fetch(`${url}/serving-endpoints/support-rag/invocations`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}` },
    body: JSON.stringify({ inputs: { question: recording.question } }),
  });
}

test("an agent answers its caller, and reports to the monitor", async () => {
  const reported = Promise.withResolvers<{ path: string | undefined; body: Buffer }>();
  const monitor = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part);
    response.end();
    reported.resolve({ path: request.url, body: Buffer.concat(parts) });
  });
  await new Promise<void>((resolve) => monitor.listen(0, "127.0.0.1", resolve));
  // The address of a server that listens on TCP is an AddressInfo.
  const otlpUrl = `http://127.0.0.1:${(monitor.address() as AddressInfo).port}`;
  const workspace = await startLocalWorkspace({ otlpUrl, clock: hurried });
  try {
    assert.match(workspace.url, /^http:\/\/127\.0\.0\.1:\d+$/);
    assert.match(workspace.token, /^dapi[0-9a-f]{32}$/);
    assert.equal((await ask(workspace)).status, 200);
    const { path, body } = await reported.promise;
    assert.equal(path, "/v1/traces");
    assert.equal(body.length, recording.otlp.length);
    assert.equal(workspace.telemetry().dropped, 0);
  } finally {
    await workspace.close();
    monitor.closeAllConnections();
    monitor.close();
  }
});

test("without a monitor the agents answer all the same", async () => {
  const workspace = await startLocalWorkspace({ otlpUrl: null, clock: hurried });
  try {
    assert.equal((await ask(workspace)).status, 200);
    assert.deepEqual(workspace.telemetry(), { sent: 0, dropped: 0, queued: 0 });
  } finally {
    await workspace.close();
  }
});

test("closing ends the requests that still wait for an answer", async () => {
  const workspace = await startLocalWorkspace({ otlpUrl: null, clock: patient });
  const answer = ask(workspace).then(
    () => "answered",
    () => "ended",
  );
  await fetch(`${workspace.url}/`);
  await workspace.close();
  assert.equal(await answer, "ended");
});

test("a port that is in use is an error", async () => {
  const workspace = await startLocalWorkspace({ otlpUrl: null, clock: hurried });
  try {
    const port = Number(new URL(workspace.url).port);
    await assert.rejects(startLocalWorkspace({ port, otlpUrl: null, clock: hurried }), {
      code: "EADDRINUSE",
    });
  } finally {
    await workspace.close();
  }
});
