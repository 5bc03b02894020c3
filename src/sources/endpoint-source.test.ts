/**
 * The source against a workspace that changes, hour by hour without waiting: what
 * it tells, what it asks, and what it does when nothing answers.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { createDatabricksClient } from "../databricks/client.ts";
import { Secret } from "../databricks/secret.ts";
import { createTestClock } from "../databricks/test-clock.ts";
import { MonitorError } from "../monitor-error.ts";
import type { EndpointBatch } from "./endpoint-calls.ts";
import { startEndpointSource } from "./endpoint-source.ts";
import { WATCHED_ENDPOINTS_MAX } from "./endpoint-states.ts";

const START_MS = Date.UTC(2026, 0, 1, 12);
const MINUTE_MS = 60_000;
const HOST = "https://dbc.cloud.databricks.com";

type Endpoint = {
  ready?: string;
  update?: string;
  /** The state of its one entity, which a list leaves out. */
  deployment?: [state: string, message: string];
  /** The text of its metrics, or a status that refuses them. */
  metrics?: string | number;
  /** A status that refuses what the list leaves out. */
  detail?: number;
  /** How long it takes to tell what the list leaves out. */
  detailTakesMs?: number;
};

type Options = {
  /** Takes the place of every answer, while it returns one. */
  everywhere?: () => Response | Error | undefined;
  onBatch?: (batch: EndpointBatch) => Promise<void>;
};

/** A workspace in memory, and a source that watches it every minute. */
function watch(endpoints: Record<string, Endpoint>, options: Options = {}) {
  const clock = createTestClock({ startMs: START_MS });
  const seen: string[] = [];
  const lines: string[] = [];
  const problems: string[] = [];
  const concurrent = { now: 0, most: 0 };

  function answer(path: string): Response | Error {
    const other = options.everywhere?.();
    if (other) return other;
    if (path === "/api/2.0/serving-endpoints") {
      return Response.json({
        endpoints: Object.entries(endpoints).map(([name, endpoint]) =>
          shape(name, endpoint, false),
        ),
      });
    }
    const [, name = "", metrics] = /serving-endpoints\/([^/]+)(\/metrics)?$/.exec(path) ?? [];
    const endpoint = endpoints[name];
    if (!endpoint) return new Response("", { status: 404 });
    if (!metrics && endpoint.detail) return new Response("", { status: endpoint.detail });
    if (!metrics) return Response.json(shape(name, endpoint, true));
    const text = endpoint.metrics ?? "request_count_total 3\n";
    return typeof text === "number" ? new Response("", { status: text }) : new Response(text);
  }

  const client = createDatabricksClient({
    credentials: {
      host: HOST,
      signIn: { kind: "token", token: new Secret("dapi-canary") },
      source: "environment",
    },
    async fetch(url, { method }) {
      const path = url.slice(HOST.length);
      seen.push(`${method} ${path}`);
      concurrent.most = Math.max(concurrent.most, ++concurrent.now);
      await nextTurn();
      const takesMs = endpoints[path.split("/")[4] ?? ""]?.detailTakesMs ?? 0;
      if (takesMs > 0 && !path.endsWith("/metrics")) {
        await new Promise<void>((resolve) => clock.after(takesMs, resolve));
      }
      concurrent.now--;
      const result = answer(path);
      if (result instanceof Error) throw result;
      return result;
    },
    clock,
    random: () => 0,
  });

  const source = startEndpointSource({
    client,
    clock,
    intervalMs: MINUTE_MS,
    metricsIntervalMs: MINUTE_MS,
    async onBatch(batch) {
      await options.onBatch?.(batch);
      const at = (timeMs: number) => new Date(timeMs).toISOString().slice(11, 16);
      for (const { timeMs, component, status, state } of batch.health) {
        lines.push(`${at(timeMs)} ${component} ${status}/${state}`);
      }
      for (const { timeMs, endpoint, name, value } of batch.samples) {
        lines.push(`${at(timeMs)} ${endpoint} ${name} ${value}`);
      }
      for (const [reason, count] of batch.dropped)
        lines.push(`${at(clock.now())} -${reason} ×${count}`);
    },
    onProblem({ source: name, error }) {
      problems.push(`${name} ${error instanceof MonitorError ? error.code : error}`);
    },
  });

  return {
    source,
    clock,
    seen,
    problems,
    concurrent,
    /** What was told since the last time, sorted, since endpoints are asked side by side. */
    async after(minutes: number): Promise<string[]> {
      await clock.advance(minutes * MINUTE_MS);
      return lines.splice(0).sort();
    },
    status: () =>
      source.status().map(({ name, state, lagMs, message }) => {
        return `${name} ${state} ${lagMs === null ? "-" : lagMs / 1000} ${message}`;
      }),
  };
}

