/**
 * Whatever is sent to the monitor over HTTP, it answers with what is wrong, in
 * the encoding of the request, quotes nothing of it, counts what it leaves out,
 * and goes on: after each case it takes a good batch and counts it once.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import diagnostics from "node:diagnostics_channel";
import { mkdtempSync, readdirSync, rmSync, statfsSync, statSync, writeFileSync } from "node:fs";
import {
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  request,
  type Server,
} from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { createGzip, gzipSync } from "node:zlib";
import { systemClock } from "../src/clock.ts";
import { Monitor } from "../src/monitor/monitor.ts";
import { type MonitorServer, startServer } from "../src/server/server.ts";
import { scrapedValue } from "./kill/figures.ts";
import { readRecordings } from "./kill/recordings.ts";

const MIB = 1024 * 1024;
const PROTOBUF = "application/x-protobuf";
const JSON_TYPE = "application/json";
/** Stands in every bad body and header, and must stand in no answer. */
const CANARY = "dapi0123456789abcdef0123456789abcdef";
/** When the spans below begin. */
const nowNs = BigInt(Date.now()) * 1_000_000n;

let dataDirectory = "";
let monitor: Monitor;
let server: MonitorServer;
let goodRequests = 0;

before(async () => {
  dataDirectory = mkdtempSync(join(tmpdir(), "bad-input-"));
  ({ monitor, server } = await start(dataDirectory));
});

after(async () => {
  await server.close();
  await monitor.close();
  rmSync(dataDirectory, { recursive: true, force: true });
});

async function start(directory: string, onNotice: (notice: string) => void = assert.fail) {
  const source = { kind: "receiver", host: null, telemetry: "live" } as const;
  const started = await Monitor.start({
    dataDirectory: directory,
    clock: systemClock,
    random: () => 0,
    rules: [],
    channel: null,
    pageUrl: () => null,
    formatTime: String,
    onNotice,
  });
  const surroundings = { source, sources: () => [] };
  return {
    monitor: started,
    server: await startServer({ monitor: started, surroundings, port: 0 }),
  };
}

// ─── Bodies that are refused ────────────────────────────────────────────────

type Refused = {
  readonly type?: string;
  readonly encoding?: string;
  readonly body: Uint8Array | (() => Readable);
  readonly status: number;
  readonly message: RegExp;
  /** As `/metrics` counts it. */
  readonly reason: string;
};

function refused(
  name: string,
  { type = PROTOBUF, encoding, body, status, message, reason }: Refused,
) {
  test(`${name}: ${status}`, async (t) => {
    const before = await counted("refused", reason);
    const headers = { "content-type": type, ...(encoding && { "content-encoding": encoding }) };
    const { answer, grownBytes } = await withMemory(() => post(body, headers));
    assert.equal(answer.status, status, answer.body.toString());
    assert.match(statusOf(answer).message, message);
    assert.equal(await counted("refused", reason), before + 1);
    if (status === 413) {
      const grownMib = Math.round(grownBytes / MIB);
      t.diagnostic(`${Math.round(answer.elapsedMs)} ms, memory grew by ${grownMib} MiB`);
    }
    assert.ok(answer.elapsedMs < 5_000, `answered after ${answer.elapsedMs} ms`);
    assert.ok(grownBytes < 96 * MIB, `memory grew by ${grownBytes / MIB} MiB`);
    await goesOn();
  });
}

const invalid = { status: 400, reason: "malformed" };

