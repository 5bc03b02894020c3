/** A trace that arrives over OTLP and is read from MLflow's REST API counts once, whichever comes first. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { systemClock } from "../src/clock.ts";
import { createMlflowClient } from "../src/databricks/mlflow-server.ts";
import { createTestClock } from "../src/databricks/test-clock.ts";
import type { Monitor } from "../src/monitor/monitor.ts";
import { startMlflowSource } from "../src/sources/mlflow-source.ts";
import { sendCapture, startMonitor } from "./start-monitor.ts";

const captures = new URL("../fixtures/telemetry/captures/", import.meta.url);
const recorded = (name: string) =>
  new Response(readFileSync(new URL(`mlflow-rest-${name}.response.json`, captures)));
/** Eight traces, of which the recorded answer over REST has the first. */
const OTLP = "mlflow-dual-batch-0001.otlp.pb";

type Way = (started: { monitor: Monitor; url: string }) => Promise<void>;

const overOtlp: Way = async ({ url }) => assert.equal((await sendCapture(url, OTLP)).status, 200);

/** As long after the recording as the source waits for late spans. */
const overRest: Way = async ({ monitor }) => {
  const clock = createTestClock({ startMs: Date.UTC(2026, 10, 23, 20, 25) });
  let searched = false;
  const client = createMlflowClient({
    url: "http://127.0.0.1:5000",
    token: undefined,
    clock,
    random: () => 0,
    fetch: async (address) => {
      if (!address.endsWith("/search")) return recorded("traces-batchGet");
      const page = searched ? new Response("{}") : recorded("traces-search-page1");
      searched = true;
      return page;
    },
  });
  const problems: unknown[] = [];
  const source = startMlflowSource({
    server: { client, download: null },
    experiments: [{ id: "1", name: "support-agent" }],
    clock,
    intervalMs: 15_000,
    fromMs: 0,
    onSpans: ({ spans, dropped }) => monitor.takeSpans(spans, dropped),
    onProblem: ({ error }) => problems.push(error),
  });
  while (source.status()[0]?.state === "waiting") await clock.advance(0);
  await source.close();
  assert.deepEqual(problems, []);
};

type Totals = {
  requests: number;
  tokens: unknown;
  modules: Record<string, number>;
  reasons: string[];
};

async function seen(ways: readonly Way[]): Promise<Totals> {
  // Without timers, so that no trace closes before all have come.
  const started = await startMonitor({ clock: { ...systemClock, every: () => () => {} } });
  for (const way of ways) await way(started);
  await started.close();
  const { agents, dropped } = started.monitor.state;
  assert.deepEqual(
    agents.all().map(({ endpoint }) => endpoint),
    ["support-agent"],
  );
  const [agent] = agents.all();
  return {
    requests: agent?.run.calls ?? 0,
    tokens: agent?.run.tokens ?? null,
    modules: Object.fromEntries(
      agent?.places.inOrder.map(({ path, run }) => [path, run.calls]) ?? [],
    ),
    reasons: [...dropped.keys()],
  };
}

test("alone, it is the one request with its modules and tokens", async () => {
  assert.deepEqual(await seen([overRest]), {
    requests: 1,
    tokens: { input: 263, output: 57 },
    modules: {
      "RagQA.forward": 1,
      "Retrieve.forward": 1,
      "ChainOfThought.forward": 1,
      "Predict.forward": 1,
    },
    reasons: [],
  });
});

const both: [string, Way[]][] = [
  ["OTLP, then REST", [overOtlp, overRest]],
  ["REST, then OTLP", [overRest, overOtlp]],
  ["each twice", [overRest, overOtlp, overRest, overOtlp]],
];
for (const [name, ways] of both) {
  test(`${name}: the figures are those of OTLP alone`, async () => {
    const { reasons, ...figures } = await seen(ways);
    const { reasons: _, ...alone } = await seen([overOtlp]);
    assert.deepEqual(figures, alone);
    assert.equal(alone.requests, 8);
    assert.deepEqual(reasons, ["duplicate_span"]);
  });
}