function shape(name: string, endpoint: Endpoint, isWhole: boolean) {
  const { ready = "READY", update = "NOT_UPDATING", deployment } = endpoint;
  const [state, message] = deployment ?? ["DEPLOYMENT_READY", ""];
  return {
    name,
    state: { ready, config_update: update },
    config: {
      served_entities: [
        {
          name: `${name}-1`,
          entity_name: "ml.agents.a",
          entity_version: "1",
          ...(isWhole && { state: { deployment: state, deployment_state_message: message } }),
        },
      ],
    },
  };
}

test("tells state and metrics of every endpoint, each minute", async () => {
  const { source, after, status } = watch({ a: {}, b: { metrics: "cpu_usage_percentage 5" } });
  assert.deepEqual(status(), [
    "endpoints waiting - Has not been asked yet.",
    "endpoint-metrics waiting - Has not been asked yet.",
  ]);
  assert.deepEqual(await after(0), [
    "12:00 a request_count_total 3",
    "12:00 b cpu_usage_percentage 5",
    "12:00 endpoint/a healthy/ready",
    "12:00 endpoint/b healthy/ready",
    "12:00 workspace healthy/ready",
  ]);
  assert.equal((await after(60)).length, 60 * 5);
  assert.deepEqual(status(), [
    "endpoints ok 0 Watches 2 endpoints.",
    "endpoint-metrics ok 0 Reads the metrics of 2 endpoints.",
  ]);
  await source.close();
});

test("only ever reads", async () => {
  const { source, after, seen } = watch({ a: { ready: "NOT_READY" }, b: { metrics: "" }, c: {} });
  await after(30);
  assert.deepEqual(
    new Set(seen),
    new Set([
      "GET /api/2.0/serving-endpoints",
      "GET /api/2.0/serving-endpoints/a",
      "GET /api/2.0/serving-endpoints/a/metrics",
      "GET /api/2.0/serving-endpoints/b",
      "GET /api/2.0/serving-endpoints/b/metrics",
      "GET /api/2.0/serving-endpoints/c/metrics",
    ]),
  );
  await source.close();
});

test("an idle endpoint is seen to be cold, and asked about it every five minutes only", async () => {
  const cold: Endpoint = { metrics: "", deployment: ["DEPLOYMENT_READY", "Scaled to zero"] };
  const { source, after, seen } = watch({ a: cold });
  assert.ok((await after(0)).includes("12:00 endpoint/a healthy/ready"));
  assert.deepEqual(await after(1), [
    "12:01 endpoint/a healthy/cold",
    "12:01 endpoint/a healthy/ready",
    "12:01 workspace healthy/ready",
  ]);
  // From here on it is cold, also while it is asked again.
  assert.ok(!(await after(9)).some((line) => line.endsWith("endpoint/a healthy/ready")));
  assert.equal(seen.filter((call) => call.endsWith("/a")).length, 2);

  cold.metrics = "request_count_total 1";
  await after(1);
  assert.deepEqual(await after(1), [
    "12:12 a request_count_total 1",
    "12:12 endpoint/a healthy/ready",
    "12:12 workspace healthy/ready",
  ]);
  await source.close();
});

test("an endpoint that is not ready says why, and is asked each time", async () => {
  const batches: EndpointBatch[] = [];
  const a: Endpoint = { ready: "NOT_READY", deployment: ["DEPLOYMENT_FAILED", "Out of memory"] };
  const { source, after } = watch({ a }, { onBatch: async (batch) => void batches.push(batch) });
  await after(0);
  // The list says at once that it is not ready; why comes as soon as it is known.
  const told = batches.flatMap(({ health }) => health).filter(({ endpoint }) => endpoint === "a");
  assert.deepEqual(
    told.map(({ message }) => message),
    [
      "Not ready to serve.",
      'Not ready to serve: a-1 (ml.agents.a version 1) is DEPLOYMENT_FAILED, "Out of memory".',
    ],
  );
  await source.close();
});