refused("protobuf that is none", { ...invalid, body: bytes(CANARY), message: /protobuf/i });
refused("protobuf that is cut off", {
  ...invalid,
  body: spanBody({ name: CANARY }).subarray(0, -3),
  message: /protobuf/i,
});
refused("protobuf with a length of 4 GiB", {
  ...invalid,
  body: Uint8Array.of(0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x01),
  message: /protobuf/i,
});
refused("protobuf nested deeper than any value", {
  ...invalid,
  body: spanBody({ attributes: [deepValue(200)] }),
  message: /deep|nest/i,
});
refused("JSON that is none", {
  ...invalid,
  type: JSON_TYPE,
  body: bytes(`${CANARY} {`),
  message: /JSON/,
});
refused("JSON that is cut off", {
  ...invalid,
  type: JSON_TYPE,
  body: bytes(`{"resourceSpans":[{"x":"${CANARY}`),
  message: /JSON/,
});
refused("JSON of another shape", {
  ...invalid,
  type: JSON_TYPE,
  body: bytes(`{"resourceSpans":"${CANARY}"}`),
  message: /resourceSpans/,
});
refused("JSON nested 100,000 deep", {
  ...invalid,
  type: JSON_TYPE,
  body: bytes(`${'{"resourceSpans":['.repeat(100_000)}`),
  message: /JSON/,
});
refused("JSON without a body", { ...invalid, type: JSON_TYPE, body: bytes(""), message: /JSON/ });
refused("text", {
  type: "text/plain",
  body: bytes(CANARY),
  status: 415,
  message: /application\/x-protobuf or application\/json/,
  reason: "content_type",
});
refused("no content type", {
  type: "",
  body: bytes(CANARY),
  status: 415,
  message: /application\/x-protobuf/,
  reason: "content_type",
});
refused("an unknown compression", {
  encoding: "br",
  body: bytes(CANARY),
  status: 415,
  message: /gzip/,
  reason: "content_encoding",
});
refused("gzip that is none", {
  ...invalid,
  encoding: "gzip",
  body: bytes(CANARY),
  message: /gzip/,
});
refused("gzip that is cut off", {
  ...invalid,
  encoding: "gzip",
  body: gzipSync(spanBody({ name: CANARY })).subarray(0, -9),
  message: /gzip/,
});
refused("a gzip bomb of 200 MiB", {
  encoding: "gzip",
  body: () => zeros(200 * MIB).pipe(createGzip()),
  status: 413,
  message: /200 times/,
  reason: "too_large",
});
refused("a body of 21 MiB", {
  body: () => zeros(21 * MIB),
  status: 413,
  message: /larger than/,
  reason: "too_large",
});
refused("an endless body", {
  body: () => zeros(Number.POSITIVE_INFINITY),
  status: 413,
  message: /larger than/,
  reason: "too_large",
});

// ─── Spans that are left out, while the batch is taken ──────────────────────

type LeftOut = { readonly type?: string; readonly body: Uint8Array; readonly reason: string };

function leftOut(name: string, { type = JSON_TYPE, body, reason }: LeftOut) {
  test(`${name}: left out as ${reason}`, async () => {
    const before = await counted("dropped", reason);
    const answer = await post(body, { "content-type": type });
    assert.equal(answer.status, 200, answer.body.toString());
    assert.equal(await counted("dropped", reason), before + 1);
    await goesOn();
  });
}

const time = { reason: "invalid_time" };

leftOut("a time that is no number", { ...time, body: spanJson({ startTimeUnixNano: "NaN" }) });
leftOut("a time without end", { ...time, body: spanJson({ endTimeUnixNano: "Infinity" }) });
leftOut("a negative time", { ...time, body: spanJson({ startTimeUnixNano: "-1" }) });
leftOut("a time of null", { ...time, body: spanJson({ startTimeUnixNano: null }) });
leftOut("no time", { ...time, body: spanJson({ startTimeUnixNano: "0", endTimeUnixNano: "0" }) });
leftOut("an end before the start", {
  ...time,
  body: spanJson({ endTimeUnixNano: String(nowNs - 1_000_000_000n) }),
});
leftOut("an end before the start, in protobuf", {
  ...time,
  type: PROTOBUF,
  body: spanBody({ startNs: nowNs, endNs: nowNs - 1_000_000n }),
});
leftOut("the latest time there is, in protobuf", {
  ...time,
  type: PROTOBUF,
  body: spanBody({ startNs: 2n ** 64n - 2n, endNs: 2n ** 64n - 1n }),
});
leftOut("a short trace id", { body: spanJson({ traceId: "ab" }), reason: "invalid_trace_id" });
leftOut("a trace id of zeros", {
  body: spanJson({ traceId: "0".repeat(32) }),
  reason: "invalid_trace_id",
});
leftOut("a long trace id, in protobuf", {
  type: PROTOBUF,
  body: spanBody({ traceId: new Uint8Array(17).fill(7) }),
  reason: "invalid_trace_id",
});
leftOut("a long span id", {
  body: spanJson({ spanId: "a".repeat(18) }),
  reason: "invalid_span_id",
});
leftOut("a span id that is no hex", {
  body: spanJson({ spanId: "z".repeat(16) }),
  reason: "invalid_span_id",
});
leftOut("a short parent id, in protobuf", {
  type: PROTOBUF,
  body: spanBody({ parentId: Uint8Array.of(1) }),
  reason: "invalid_span_id",
});

