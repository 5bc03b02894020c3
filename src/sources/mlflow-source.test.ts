/**
 * The source against an MLflow server that fills while it is read, hour by hour
 * without waiting: what it delivers, what it asks, and what it does when the
 * server is slow to show, changes its mind or does not answer.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import fc from "fast-check";
import { createExternalLinks } from "../databricks/external-links.ts";
import { createMlflowClient } from "../databricks/mlflow-server.ts";
import { PAGE_TRACES_MAX } from "../databricks/mlflow-traces.ts";
import { createTestClock } from "../databricks/test-clock.ts";
import { OpenTraces } from "../ingest/otlp/open-traces.ts";
import { MonitorError } from "../monitor-error.ts";
import { PAGES_MAX, type SpanBatch, startMlflowSource } from "./mlflow-source.ts";

const START_MS = Date.UTC(2026, 0, 1, 12);
const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;
const HOST = "http://127.0.0.1:5000";

type Trace = {
  /** When it began, in seconds after the start. */
  atS: number;
  durationS?: number;
  /** When the server knows of it, in seconds after the start; its end if not told. */
  shownS?: number;
  /** When it ends, where the server shows it before. */
  finishedS?: number;
  spans?: number;
  /** What is answered in place of its spans. */
  refused?: number;
  /** Not all of its spans have come: the server leaves it out. */
  isUnfinished?: boolean;
  /** Its spans are kept in a file. */
  isFile?: boolean;
};

type Options = {
  /** Takes the place of every answer, while it returns one. */
  everywhere?: (path: string) => Response | Error | undefined;
  onSpans?: (batch: SpanBatch) => Promise<void>;
  fromMs?: number;
  isDatabricks?: boolean;
  experiments?: number;
};