test("an endpoint that can't be asked why it is not ready hides the reason of no other", async () => {
  const batches: EndpointBatch[] = [];
  const notReady: Endpoint = { ready: "NOT_READY", deployment: ["DEPLOYMENT_FAILED", "No memory"] };
  const broken = Array.from({ length: 9 }, (_, i) => [`z${i}`, { ...notReady, detail: 500 }]);
  const { source, after } = watch(
    { ...Object.fromEntries(broken), zz: notReady },
    { onBatch: async (batch) => void batches.push(batch) },
  );
  await after(1);
  const messages = batches.flatMap(({ health }) => health).map(({ message }) => message);
  assert.ok(messages.some((message) => message.includes("No memory")));
  await source.close();
});

test("endpoints that are slow to say why delay no state", async () => {
  const slow: Endpoint = {
    ready: "NOT_READY",
    deployment: ["DEPLOYMENT_FAILED", "Out of memory"],
    detailTakesMs: 25_000,
  };
  const named = (name: string) => [name, slow] as const;
  const endpoints = Object.fromEntries(Array.from({ length: 40 }, (_, i) => named(`s${100 + i}`)));
  const reasons: string[] = [];
  const { source, after, clock, concurrent } = watch(
    { ...endpoints, a: {} },
    {
      async onBatch({ health }) {
        reasons.push(...health.map(({ message }) => message).filter((m) => m.includes("memory")));
      },
    },
  );
  const first = await after(0);
  assert.equal(first.filter((line) => line.startsWith("12:00 endpoint/")).length, 41);
  await clock.advance(26_000);
  assert.equal(reasons.length, 4, "each reason comes as it is known");
  const polls = (await after(4)).filter((line) => line.endsWith("workspace healthy/ready"));
  assert.equal(polls.length, 4, "one list a minute");
  assert.ok(concurrent.most <= 9, "a list, four reasons and four metrics");
  await source.close();
});

test("a reason that comes late is not told of an endpoint that is ready by now", async () => {
  const notReady: Endpoint = {
    ready: "NOT_READY",
    deployment: ["DEPLOYMENT_FAILED", "Out of memory"],
    detailTakesMs: 25_000,
  };
  const others = Array.from({ length: 9 }, (_, i) => [`a${i}`, notReady] as const);
  const last = { ...notReady };
  const told: string[] = [];
  const { source, clock } = watch(
    { ...Object.fromEntries(others), z: last },
    {
      async onBatch({ health }) {
        const [z] = health.filter(({ endpoint }) => endpoint === "z");
        if (z) told.push(`${z.status}${z.message.includes("memory") ? ", with its reason" : ""}`);
      },
    },
  );
  // It is asked in the third round, from 12:00:50 on; the list of 12:01 has it ready.
  await clock.advance(59_000);
  last.ready = "READY";
  await clock.advance(5_000);
  last.ready = "NOT_READY";
  await clock.advance(40_000);
  assert.deepEqual(told, ["unhealthy", "healthy"]);
  await source.close();
});

test("an endpoint that is gone is unknown, once", async () => {
  const endpoints: Record<string, Endpoint> = { a: {}, b: {} };
  const { source, after } = watch(endpoints);
  await after(0);
  delete endpoints.b;
  assert.deepEqual(await after(2), [
    "12:01 a request_count_total 3",
    "12:01 endpoint/a healthy/ready",
    "12:01 endpoint/b unknown/gone",
    "12:01 workspace healthy/ready",
    "12:02 a request_count_total 3",
    "12:02 endpoint/a healthy/ready",
    "12:02 workspace healthy/ready",
  ]);
  await source.close();
});