// ─── What is odd, and taken ─────────────────────────────────────────────────

function taken(name: string, body: Uint8Array | (() => Readable), headers: OutgoingHttpHeaders) {
  test(`${name}: taken`, async () => {
    const { answer, grownBytes } = await withMemory(() => post(body, headers));
    assert.equal(answer.status, 200, answer.body.toString());
    assert.ok(grownBytes < 128 * MIB, `memory grew by ${grownBytes / MIB} MiB`);
    await goesOn();
  });
}

taken("an empty protobuf body", bytes(""), { "content-type": PROTOBUF });
taken("an empty JSON request", bytes("{}"), { "content-type": JSON_TYPE });
taken("a body in chunks without a length", () => Readable.from([bytes("{}"), bytes("\n")]), {
  "content-type": "Application/JSON; charset=utf-8",
});

test("an attribute of 10 MB is not kept", async () => {
  const huge = "x".repeat(10_000_000);
  const named = (name: string, key: string) =>
    spanBody({ name, attributes: [stringAttribute(key, huge)], spanId: key });
  for (const body of [
    named("unknown key", "unknown"),
    named("wanted key", "dspy.module.path"),
    spanBody({ name: huge }),
  ]) {
    const { answer, grownBytes } = await withMemory(() => post(body, { "content-type": PROTOBUF }));
    assert.equal(answer.status, 200, answer.body.toString());
    assert.ok(grownBytes < 128 * MIB, `memory grew by ${grownBytes / MIB} MiB`);
  }
  const keptBytes = readdirSync(dataDirectory).reduce(
    (sum, file) => sum + statSync(join(dataDirectory, file)).size,
    0,
  );
  assert.ok(keptBytes < 5 * MIB, `the data directory holds ${keptBytes} bytes`);
  await goesOn();
});

/** A body whose parts would be kept, were there not so many of them. */
function flood(
  name: string,
  body: () => { type: string; bytes: Uint8Array },
  reason: string | null,
) {
  test(`${name}: taken, and ${reason === null ? "read past" : `cut as ${reason}`}`, async () => {
    const before = reason === null ? 0 : await counted("dropped", reason);
    const { type, bytes: sent } = body();
    const { answer, grownBytes } = await withMemory(() => post(sent, { "content-type": type }));
    assert.equal(answer.status, 200, answer.body.toString());
    assert.ok(answer.elapsedMs < 2_000, `answered after ${answer.elapsedMs} ms`);
    assert.ok(grownBytes < 128 * MIB, `memory grew by ${grownBytes / MIB} MiB`);
    if (reason !== null) assert.ok((await counted("dropped", reason)) > before);
    await goesOn();
  });
}

const FLOOD = 100_000;
const many = <T>(one: (index: number) => T) =>
  Array.from({ length: FLOOD }, (_, index) => one(index));
const json = (fields: Record<string, unknown>) => ({ type: JSON_TYPE, bytes: spanJson(fields) });
const protobuf = (attributes: readonly Uint8Array[]) => ({
  type: PROTOBUF,
  bytes: spanBody({ attributes, spanId: "flood" }),
});
const textOf = (stringValue: string) => ({ stringValue });

flood(
  "100,000 attributes of one span",
  () => protobuf(many((n) => stringAttribute(`k${n}`, "v"))),
  null,
);
flood(
  "100,000 attributes of one span, in JSON",
  () => json({ attributes: many((n) => ({ key: `k${n}`, value: textOf("v") })) }),
  null,
);
flood(
  "one attribute 100,000 times",
  () => protobuf(many((n) => stringAttribute("dspy.module.path", `self.m${n}`))),
  null,
);
flood(
  "an attribute with 100,000 values",
  () => {
    const values = many((n) => ({ key: `input_tokens${n}`, value: textOf("1") }));
    return json({
      attributes: [{ key: "mlflow.chat.tokenUsage", value: { kvlistValue: { values } } }],
    });
  },
  "value_limit",
);
flood(
  "100,000 exceptions of one span",
  () => {
    const attributes = [{ key: "exception.type", value: textOf("ValueError") }];
    return json({ events: many(() => ({ name: "exception", attributes })) });
  },
  "exception_limit",
);
flood("100,000 links of one span", () => json({ links: many(() => ({ traceId: CANARY })) }), null);

