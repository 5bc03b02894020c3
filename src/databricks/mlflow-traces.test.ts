/** The answers of a real MLflow server as they were recorded, what is asked for them, and refusals. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { MonitorError } from "../monitor-error.ts";
import { createExternalLinks } from "./external-links.ts";
import { createMlflowClient } from "./mlflow-server.ts";
import {
  findExperiment,
  getTraceArtifact,
  getTraces,
  type MlflowServer,
  searchTraces,
} from "./mlflow-traces.ts";
import { createTestClock } from "./test-clock.ts";

const captures = new URL("../../fixtures/telemetry/captures/", import.meta.url);
const recorded = (name: string) =>
  new Response(readFileSync(new URL(`mlflow-rest-${name}.response.json`, captures)));
const unknown = (message: string) =>
  Response.json({ error_code: "RESOURCE_DOES_NOT_EXIST", message }, { status: 404 });

const HOST = "https://mlflow.example";
const EXPERIMENT = { id: "1", name: "support-agent" };

/** A server that gives these answers, one after the other, and what it was asked. */
function serverOf(answers: readonly Response[], { token }: { token?: string } = {}) {
  const asked: string[] = [];
  const left = [...answers];
  const calls = {
    clock: createTestClock({ skipsUpToMs: 20_000 }),
    random: () => 0,
    fetch: async (url: string, { method, body, headers }: RequestInit) => {
      const sent = new Headers(headers).get("authorization");
      asked.push(
        [method, url.replace(HOST, ""), body, sent].filter((part) => part !== null).join(" "),
      );
      return left.shift() ?? new Response("", { status: 500 });
    },
  };
  const server: MlflowServer = {
    client: createMlflowClient({ ...calls, url: `${HOST}/`, token }),
    download: null,
  };
  return { server, asked, databricks: { ...server, download: createExternalLinks(calls).getText } };
}

test("an experiment by its name", async () => {
  const { server, asked } = serverOf([recorded("experiment-get-by-name")]);
  assert.deepEqual(await findExperiment(server, "support-agent"), EXPERIMENT);
  assert.deepEqual(asked, [
    "GET /api/2.0/mlflow/experiments/get-by-name?experiment_name=support-agent",
  ]);
});

test("by its id, else by a name that is a number", async () => {
  const { server, asked } = serverOf([unknown("no id"), recorded("experiment-get-by-name")]);
  assert.deepEqual(await findExperiment(server, "2026"), EXPERIMENT);
  assert.deepEqual(asked, [
    "GET /api/2.0/mlflow/experiments/get?experiment_id=2026",
    "GET /api/2.0/mlflow/experiments/get-by-name?experiment_name=2026",
  ]);
});

test("a search: what is asked, what is told of a trace, and nothing of prompts", async () => {
  const { server, asked } = serverOf([
    recorded("traces-search-page1"),
    recorded("traces-search-page2"),
  ]);
  const first = await searchTraces(server, EXPERIMENT, { fromMs: 1.5, pageToken: null });
  const second = await searchTraces(server, EXPERIMENT, {
    fromMs: 1.5,
    pageToken: first.nextPageToken,
  });
  const { tags, version, ...told } = first.traces[0] ?? assert.fail("no trace");
  assert.deepEqual(told, {
    traceId: "tr-6d1f2e26f6bed259ef6d3265f81d45c0",
    requestTimeMs: Date.UTC(2026, 10, 23, 20, 21, 20, 171),
    durationMs: 1511,
    isInProgress: false,
    isArtifact: false,
    tokenUsage: '{"input_tokens": 263, "output_tokens": 57, "total_tokens": 320}',
    servedBy: null,
  });
  assert.equal(tags.get("service.name"), "support-agent");
  assert.match(version, /^OK 1\.511s /);
  assert.deepEqual([first.traces.length, second.traces.length], [5, 5]);
  assert.doesNotMatch(JSON.stringify([...tags]) + JSON.stringify(first), /laptop|jane/);

  const body =
    '{"locations":[{"type":"MLFLOW_EXPERIMENT","mlflow_experiment":{"experiment_id":"1"}}],"filter":"trace.timestamp_ms >= 1","max_results":100,"order_by":["timestamp_ms ASC"]';
  assert.deepEqual(asked, [
    `POST /api/3.0/mlflow/traces/search ${body}}`,
    `POST /api/3.0/mlflow/traces/search ${body},"page_token":"${first.nextPageToken}"}`,
  ]);
});

test("an experiment without traces, and entries that nothing can be asked about", async () => {
  const { server } = serverOf([
    new Response("{}"),
    Response.json({ traces: [{}, "x", { trace_id: "a", request_time: "never" }] }),
  ]);
  const page = () => searchTraces(server, EXPERIMENT, { fromMs: 0, pageToken: null });
  assert.deepEqual(await page(), { traces: [], unreadable: 0, nextPageToken: null });
  assert.deepEqual(await page(), { traces: [], unreadable: 3, nextPageToken: null });
});

