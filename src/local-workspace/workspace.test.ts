/** The workspace as callers and the monitor meet it: over HTTP, on loopback. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
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

const LIST = "/api/2.0/serving-endpoints";
const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });

test("faults break the call that they name, and no other", async () => {
  const { url, token, faults, calls, close } = await startLocalWorkspace({
    otlpUrl: null,
    clock: hurried,
  });
  try {
    const list = () => fetch(url + LIST, bearer(token));
    const broken = (error: Error) => /fetch failed|terminated/.test(error.message);
    faults.add({
      path: LIST,
      nth: 2,
      kind: "answer",
      status: 429,
      errorCode: "REQUEST_LIMIT_EXCEEDED",
      retryAfterS: 7,
    });
    assert.equal((await list()).status, 200);
    const limited = await list();
    assert.equal(`${limited.status} ${limited.headers.get("retry-after")}`, "429 7");

    faults.add({ path: LIST, kind: "reset" });
    await assert.rejects(list(), broken);
    faults.add({ path: LIST, kind: "truncate" });
    await assert.rejects(async () => (await list()).text(), broken);
    faults.add({ path: LIST, kind: "hang" });
    const hanging = list().then(
      () => "answered",
      () => "ended",
    );
    // The next one is answered while that one hangs.
    while (calls().length < 5) await new Promise(setImmediate);
    assert.equal((await list()).status, 200);
    assert.deepEqual(
      calls().map(({ status }) => status),
      [200, 429, null, null, null, 200],
    );
    await close();
    assert.equal(await hanging, "ended");
  } finally {
    await close();
  }
});

test("the calls are kept with who called, and without the token", async () => {
  const workspace = await startLocalWorkspace({
    otlpUrl: null,
    clock: hurried,
    principals: { ann: "secret-of-ann" },
  });
  try {
    await fetch(`${workspace.url}${LIST}/a%2Fb?x=1`, {
      ...bearer("secret-of-ann"),
      method: "PATCH",
      body: '{"n":1}',
    });
    const [call = assert.fail()] = workspace.calls();
    assert.deepEqual(call, {
      method: "PATCH",
      path: `${LIST}/a%2Fb`,
      query: { x: "1" },
      body: { n: 1 },
      principal: "ann",
      userAgent: "node",
      status: 501,
    });
    assert.ok(!JSON.stringify(workspace.calls()).includes("secret-of-ann"));
  } finally {
    await workspace.close();
  }
});

test("a principal trades its id and secret for a token that expires after an hour", async () => {
  let nowMs = 1_800_000_000_000;
  const workspace = await startLocalWorkspace({
    otlpUrl: null,
    clock: { ...hurried, now: () => nowMs },
    principals: { deployer: "secret" },
  });
  const ask = (secret: string) =>
    fetch(`${workspace.url}/oidc/v1/token`, {
      method: "POST",
      headers: { authorization: `Basic ${btoa(`deployer:${secret}`)}` },
      body: new URLSearchParams({ grant_type: "client_credentials", scope: "all-apis" }),
    });
  try {
    assert.equal((await ask("wrong")).status, 401);
    const { access_token, ...rest } = (await (await ask("secret")).json()) as {
      access_token: string;
    };
    assert.deepEqual(rest, { scope: "all-apis", token_type: "Bearer", expires_in: 3600 });
    const list = async () => (await fetch(workspace.url + LIST, bearer(access_token))).status;
    assert.equal(await list(), 200);
    nowMs += 3600 * 1000;
    assert.equal(await list(), 401);
  } finally {
    await workspace.close();
  }
});

test("what the workspace keeps in a directory is there for the next one, and only for one", async () => {
  const dataDirectory = mkdtempSync(join(tmpdir(), "workspace-"));
  const options = { otlpUrl: null, clock: hurried, dataDirectory, token: "t" };
  try {
    const first = await startLocalWorkspace({ ...options, principals: { ann: "a" } });
    await assert.rejects(startLocalWorkspace(options), /locked/);
    const issued = await fetch(`${first.url}/oidc/v1/token`, {
      method: "POST",
      body: new URLSearchParams({
        grant_type: "client_credentials",
        client_id: "ann",
        client_secret: "a",
      }),
    });
    const { access_token } = (await issued.json()) as { access_token: string };
    await first.close();

    const second = await startLocalWorkspace({ ...options, principals: { ann: "a" } });
    assert.equal((await fetch(second.url + LIST, bearer(access_token))).status, 200);
    await second.close();
  } finally {
    rmSync(dataDirectory, { recursive: true, force: true });
  }
});

test("a call whose answer is lost has had its effect, unless it was lost before", async () => {
  const { url, token, faults, close } = await startLocalWorkspace({
    otlpUrl: null,
    clock: hurried,
  });
  const catalogs = `${url}/api/2.1/unity-catalog/catalogs`;
  const make = (name: string) =>
    fetch(catalogs, { ...bearer(token), method: "POST", body: JSON.stringify({ name }) });
  const exists = async (name: string) => (await fetch(`${catalogs}/${name}`, bearer(token))).ok;
  try {
    faults.add({ method: "POST", path: "/api/**", kind: "reset" });
    await assert.rejects(make("lost_before"));
    assert.equal(await exists("lost_before"), false);
    faults.add({ method: "POST", path: "/api/**", kind: "reset", when: "after" });
    await assert.rejects(make("lost_after"));
    assert.equal(await exists("lost_after"), true);
    assert.equal((await make("lost_after")).status, 400);
    faults.add({
      path: "/api/2.1/unity-catalog/catalogs/*",
      times: 2,
      kind: "answer",
      status: 404,
      errorCode: "CATALOG_DOES_NOT_EXIST",
    });
    assert.deepEqual(
      [await exists("lost_after"), await exists("lost_after"), await exists("lost_after")],
      [false, false, true],
    );
  } finally {
    await close();
  }
});