/** A server in memory whose one experiment holds these traces, and a source that reads it each 15 s. */
function read(traces: Trace[], options: Options = {}) {
  const clock = createTestClock({ startMs: START_MS });
  const asked: string[] = [];
  const delivered: string[] = [];
  const problems: string[] = [];
  const open = new OpenTraces();
  let duplicates = 0;
  const concurrent = { now: 0, most: 0 };

  const nowS = () => (clock.now() - START_MS) / SECOND_MS;
  const hex = (trace: Trace) => (traces.indexOf(trace) + 1).toString(16).padStart(32, "0");
  const byId = (id: string | null) => traces[Number.parseInt((id ?? "").slice(3), 16) - 1];
  const isShown = ({ atS, durationS = 1, shownS = atS + durationS }: Trace) => shownS <= nowS();
  const isFinished = ({ finishedS = -Infinity }: Trace) => finishedS <= nowS();

  function info(trace: Trace) {
    const { atS, durationS = 1 } = trace;
    return {
      trace_id: `tr-${hex(trace)}`,
      request_time: new Date(START_MS + atS * SECOND_MS).toISOString(),
      execution_duration: `${isFinished(trace) ? durationS : 0}s`,
      state: isFinished(trace) ? "OK" : "IN_PROGRESS",
      tags: trace.isFile ? {} : { "mlflow.trace.spansLocation": "TRACKING_STORE" },
    };
  }

  function spansOf(trace: Trace) {
    const { atS, durationS = 1, spans = 2 } = trace;
    const base64 = (hexId: string) => Buffer.from(hexId, "hex").toString("base64");
    const nano = (s: number) => `${BigInt(START_MS + s * SECOND_MS)}000000`;
    return Array.from({ length: spans }, (_, index) => ({
      trace_id: base64(hex(trace)),
      span_id: base64((index + 1).toString(16).padStart(16, "0")),
      ...(index > 0 && { parent_span_id: base64("0000000000000001") }),
      name: index === 0 ? "RagQA.forward" : "LM.__call__",
      start_time_unix_nano: nano(atS),
      end_time_unix_nano: nano(atS + durationS),
      status: { code: "STATUS_CODE_OK" },
    }));
  }

  function answer(url: URL, body: string): Response | Error {
    const other = options.everywhere?.(url.pathname);
    if (other) return other;
    if (url.pathname.endsWith("/search")) {
      const { filter, page_token = "0" } = JSON.parse(body);
      const fromMs = Number(filter.replace("trace.timestamp_ms >= ", ""));
      const found = traces
        .filter((trace) => isShown(trace) && START_MS + trace.atS * SECOND_MS >= fromMs)
        .sort((a, b) => a.atS - b.atS);
      const end = Number(page_token) + PAGE_TRACES_MAX;
      return Response.json({
        traces: found.slice(Number(page_token), end).map(info),
        ...(end < found.length && { next_page_token: String(end) }),
      });
    }
    if (url.pathname.endsWith("/batchGet")) {
      const wanted = url.searchParams.getAll("trace_ids").map((id) => byId(id));
      const refused = wanted.find((trace) => trace?.refused)?.refused;
      if (refused) return new Response("{}", { status: refused });
      return Response.json({
        traces: wanted
          .filter((trace) => trace !== undefined)
          .filter(({ isUnfinished }) => !isUnfinished)
          .map((trace) => ({ trace_info: info(trace), spans: spansOf(trace) })),
      });
    }
    if (url.pathname.endsWith("/get-trace-artifact")) {
      const trace = byId(url.searchParams.get("request_id"));
      return Response.json({ spans: trace ? spansOf(trace) : [] });
    }
    const [, signed] = /traces\/(.*)\/credentials-for-data-download$/.exec(url.pathname) ?? [];
    if (signed) {
      const signed_uri = `https://storage.example/${signed}?sig=a%2Fb`;
      const headers = [{ name: "x-ms-version", value: "1" }];
      return Response.json({ credential_info: { signed_uri, headers } });
    }
    if (url.host === "storage.example") {
      const trace = byId(url.pathname.slice(1));
      return Response.json({ spans: trace ? spansOf(trace) : [] });
    }
    return new Response("", { status: 404 });
  }

  async function fetch(address: string, { body }: RequestInit): Promise<Response> {
    const url = new URL(address);
    const count = url.searchParams.getAll("trace_ids").length;
    asked.push(`${url.pathname.split("/").at(-1)}${count > 0 ? ` ${count}` : ""}`);
    concurrent.most = Math.max(concurrent.most, ++concurrent.now);
    await nextTurn();
    concurrent.now--;
    const result = answer(url, String(body));
    if (result instanceof Error) throw result;
    return result;
  }

  const calls = { fetch, clock, random: () => 0 };
  const source = startMlflowSource({
    server: {
      client: createMlflowClient({ ...calls, url: HOST, token: undefined }),
      download: options.isDatabricks ? createExternalLinks(calls).getText : null,
    },
    experiments: ["support", "billing", "search"]
      .slice(0, options.experiments ?? 1)
      .map((name, index) => ({ id: `${index + 1}`, name })),
    clock,
    intervalMs: 15 * SECOND_MS,
    fromMs: options.fromMs ?? START_MS - 60 * MINUTE_MS,
    async onSpans(batch) {
      await options.onSpans?.(batch);
      for (const { traceId, parentSpanId } of batch.spans) {
        if (parentSpanId === null) delivered.push(`${nowS()}s #${Number.parseInt(traceId, 16)}`);
      }
      for (const [reason, count] of batch.dropped) delivered.push(`${nowS()}s -${reason}×${count}`);
      for (const count of open.add(batch.spans, clock.now()).values()) duplicates += count;
    },
    onProblem: ({ source: name, error }) =>
      problems.push(`${name}: ${error instanceof MonitorError ? error.code : error}`),
  });

  return {
    source,
    clock,
    asked,
    problems,
    concurrent,
    duplicates: () => duplicates,
    traceCount: () => open.traceCount,
    /** What was delivered since the last time. */
    async after(seconds: number): Promise<string[]> {
      await clock.advance(seconds * SECOND_MS);
      return delivered.splice(0);
    },
    async askedDuring(seconds: number): Promise<string[]> {
      asked.length = 0;
      await clock.advance(seconds * SECOND_MS);
      return asked.splice(0);
    },
    status() {
      const [status] = source.status();
      return `${status?.state} ${status?.lagMs ?? "-"} ${status?.message}`;
    },
  };
}

test("delivers each trace once, some seconds after its end", async () => {
  const { source, after, status, duplicates } = read([
    { atS: -30 },
    { atS: 3 },
    { atS: 20, durationS: 4 },
    { atS: 24, durationS: 4 },
  ]);
  assert.deepEqual(await after(0), ["0s #1"]);
  assert.equal(status(), "ok 0 Has read what there is.");
  assert.deepEqual(await after(60), ["15s #2", "30s #3", "45s #4"]);
  assert.deepEqual(await after(3600), []);
  assert.equal(duplicates(), 0);
  await source.close();
});

test("what was read is not asked for again", async () => {
  const { source, after, askedDuring } = read([{ atS: -30 }, { atS: -20 }, { atS: -10 }]);
  await after(0);
  assert.deepEqual(new Set(await askedDuring(1800)), new Set(["search"]));
  await source.close();
});

test("a trace that the server shows ten minutes late is read all the same", async () => {
  const { source, after } = read([
    { atS: 10, shownS: 610 },
    { atS: 20, durationS: 700 },
  ]);
  assert.deepEqual(await after(600), []);
  const late = await after(300);
  assert.deepEqual(
    late.map((line) => line.replace(/^.* /, "")),
    ["#1", "#2"],
  );
  await source.close();
});