test("spans: several traces at once, and the file of one", async () => {
  const { server, asked } = serverOf([new Response("a"), new Response("b")], { token: "t-1" });
  assert.equal(await getTraces(server, ["tr-1", "tr-2"]), "a");
  assert.equal(await getTraceArtifact(server, "tr-1"), "b");
  assert.deepEqual(asked, [
    "GET /api/3.0/mlflow/traces/batchGet?trace_ids=tr-1&trace_ids=tr-2 Bearer t-1",
    "GET /ajax-api/2.0/mlflow/get-trace-artifact?request_id=tr-1 Bearer t-1",
  ]);
});

const signed = (signed_uri: string) =>
  Response.json({ credential_info: { signed_uri, headers: [{ name: "x-a", value: "1" }] } });

test("the file of one in Databricks, by an address that gets no token", async () => {
  const { databricks, asked } = serverOf(
    [signed("https://storage.example/a/b?sig=c%2Fd+e"), new Response("c")],
    { token: "t-1" },
  );
  assert.equal(await getTraceArtifact(databricks, "tr-1"), "c");
  assert.deepEqual(asked, [
    "GET /api/2.0/mlflow/traces/tr-1/credentials-for-data-download Bearer t-1",
    "GET https://storage.example/a/b?sig=c%2Fd+e",
  ]);
});

// ─── Refusals ───────────────────────────────────────────────────────────────

type Ask = (setting: ReturnType<typeof serverOf>) => Promise<unknown>;
const find: Ask = ({ server }) => findExperiment(server, "support");
const file: Ask = ({ databricks }) => getTraceArtifact(databricks, "tr-1");

/** What people are told, with secrets nowhere in it. */
async function check(answers: readonly Response[], ask: Ask, expected: string): Promise<void> {
  const error: unknown = await ask(serverOf(answers, { token: "canary" })).then(
    () => assert.fail("should have failed"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof MonitorError);
  assert.doesNotMatch(
    `${error.message}${error.hint}${error.stack}${JSON.stringify(error)}`,
    /canary/,
  );
  assert.equal(`${error.code}: ${error.message}\n  Hint: ${error.hint}`, expected);
}

test("an unknown experiment", () =>
  check(
    [unknown("no such name")],
    find,
    'MLFLOW_EXPERIMENT_UNKNOWN: there is no MLflow experiment "support" on https://mlflow.example\n  Hint: Give --experiment its name as MLflow\'s page shows it (in Databricks it begins with /), or its id.',
  ));

test("a server that is none of MLflow", () =>
  check(
    [new Response("<html>", { status: 404 })],
    find,
    'MLFLOW_FAILED: cannot find the MLflow experiment "support": GET /api/2.0/mlflow/experiments/get-by-name on https://mlflow.example answered 404 with HTML of 6 characters\n  Hint: Check that https://mlflow.example is an MLflow server itself, and not too old: 3.17 is the version that was tried.',
  ));

test("a token that is refused", () =>
  check(
    [Response.json({ message: "token canary is bad" }, { status: 401 })],
    find,
    'MLFLOW_UNAUTHENTICATED: cannot find the MLflow experiment "support": GET /api/2.0/mlflow/experiments/get-by-name on https://mlflow.example answered 401: token [REDACTED] is bad\n  Hint: Set MLFLOW_TRACKING_TOKEN to a token that the server takes.',
  ));

test("a storage that refuses the address", () =>
  check(
    [signed("https://storage.example/a/b?sig=canary"), new Response("", { status: 403 })],
    file,
    "DATABRICKS_FAILED: cannot read the spans of MLflow trace tr-1: GET /a/b on https://storage.example answered 403\n  Hint: The storage behind the workspace refused it: check the network rules between here and it.",
  ));

for (const address of ["http://storage.example/a", "", "file:///etc/passwd"]) {
  test(`an address that is not fetched: ${address}`, () =>
    check(
      [signed(address)],
      file,
      "MLFLOW_FAILED: cannot read the spans of MLflow trace tr-1: GET /api/2.0/mlflow/traces/tr-1/credentials-for-data-download on https://mlflow.example answered 200, but it names no https address\n  Hint: Check that https://mlflow.example is an MLflow server itself, and not too old: 3.17 is the version that was tried.",
    ));
}

for (const [url, token] of [
  ["mlflow.example", undefined],
  ["ftp://mlflow.example", undefined],
  ["http://user:canary@mlflow.example", undefined],
  ["http://mlflow.example", "canary"],
  ["https://mlflow.example", "can\nary"],
] as const) {
  test(`an address or a token that can't be used: ${JSON.stringify([url, token])}`, () => {
    const calls = { clock: createTestClock(), random: () => 0, fetch };
    assert.throws(
      () => createMlflowClient({ ...calls, url, token }),
      (error) =>
        error instanceof MonitorError &&
        error.code === "CONFIG_INVALID" &&
        !/can\s*ary/.test(error.message),
    );
  });
}