/** Ten thousand spans of a trace, failed model calls all, each with a parent that is told by its place. */
function traceOf(parentOf: (place: number) => number | null): Uint8Array {
  const length = 10_000;
  const traceId = randomBytes(16).toString("hex");
  const idOf = (place: number) => place.toString(16).padStart(16, "c");
  const spans = Array.from({ length }, (_, place) => {
    const parent = parentOf(place);
    return {
      traceId,
      spanId: idOf(place),
      parentSpanId: parent === null ? "" : idOf(parent),
      name: "LM.__call__",
      startTimeUnixNano: String(nowNs),
      endTimeUnixNano: String(nowNs + 1_000_000n),
      attributes: [{ key: "openinference.span.kind", value: textOf("LLM") }],
      status: { code: 2 },
    };
  });
  return bytes(
    JSON.stringify({
      resourceSpans: [
        {
          resource: { attributes: [{ key: "service.name", value: textOf("odd-agent") }] },
          scopeSpans: [{ spans }],
        },
      ],
    }),
  );
}

test("odd trees of ten thousand spans stop neither the monitor nor its next start", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "odd-trees-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const odd = await start(directory);
  for (const parentOf of [
    (place: number) => (place === 0 ? null : place - 1), // each inside the one before
    (place: number) => (place + 1) % 10_000, // a circle
    (place: number) => place ^ 1, // circles of two
    (place: number) => place, // each its own parent
  ]) {
    const body = traceOf(parentOf);
    const headers = { "content-type": JSON_TYPE };
    const answer = await call({
      to: odd.server,
      method: "POST",
      path: "/v1/traces",
      headers,
      body,
    });
    assert.equal(answer.status, 200, answer.body.toString());
  }
  await odd.server.close();
  await odd.monitor.close();
  assert.equal(odd.monitor.state.tracesClosed, 4);
  const next = await start(directory);
  assert.equal(next.monitor.state.tracesClosed, 4);
  assert.equal((await call({ to: next.server, path: "/api/agents/odd-agent" })).status, 200);
  await next.server.close();
  await next.monitor.close();
});

test("a connection that breaks in the middle of a body leaves nothing behind", async () => {
  const batch = goodBatch();
  for (let time = 0; time < 20; time++) {
    const socket = connect(portOf(server), "127.0.0.1");
    socket.write(
      `POST /v1/traces HTTP/1.1\r\nHost: 127.0.0.1:${portOf(server)}\r\nContent-Type: ${PROTOBUF}\r\nContent-Length: 9999\r\n\r\n`,
    );
    socket.write(batch.body.subarray(0, 100 * time), () => socket.destroy());
    await new Promise((resolve) => socket.once("close", resolve));
  }
  await goesOn();
});

test("what is not HTTP is answered with 400", async () => {
  const socket = connect(portOf(server), "127.0.0.1");
  socket.end(`${CANARY}\r\n\r\n`);
  const answer = (await buffer(socket)).toString();
  assert.match(answer, /^HTTP\/1.1 400 /);
  assert.ok(!answer.includes(CANARY));
  await goesOn();
});

test("slow senders are cut off, and connections are bounded", async () => {
  const channel = "http.server.request.start";
  let settings: Partial<Server> = {};
  const note = (message: unknown) => {
    settings = (message as { server: Server }).server; // as Node documents the channel
  };
  diagnostics.subscribe(channel, note);
  await call({ path: "/healthz" });
  diagnostics.unsubscribe(channel, note);
  const { headersTimeout, requestTimeout, maxConnections } = settings;
  assert.deepEqual(
    { headersTimeout, requestTimeout, maxConnections },
    { headersTimeout: 10_000, requestTimeout: 30_000, maxConnections: 512 },
  );
});

// ─── Routes ─────────────────────────────────────────────────────────────────

const routes = [
  ["GET", "/"],
  ["GET", "/assets/index.js"],
  ["GET", "/healthz"],
  ["GET", "/readyz"],
  ["GET", "/metrics"],
  ["GET", "/api/overview"],
  ["GET", "/api/agents/support-agent"],
  ["POST", "/v1/traces"],
  ["POST", "/v1/metrics"],
  ["GET", "/nothing"],
  ["OPTIONS", "/v1/traces"],
] as const;