test("a trace in progress is waited for, and read as it is after ten minutes", async () => {
  const { source, after } = read([
    { atS: 0, durationS: 90, shownS: 1, finishedS: 90 },
    { atS: 1, durationS: 90, shownS: 1, finishedS: Number.POSITIVE_INFINITY },
  ]);
  assert.deepEqual(await after(90), []);
  assert.deepEqual(await after(60), ["105s #1"]);
  assert.deepEqual(await after(400), []);
  assert.equal((await after(300))[0]?.replace(/^.* /, ""), "#2");
  assert.deepEqual(await after(3600), []);
  await source.close();
});

test("a trace that changes is read once more, and counts once", async () => {
  const traces: Trace[] = [{ atS: 0 }];
  const { source, after, duplicates } = read(traces);
  assert.deepEqual(await after(30), ["15s #1"]);
  traces[0] = Object.assign(traces[0] ?? { atS: 0 }, { durationS: 3 });
  assert.deepEqual(await after(60), ["45s #1"]);
  assert.equal(duplicates(), 2);
  await source.close();
});

test("a thousand traces: in batches of ten, four calls at a time", async () => {
  const { source, after, asked, concurrent } = read(
    Array.from({ length: 1_000 }, (_, index) => ({ atS: -2000 + index })),
  );
  for (let turn = 0; turn < 30; turn++) await after(0);
  const kinds = Map.groupBy(asked, (call) => call);
  assert.deepEqual(
    Array.from(kinds, ([kind, calls]) => `${kind} ×${calls.length}`),
    ["search ×10", "batchGet 10 ×100"],
  );
  assert.equal(concurrent.most, 4);
  await source.close();
});

test("several experiments: four calls at a time in all, and each tells how far it is", async () => {
  const { source, after, asked, concurrent } = read(
    Array.from({ length: 300 }, (_, index) => ({ atS: -2000 + index })),
    { experiments: 3 },
  );
  for (let turn = 0; turn < 30; turn++) await after(0);
  assert.equal(asked.length, 3 * (3 + 30));
  assert.equal(concurrent.most, 4);
  assert.deepEqual(
    source.status().map(({ name, state, lagMs }) => `${name} ${state} ${lagMs}`),
    [
      "MLflow traces of support ok 0",
      "MLflow traces of billing ok 0",
      "MLflow traces of search ok 0",
    ],
  );
  await source.close();
});

test("more than one look can read: it goes on from there, and says that it is behind", async () => {
  const count = PAGES_MAX * PAGE_TRACES_MAX + 250;
  const { source, clock, traceCount, status } = read(
    Array.from({ length: count }, (_, index) => ({ atS: -3000 + index / 2, spans: 1 })),
  );
  for (let turn = 0; turn < 150; turn++) await clock.advance(0);
  assert.equal(traceCount(), count - 250);
  assert.match(status(), /^ok 500\d{3} Is behind, and reads on\.$/);
  await clock.advance(15 * SECOND_MS);
  for (let turn = 0; turn < 20; turn++) await clock.advance(0);
  assert.equal(traceCount(), count);
  assert.equal(status(), "ok 0 Has read what there is.");
  await source.close();
});

test("spans that are kept in files are read from there", async () => {
  const { source, after, asked } = read([{ atS: -10, isFile: true }, { atS: -10 }]);
  assert.deepEqual((await after(0)).sort(), ["0s #1", "0s #2"]);
  assert.deepEqual(asked, ["search", "batchGet 1", "get-trace-artifact"]);
  await source.close();
});

test("in Databricks by an address that it signs", async () => {
  const { source, after, asked } = read([{ atS: -10, isFile: true }], { isDatabricks: true });
  assert.deepEqual(await after(0), ["0s #1"]);
  assert.deepEqual(asked, [
    "search",
    "credentials-for-data-download",
    "tr-00000000000000000000000000000001",
  ]);
  await source.close();
});

test("a trace that can't be read hides no other, and is counted after ten minutes", async () => {
  const { source, after, status, problems } = read([
    { atS: -20 },
    { atS: -15, refused: 500 },
    { atS: -10 },
  ]);
  assert.deepEqual((await after(0)).sort(), ["0s #1", "0s #3"]);
  assert.equal(status(), "ok 0 Has read what there is, but for 1 that can't be read, or not yet.");
  const later = await after(1200);
  assert.equal(later.length, 1);
  assert.match(later[0] ?? "", /^\d+s -unreadable_trace×1$/);
  assert.deepEqual(problems, ["MLflow traces of support: MLFLOW_FAILED"]);
  assert.match(status(), /Has read what there is\.$/);
  await source.close();
});

