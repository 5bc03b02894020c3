/**
 * What recorded agents cost, on the page and in `/metrics`: told by their telemetry,
 * from the price book, or unpriced; the same after a restart.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { report } from "../src/cli/monitor/report.ts";
import { reportText } from "../src/cli/monitor/report-text.ts";
import { systemClock } from "../src/clock.ts";
import type { Monitor } from "../src/monitor/monitor.ts";
import { agentView } from "../src/server/api/agent-view.ts";
import { rangeOf } from "../src/server/api/range.ts";
import { metricsText } from "../src/server/metrics-text.ts";
import { type PriceBook, priceBookOf } from "../src/signals/price-book.ts";
import type { AgentView } from "../src/web/api.ts";
import { sendCapture, startMonitor } from "./start-monitor.ts";

/** When the bodies were recorded, give or take hours. */
const nowMs = Date.parse("2026-11-24T12:00:00Z");
const clock = { ...systemClock, now: () => nowMs, every: () => () => {} };

const told = "callback-rag-0001.otlp.pb";
const hit = "callback-rag-cached-0006.otlp.pb";
/** Model and tokens, without a cost. */
const untold = "js-genai-batch-0001.otlp.json";
/** Of a model that no list has, with the tokens of the whole request only. */
const stub = "mlflow-otlp-rag-0001.otlp.pb";

const directory = mkdtempSync(join(tmpdir(), "cost-"));
after(() => rmSync(directory, { recursive: true }));

/** A monitor that was stopped after these bodies. What it knew can still be asked. */
async function monitorAfter(
  name: string,
  files: readonly string[],
  priceBook?: PriceBook,
): Promise<Monitor> {
  const dataDirectory = join(directory, name);
  const { monitor, url, close } = await startMonitor({
    clock,
    dataDirectory,
    ...(priceBook ? { priceBook } : {}),
  });
  for (const file of files) assert.equal((await sendCapture(url, file)).status, 200);
  await close();
  return monitor;
}

async function viewOf(monitor: Monitor): Promise<AgentView> {
  const [agent] = monitor.state.agents.all();
  const range = rangeOf("24h", nowMs);
  assert.ok(agent && range);
  const source = { kind: "receiver", host: null, telemetry: "live" } as const;
  const { endpoint } = agent;
  const view = await agentView(monitor, { source }, { endpoint, name: "24h", range });
  assert.ok(view);
  return view;
}

async function costIn(monitor: Monitor) {
  const { agent, models } = await viewOf(monitor);
  return {
    usd: agent.costUsd === null ? null : Number(agent.costUsd.toFixed(9)),
    source: agent.costSource,
    unpriced: models.filter(({ unpriced }) => unpriced).map(({ model }) => model),
  };
}

function metric(monitor: Monitor, name: string): number | null {
  const value = new RegExp(`^${name}\\{.*\\} (\\S+)$`, "m").exec(metricsText(monitor, new Map()));
  return value ? Number(value[1]) : null;
}

const stubBook = priceBookOf([
  {
    names: ["openai/stub"],
    prices: [{ since: "2020-01-01", inputUsd: 1_000, outputUsd: 10_000, source: "a test" }],
  },
]);

test("what telemetry tells is shown as told", async () => {
  const monitor = await monitorAfter("told", [told]);
  assert.deepEqual(await costIn(monitor), { usd: 0.00006885, source: "told", unpriced: [] });
  assert.equal(metric(monitor, "dspy_priced_cost_usd_total"), null);
  assert.equal(metric(monitor, "dspy_cache_read_token_total"), 64);
});

test("what it does not tell is from the price book, the prompt cache at its own rate", async () => {
  const monitor = await monitorAfter("priced", [untold]);
  // (263 - 64) × 0.15 + 64 × 0.075 + 57 × 0.6, in millionths
  assert.deepEqual(await costIn(monitor), { usd: 0.00006885, source: "price_book", unpriced: [] });
  assert.equal(metric(monitor, "dspy_priced_cost_usd_total")?.toFixed(9), "0.000068850");
  const text = reportText(report(monitor, { page: "", telemetry: "live" }));
  assert.match(text, /^support-agent-js: the cost is from the price book/m);
});

test("a model that no list has is unpriced, and said to be", async () => {
  const monitor = await monitorAfter("unpriced", [stub]);
  assert.deepEqual(await costIn(monitor), { usd: null, source: null, unpriced: ["stub"] });
  assert.equal((await viewOf(monitor)).agent.unpricedCalls, 1);
  assert.equal(metric(monitor, "dspy_unpriced_calls_total"), 1);
  assert.equal(metric(monitor, "dspy_cost_usd_total"), null);
  const text = reportText(report(monitor, { page: "", telemetry: "live" }));
  assert.match(text, /^support-agent: 1 model call had no price \(stub\)/m);
});

test("a cost beside unpriced calls is of the priced part", async () => {
  const monitor = await monitorAfter("part", [told, stub]);
  assert.deepEqual(await costIn(monitor), { usd: 0.00006885, source: "told", unpriced: ["stub"] });
  assert.equal((await viewOf(monitor)).agent.unpricedCalls, 1);
});

test("the user's price book prices what the built-in one does not", async () => {
  const monitor = await monitorAfter("own", [stub], stubBook);
  // 263 × 1000 + 57 × 10000, in millionths
  assert.deepEqual(await costIn(monitor), { usd: 0.833, source: "price_book", unpriced: [] });
});

test("after a restart with the same price book the figures are the same", async () => {
  const before = await viewOf(await monitorAfter("restart", [stub, told], stubBook));
  const after = await viewOf(await monitorAfter("restart", [], stubBook));
  assert.deepEqual(after.agent, {
    ...before.agent,
    requestsPerSecond: after.agent.requestsPerSecond,
  });
  assert.deepEqual([after.modules, after.models], [before.modules, before.models]);
  assert.equal(after.agent.costSource, "both");
});

test("with another price book what was seen before is priced anew", async () => {
  await monitorAfter("other", [stub]);
  assert.equal((await costIn(await monitorAfter("other", [], stubBook))).usd, 0.833);
});

test("requests that DSPy's cache answered stand apart from the others", async () => {
  const { agent } = await viewOf(await monitorAfter("cache", [told, hit]));
  assert.deepEqual([agent.byCache?.hit.requests, agent.byCache?.miss.requests], [1, 1]);
  const { hit: fast, miss: slow } = agent.byCache ?? assert.fail("the cache is told");
  assert.ok((fast.latencyMs?.p95 ?? 0) < (slow.latencyMs?.p50 ?? 0));
  assert.deepEqual(agent.tokens, { input: 263, output: 57, cacheRead: 64 });
  assert.equal(agent.savedCostUsd, null, "this telemetry does not tell what was saved");
});

test("where the cache is not told, nothing is said of it", async () => {
  assert.equal((await viewOf(await monitorAfter("silent", [stub]))).agent.byCache, null);
});