for (const [method, path] of routes) {
  for (const [name, headers] of [
    ["another host", { host: "evil.example" }],
    ["another port", { host: "127.0.0.1:1" }],
    ["another origin", { origin: "https://evil.example" }],
    ["no origin to be told", { origin: "null" }],
    ["a page of another site", { "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" }],
  ] as const) {
    test(`${method} ${path} from ${name}: 403`, async () => {
      const answer = await call({ method, path, headers });
      assert.equal(answer.status, 403);
      assert.equal(answer.headers["access-control-allow-origin"], undefined);
      assert.ok(errorOf(answer).length > 20);
    });
  }
}

for (const [method, path, status, message] of [
  ["GET", "/nothing", 404, /nothing answers GET \/nothing/],
  ["GET", "/../../etc/passwd", 404, /nothing answers/],
  ["GET", "/assets/..%2f..%2fpackage.json", 404, /nothing answers|not found/],
  ["POST", "/v1/logs", 404, /nothing answers POST/],
  ["POST", "/api/overview", 404, /nothing answers POST/],
  ["DELETE", "/", 404, /nothing answers DELETE/],
  ["GET", "/api/overview?range=bogus", 400, /5m, 15m, 1h, 6h, 24h/],
  ["GET", "/api/overview?range=__proto__", 400, /5m, 15m/],
  ["GET", "/api/overview?range=", 400, /5m, 15m/],
  ["GET", "/api/agents/support-agent?range=1y", 400, /5m, 15m/],
  ["GET", "/api/agents/nobody", 404, /no agent is called nobody/],
  ["GET", "/api/agents/%E0%A4%A", 404, /no agent/],
] as const) {
  test(`${method} ${path}: ${status}`, async () => {
    const answer = await call({ method, path, body: method === "POST" ? bytes("{}") : null });
    assert.equal(answer.status, status, answer.body.toString());
    assert.match(errorOf(answer), message);
    await goesOn();
  });
}

for (const method of ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"]) {
  for (const path of ["/v1/traces", "/v1/metrics"]) {
    test(`${method} ${path}: 405, and that it takes POST`, async () => {
      const answer = await call({ method, path, body: null });
      assert.equal(answer.status, 405);
      assert.equal(answer.headers.allow, "POST");
      if (method !== "HEAD") assert.match(errorOf(answer), /takes POST, not/);
      await goesOn();
    });
  }
}

test("every good batch counted once, and nothing else", async () => {
  const requests = () => monitor.state.agents.get("booking-agent")?.run.calls ?? 0;
  const deadlineMs = Date.now() + 10_000;
  while (requests() < goodRequests && Date.now() < deadlineMs) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.equal(requests(), goodRequests);
});

// ─── A full disk ────────────────────────────────────────────────────────────

onSmallDisk("a full disk is answered with 503 until there is room again", async (directory) => {
  const notices: string[] = [];
  const full = await start(directory, (notice) => notices.push(notice));
  const { body, headers } = goodBatch();
  const send = () =>
    call({ to: full.server, method: "POST", path: "/v1/traces", headers: { ...headers }, body });
  assert.equal((await send()).status, 200);

  const ballast = fillUp(directory);
  const answer = await untilRefused(send);
  assert.equal(answer.status, 503);
  assert.match(String(answer.headers["retry-after"]), /^\d+$/);
  assert.equal(statusOf(answer).code, 14); // UNAVAILABLE: try again
  assert.match(statusOf(answer).message, /disk/);
  assert.equal((await call({ to: full.server, path: "/healthz" })).status, 200);
  assert.equal((await call({ to: full.server, path: "/api/overview" })).status, 200);
  assert.equal((await call({ to: full.server, path: "/readyz" })).status, 503);
  assert.equal(notices.length, 1);
  assert.match(notices[0] ?? "", /cannot write to the journal.*full/);

  rmSync(ballast);
  assert.equal((await send()).status, 200);
  assert.equal((await call({ to: full.server, path: "/readyz" })).status, 200);
  await full.server.close();
  await full.monitor.close();
  assert.equal(full.monitor.state.agents.get("booking-agent")?.run.calls, 1);
});