test("a trace whose spans never all came is told at once, and counted after ten minutes", async () => {
  const { source, after, status } = read([{ atS: -20 }, { atS: -15, isUnfinished: true }]);
  assert.deepEqual(await after(0), ["0s #1"]);
  assert.equal(status(), "ok 0 Has read what there is, but for 1 that can't be read, or not yet.");
  assert.match((await after(1200))[0] ?? "", /^\d+s -unreadable_trace×1$/);
  assert.match(status(), /Has read what there is\.$/);
  await source.close();
});

test("when no trace can be read, not every one is tried", async () => {
  const { source, after, asked } = read(
    Array.from({ length: 500 }, (_, index) => ({ atS: -1000 + index, refused: 500 })),
  );
  await after(0);
  assert.ok(asked.length < 50, `${asked.length} calls`);
  await source.close();
});

test("a server that cannot be reached: told once, backed off, and nothing is lost", async () => {
  let isDown = true;
  const refused = Object.assign(new Error("x"), { code: "ECONNREFUSED" });
  const { source, after, problems, askedDuring, status } = read([{ atS: -1800 }, { atS: 60 }], {
    everywhere: () => (isDown ? new TypeError("fetch failed", { cause: refused }) : undefined),
  });
  assert.deepEqual(await after(3600), []);
  assert.equal((await askedDuring(3600)).length, 60);
  assert.deepEqual(problems, ["MLflow traces of support: MLFLOW_UNREACHABLE"]);
  assert.match(status(), /^failing - cannot search the traces .* refused by the host/);
  isDown = false;
  assert.deepEqual(
    (await after(300)).map((line) => line.replace(/^.* /, "")),
    ["#1", "#2"],
  );
  await source.close();
});

for (const [status, code] of [
  [401, "MLFLOW_UNAUTHENTICATED"],
  [403, "MLFLOW_FORBIDDEN"],
  [404, "MLFLOW_FAILED"],
] as const) {
  test(`a server that answers ${status}: told once`, async () => {
    const { source, after, problems } = read([{ atS: 0 }], {
      everywhere: () => new Response("{}", { status }),
    });
    await after(1800);
    assert.deepEqual(problems, [`MLflow traces of support: ${code}`]);
    await source.close();
  });
}

test("what is no answer of MLflow is no trace, and told", async () => {
  const { source, after, problems } = read([{ atS: -10 }], {
    everywhere: (path) =>
      path.endsWith("/batchGet") ? new Response("<html>Sign in</html>") : undefined,
  });
  assert.deepEqual(await after(60), []);
  assert.deepEqual(problems, ["MLflow traces of support: TELEMETRY_INVALID"]);
  await source.close();
});

test("what could not be stored comes again", async () => {
  let isFull = true;
  const full = new MonitorError("STORE_FULL", "The disk is full.", { hint: "Make room." });
  const { source, after, problems } = read([{ atS: -10 }], {
    onSpans: () => (isFull ? Promise.reject(full) : Promise.resolve()),
  });
  assert.deepEqual(await after(15), []);
  assert.deepEqual(problems, ["MLflow traces of support: STORE_FULL"]);
  isFull = false;
  assert.equal((await after(60)).length, 1);
  await source.close();
});

test("closing stops what is under way, and nothing comes after it", async () => {
  const { source, after, clock, asked, problems } = read([{ atS: -10 }, { atS: 10 }]);
  const closing = source.close();
  await closing;
  const calls = asked.length;
  await clock.advance(MINUTE_MS);
  assert.deepEqual(await after(3600), []);
  assert.equal(asked.length, calls);
  assert.deepEqual(problems, []);
});

test("whenever traces begin, end, show and change, each is delivered, and counts once", () => {
  const trace = fc.record({
    atS: fc.integer({ min: -600, max: 600 }),
    durationS: fc.integer({ min: 0, max: 60 }),
    lateS: fc.integer({ min: 0, max: 700 }),
    finishedS: fc.option(fc.integer({ min: -600, max: 700 }), { nil: -600 }),
    isFile: fc.boolean(),
  });
  return fc.assert(
    fc.asyncProperty(fc.array(trace, { maxLength: 40 }), async (drawn) => {
      const traces = drawn.map(({ lateS, ...rest }) => ({
        ...rest,
        shownS: rest.atS + rest.durationS + lateS,
      }));
      const { source, after, traceCount } = read(traces);
      const delivered = await after(2400);
      await source.close();
      const ids = new Set(delivered.map((line) => line.replace(/^.* /, "")));
      assert.equal(ids.size, traces.length);
      assert.equal(traceCount(), traces.length);
    }),
    { numRuns: 15 },
  );
});