test("a workspace that cannot be reached: told, endpoints unknown, and back within a minute", async () => {
  let isDown = false;
  const refused = Object.assign(new Error("x"), { code: "ECONNREFUSED" });
  const { source, after, status, problems } = watch(
    { a: {} },
    { everywhere: () => (isDown ? new TypeError("fetch failed", { cause: refused }) : undefined) },
  );
  await after(0);
  isDown = true;
  assert.deepEqual(await after(4), [
    "12:01 workspace unhealthy/unreachable",
    "12:02 endpoint/a unknown/unreachable",
    "12:02 workspace unhealthy/unreachable",
    "12:03 endpoint/a unknown/unreachable",
    "12:03 workspace unhealthy/unreachable",
    "12:04 endpoint/a unknown/unreachable",
    "12:04 workspace unhealthy/unreachable",
  ]);
  await after(16);
  assert.deepEqual(problems, [
    "endpoints DATABRICKS_UNREACHABLE",
    "endpoint-metrics DATABRICKS_UNREACHABLE",
  ]);
  assert.equal(
    status()[0],
    `endpoints failing 1200 cannot list the serving endpoints: GET /api/2.0/serving-endpoints on ${HOST} was refused by the host (ECONNREFUSED)`,
  );
  isDown = false;
  assert.deepEqual(await after(1), [
    "12:21 a request_count_total 3",
    "12:21 endpoint/a healthy/ready",
    "12:21 workspace healthy/ready",
  ]);
  await source.close();
});

test("what the workspace says as it fails is told without secrets and control characters", async () => {
  const messages: string[] = [];
  const said = "boom \u001b[31m for dapi0123456789abcdef0123456789abcdef";
  const { source, after, status } = watch(
    { a: {} },
    {
      everywhere: () =>
        Response.json({ error_code: "BAD_REQUEST", message: said }, { status: 400 }),
      onBatch: async ({ health }) => void messages.push(...health.map(({ message }) => message)),
    },
  );
  await after(0);
  for (const text of [...messages, status()[0] ?? ""]) {
    assert.match(text, /answered 400 BAD_REQUEST: boom/);
    assert.doesNotMatch(text, /dapi0|\p{Cc}/u);
  }
  assert.equal(messages.length, 1);
  await source.close();
});

test("a token that is refused from the start", async () => {
  const { source, after, problems } = watch(
    { a: {} },
    { everywhere: () => new Response("{}", { status: 401 }) },
  );
  assert.deepEqual(await after(1), [
    "12:00 workspace unhealthy/denied",
    "12:01 workspace unhealthy/denied",
  ]);
  assert.deepEqual(problems, ["endpoints DATABRICKS_UNAUTHENTICATED"]);
  await source.close();
});

test("an endpoint without metrics is left alone for five minutes, and hides no other", async () => {
  const { source, after, status, seen, problems } = watch({ a: {}, llm: { metrics: 404 } });
  await after(10);
  assert.equal(seen.filter((call) => call.endsWith("/llm/metrics")).length, 3);
  assert.equal(seen.filter((call) => call.endsWith("/a/metrics")).length, 11);
  assert.equal(
    status()[1],
    "endpoint-metrics ok 0 Reads the metrics of 1 endpoint; 1 without, such as llm (404).",
  );
  assert.deepEqual(problems, []);
  await source.close();
});

test("a sign-in page instead of metrics is no metrics, and makes no endpoint idle", async () => {
  const { source, after, status, seen } = watch({
    a: {},
    b: { metrics: "<!DOCTYPE html>\n<html><body>Sign in</body></html>\n" },
  });
  await after(4);
  assert.equal(
    status()[1],
    "endpoint-metrics ok 0 Reads the metrics of 1 endpoint; 1 without, such as b (not Prometheus text).",
  );
  assert.ok(!seen.includes("GET /api/2.0/serving-endpoints/b"));
  await source.close();
});

test("metrics that are forbidden are a problem, told once", async () => {
  const { source, after, problems } = watch({ a: {}, b: { metrics: 403 }, c: { metrics: 403 } });
  await after(10);
  assert.deepEqual(problems, ["endpoint-metrics DATABRICKS_FORBIDDEN"]);
  await source.close();
});

test("when metrics fail everywhere, not every endpoint is tried", async () => {
  const broken = Object.fromEntries(
    Array.from({ length: 100 }, (_, i) => [`e${i}`, { metrics: 500 }]),
  );
  const { source, after, seen, problems } = watch(broken);
  await after(0);
  const calls = seen.filter((call) => call.endsWith("/metrics")).length;
  assert.ok(calls <= 8, `${calls} calls`);
  assert.deepEqual(problems, ["endpoint-metrics DATABRICKS_FAILED"]);
  await source.close();
});