onSmallDisk("a monitor stops on a full disk, and loses nothing it took", async (directory) => {
  const notices: string[] = [];
  const full = await start(directory, (notice) => notices.push(notice));
  const { body, headers } = goodBatch();
  const send = () =>
    call({ to: full.server, method: "POST", path: "/v1/traces", headers: { ...headers }, body });
  assert.equal((await send()).status, 200);
  const ballast = fillUp(directory);
  assert.equal((await untilRefused(send)).status, 503);
  await full.server.close();
  await full.monitor.close();
  assert.equal(
    notices.at(-1),
    "The disk is full: what was still arriving is counted after the next start.",
  );

  rmSync(ballast);
  const next = await start(directory);
  await next.server.close();
  await next.monitor.close();
  assert.equal(next.monitor.state.agents.get("booking-agent")?.run.calls, 1);
});

function onSmallDisk(name: string, run: (directory: string) => Promise<void>): void {
  test(name, async (t) => {
    const directory = mkdtempSync(join(tmpdir(), "full-disk-"));
    t.after(() => rmSync(directory, { recursive: true, force: true }));
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=2m", "tmpfs", directory], {
        stdio: "ignore",
      });
    } catch {
      t.skip("needs the right to mount a small file system");
      return;
    }
    try {
      await run(directory);
    } finally {
      execFileSync("umount", ["--lazy", directory]);
    }
  });
}

/** Returns the file that takes all the room. */
function fillUp(directory: string): string {
  const ballast = join(directory, "ballast");
  const { bavail, bsize } = statfsSync(directory);
  writeFileSync(ballast, new Uint8Array(bavail * bsize));
  return ballast;
}

/** What SQLite has room for inside its own file is still taken. */
async function untilRefused(send: () => Promise<Answer>): Promise<Answer> {
  let answer = await send();
  for (let time = 0; time < 50 && answer.status === 200; time++) answer = await send();
  return answer;
}

// ─── Sending ────────────────────────────────────────────────────────────────

type Answer = {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly elapsedMs: number;
};

/** Sends a request and checks what holds for every answer. */
async function call({
  to = server,
  method = "GET",
  path,
  headers = {},
  body = null,
}: {
  readonly to?: MonitorServer;
  readonly method?: string;
  readonly path: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: Uint8Array | (() => Readable) | null;
}): Promise<Answer> {
  const startMs = performance.now();
  const answer = await new Promise<Answer>((resolve, reject) => {
    const secret = { authorization: `Bearer ${CANARY}`, cookie: `session=${CANARY}` };
    const outgoing = request(
      {
        host: "127.0.0.1",
        port: portOf(to),
        method,
        path,
        headers: { ...secret, ...headers },
        agent: false,
      },
      (incoming) => {
        buffer(incoming).then((read) => {
          outgoing.destroy();
          const { statusCode: status = 0 } = incoming;
          const elapsedMs = performance.now() - startMs;
          resolve({ status, headers: incoming.headers, body: read, elapsedMs });
        }, reject);
      },
    );
    outgoing.on("error", reject); // after the answer it changes nothing
    if (typeof body === "function") {
      const stream = body();
      outgoing.on("close", () => stream.destroy());
      stream.pipe(outgoing);
    } else {
      if (body) outgoing.setHeader("content-length", body.length);
      outgoing.end(body ?? undefined);
    }
  });
  const said = `${answer.body.toString("latin1")}\n${JSON.stringify(answer.headers)}`;
  assert.ok(!said.includes(CANARY), `the answer quotes the request: ${said}`);
  if (answer.status >= 400) assert.doesNotMatch(said, /\bat .*:\d+:\d+|node_modules|\.ts\b/);
  assert.equal(answer.headers["x-content-type-options"], "nosniff");
  return answer;
}

function post(body: Uint8Array | (() => Readable), headers: OutgoingHttpHeaders): Promise<Answer> {
  return call({ method: "POST", path: "/v1/traces", headers, body });
}

const [recording] = readRecordings().filter(({ name }) => name.startsWith("callback-rag-0001"));

function goodBatch() {
  const batch = recording?.copy("booking-agent").batches[0];
  assert.ok(batch);
  return batch;
}

async function goesOn(): Promise<void> {
  assert.equal((await call({ path: "/healthz" })).status, 200);
  const { body, headers } = goodBatch();
  assert.equal((await post(body, headers)).status, 200);
  goodRequests++;
}

/** The google.rpc.Status of a refusal, in the encoding of its content type. */
function statusOf({ headers, body }: Answer): { readonly code: number; readonly message: string } {
  if (headers["content-type"] === JSON_TYPE) return JSON.parse(body.toString());
  assert.equal(headers["content-type"], PROTOBUF);
  const [codeTag, code = -1, messageTag, first = 0] = body;
  assert.deepEqual([codeTag, messageTag], [0x08, 0x12]);
  // A length of two bytes has its high bit set in the first.
  return { code, message: body.subarray(first < 0x80 ? 4 : 5).toString() };
}

/** What a route that is no receiver says is wrong. */
function errorOf({ headers, body }: Answer): string {
  if (headers["content-type"]?.startsWith("text/plain")) return body.toString();
  const { error } = JSON.parse(body.toString()) as { error: { message: string } };
  return error.message;
}

async function counted(what: "refused" | "dropped", reason: string): Promise<number> {
  return scrapedValue(server.url, `dspy_telemetry_${what}_total`, `reason="${reason}"`);
}

function portOf({ url }: MonitorServer): number {
  return Number(new URL(url).port);
}

/** How far memory grew while it ran: of the monitor, and of this test with it. */
async function withMemory(send: () => Promise<Answer>) {
  const startBytes = process.memoryUsage.rss();
  let mostBytes = startBytes;
  const timer = setInterval(() => {
    mostBytes = Math.max(mostBytes, process.memoryUsage.rss());
  }, 5);
  const answer = await send();
  clearInterval(timer);
  return { answer, grownBytes: mostBytes - startBytes };
}

// ─── Bodies ─────────────────────────────────────────────────────────────────

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function zeros(sizeBytes: number): Readable {
  const chunk = new Uint8Array(64 * 1024);
  let leftBytes = sizeBytes;
  return new Readable({
    read() {
      leftBytes -= chunk.length;
      this.push(leftBytes < 0 ? null : chunk);
    },
  });
}

function spanJson(fields: Record<string, unknown>): Uint8Array {
  const span = {
    traceId: "0af7651916cd43dd8448eb211c80319c",
    spanId: "b7ad6b7169203331",
    name: CANARY,
    startTimeUnixNano: String(nowNs),
    endTimeUnixNano: String(nowNs + 1_000_000n),
    ...fields,
  };
  return bytes(JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] }));
}

/** One field of a protobuf message: its length in as many bytes as it takes. */
function field(number: number, value: Uint8Array): Uint8Array {
  const head = [(number << 3) | 2];
  for (let rest = value.length; ; rest >>>= 7) {
    head.push(rest > 0x7f ? (rest & 0x7f) | 0x80 : rest);
    if (rest <= 0x7f) break;
  }
  return Buffer.concat([Uint8Array.from(head), value]);
}

function fixed64(number: number, value: bigint): Uint8Array {
  const encoded = Buffer.alloc(9);
  encoded[0] = (number << 3) | 1;
  encoded.writeBigUInt64LE(value, 1);
  return encoded;
}

/** A string attribute: `{ key = 1; AnyValue value = 2 }`, and `string_value = 1` in that. */
function stringAttribute(key: string, text: string): Uint8Array {
  return Buffer.concat([field(1, bytes(key)), field(2, field(1, bytes(text)))]);
}

/** An attribute whose value is an array in an array in an array … */
function deepValue(depth: number): Uint8Array {
  let value = field(1, bytes(CANARY));
  for (let level = 0; level < depth; level++) value = field(5, field(1, value));
  return Buffer.concat([field(1, bytes("dspy.module.path")), field(2, value)]);
}

/** An ExportTraceServiceRequest with one span, by the field numbers of OTLP. */
function spanBody({
  traceId = new Uint8Array(16).fill(9),
  spanId = "good",
  parentId = new Uint8Array(0),
  name = "span",
  startNs = nowNs,
  endNs = nowNs + 1_000_000n,
  attributes = [],
}: {
  readonly traceId?: Uint8Array;
  readonly spanId?: string;
  readonly parentId?: Uint8Array;
  readonly name?: string;
  readonly startNs?: bigint;
  readonly endNs?: bigint;
  readonly attributes?: readonly Uint8Array[];
}): Uint8Array {
  const span = Buffer.concat([
    field(1, traceId),
    field(2, bytes(spanId.padEnd(8, "-").slice(0, 8))),
    field(4, parentId),
    field(5, bytes(name)),
    fixed64(7, startNs),
    fixed64(8, endNs),
    ...attributes.map((attribute) => field(9, attribute)),
  ]);
  return field(1, field(2, field(2, span)));
}