test("endpoints whose metrics fail do not hide those after them", async () => {
  const broken = Object.fromEntries(
    Array.from({ length: 9 }, (_, i) => [`a${i}`, { metrics: 500 }]),
  );
  const { source, after, status } = watch({ ...broken, z: {} });
  await after(0);
  assert.ok((await after(2)).some((line) => line.endsWith("z request_count_total 3")));
  await after(10);
  assert.match(
    status()[1] ?? "",
    /^endpoint-metrics ok 0 Reads .* 9 without, such as a0 \(500\)\.$/,
  );
  await source.close();
});

test("a large workspace: a few calls at a time, up to the limit, the rest counted", async () => {
  const many = Object.fromEntries(
    Array.from({ length: WATCHED_ENDPOINTS_MAX + 7 }, (_, i) => [`e${1000 + i}`, {}]),
  );
  const { source, clock, status, concurrent, after } = watch(many);
  for (let turn = 0; turn < 100; turn++) await clock.advance(0);
  const told = await after(0);
  assert.ok(told.includes("12:00 -endpoints_over_limit ×7"));
  assert.equal(told.filter((line) => line.includes("request_count_total")).length, 500);
  assert.equal(concurrent.most, 4);
  for (let turn = 0; turn < 100; turn++) await clock.advance(0);
  const again = await after(1);
  assert.ok(
    !again.some((line) => line.includes("over_limit")),
    "the same ones are not counted twice",
  );
  assert.equal(
    status()[0],
    "endpoints ok 0 Watches 500 endpoints; 7 more are left out, beyond the limit.",
  );
  await source.close();
});

test("what could not be stored comes again", async () => {
  let isFull = true;
  const full = new MonitorError("STORE_FULL", "The disk is full.", { hint: "Make room." });
  const { source, after, problems, status } = watch(
    { a: {} },
    { onBatch: () => (isFull ? Promise.reject(full) : Promise.resolve()) },
  );
  assert.deepEqual(await after(1), []);
  assert.deepEqual(problems, ["endpoints STORE_FULL"]);
  assert.match(status()[0] ?? "", /^endpoints failing - The disk is full\.$/);
  isFull = false;
  assert.deepEqual(await after(1), [
    "12:02 a request_count_total 3",
    "12:02 endpoint/a healthy/ready",
    "12:02 workspace healthy/ready",
  ]);
  await source.close();
});

test("a slow store is never given two batches at once, and no poll overlaps another", async () => {
  let inStore = 0;
  let mostInStore = 0;
  const { source, after, clock, seen } = watch(
    { a: {}, b: {}, c: {} },
    {
      async onBatch() {
        mostInStore = Math.max(mostInStore, ++inStore);
        await new Promise<void>((resolve) => clock.after(2.5 * MINUTE_MS, resolve));
        inStore--;
      },
    },
  );
  await after(30);
  assert.equal(mostInStore, 1);
  assert.ok(seen.filter((call) => call.endsWith("/serving-endpoints")).length <= 12);
  const closing = source.close();
  await clock.advance(10 * MINUTE_MS);
  await closing;
});

test("closing stops what is under way, and nothing comes after it", async () => {
  const { source, after, clock, seen, problems } = watch({ a: {}, b: {} });
  await after(0);
  const closing = clock.advance(MINUTE_MS);
  await source.close();
  await closing;
  const calls = seen.length;
  assert.deepEqual(
    (await after(60)).filter((line) => line.startsWith("13")),
    [],
  );
  assert.equal(seen.length, calls);
  assert.deepEqual(problems, []);
});

test("when Databricks asks to wait, it is left alone that long", async () => {
  let isBusy = true;
  const busy = () =>
    isBusy ? new Response("{}", { status: 429, headers: { "retry-after": "200" } }) : undefined;
  const { source, after, seen } = watch({ a: {} }, { everywhere: busy });
  await after(3);
  assert.equal(seen.length, 1);
  isBusy = false;
  await after(1);
  assert.ok(seen.length > 1);
  await source.close();
});
