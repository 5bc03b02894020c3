/**
 * A real MLflow server takes the recorded bodies over OTLP, and the source reads
 * their traces back over REST: the same spans, and the same signals, in every
 * convention.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { createMlflowClient } from "../../src/databricks/mlflow-server.ts";
import { findExperiment, getTraceArtifact } from "../../src/databricks/mlflow-traces.ts";
import { createTestClock } from "../../src/databricks/test-clock.ts";
import { readTraceArtifact } from "../../src/ingest/mlflow/read-traces.ts";
import { agentSpans } from "../../src/ingest/otlp/agent-span.ts";
import { assembleTrace } from "../../src/ingest/otlp/assemble-trace.ts";
import { decodeTracesProtobuf } from "../../src/ingest/otlp/decode-protobuf.ts";
import type { AgentSpan } from "../../src/signals/span.ts";
import { startMlflowSource } from "../../src/sources/mlflow-source.ts";
import { startMlflow } from "./start-mlflow.ts";

const captures = new URL("../../fixtures/telemetry/captures/", import.meta.url);
/** All but the one that holds traces of others, sent another way. */
const files = readdirSync(captures).filter(
  (name) => name.endsWith(".otlp.pb") && !name.startsWith("mlflow-dual-batch"),
);
const conventions = ["callback", "openinference", "mlflow-otlp", "mlflow-genai", "mlflow-client"];
const EXPERIMENT = "recorded agents";
/** After all that was recorded. */
const NOW_MS = Date.UTC(2026, 10, 26, 23);

let server: Awaited<ReturnType<typeof startMlflow>>;
before(async () => {
  server = await startMlflow();
});
after(() => server?.stop());

test("traces over REST are the traces over OTLP", async (t) => {
  const client = createMlflowClient({
    url: server.host,
    token: undefined,
    fetch,
    clock: createTestClock(),
    random: Math.random,
  });
  const mlflow = { client, download: null };
  const id = await newExperiment(EXPERIMENT);
  const experiment = await findExperiment(mlflow, EXPERIMENT);
  assert.deepEqual(experiment, { id, name: EXPERIMENT });
  assert.deepEqual(await findExperiment(mlflow, id), experiment);
  await assert.rejects(findExperiment(mlflow, "another"), { code: "MLFLOW_EXPERIMENT_UNKNOWN" });

  for (const file of files) await post(file, id);
  const expected = byTrace(files.flatMap(spansSent));
  const read = byTrace(await readAll(mlflow, experiment));

  for (const convention of conventions) {
    await t.test(convention, () => {
      const sent = files.filter((file) => file.startsWith(convention)).flatMap(spansSent);
      const traceIds = new Set(sent.map(({ traceId }) => traceId));
      assert.ok(traceIds.size > 5);
      for (const traceId of traceIds) {
        const [otlp, rest] = [expected.get(traceId) ?? [], read.get(traceId) ?? []];
        assert.deepEqual(rest, otlp);
        assert.deepEqual(assembleTrace(rest), assembleTrace(otlp));
      }
    });
  }

  await t.test("as files too", async () => {
    for (const [traceId, spans] of expected) {
      const tags = new Map([["service.name", spans[0]?.endpoint ?? ""]]);
      const version = spans[0]?.modelVersion;
      if (version) tags.set("service.version", version);
      const about = { traceId: `tr-${traceId}`, tags, tokenUsage: null, servedBy: null };
      const file = await getTraceArtifact(mlflow, about.traceId);
      const { traces, dropped } = readTraceArtifact(file, about, { endpoint: "unused" });
      assert.deepEqual([...dropped], []);
      assert.deepEqual(byTrace(traces.get(about.traceId) ?? []).get(traceId), spans);
    }
  });
});

/** What a source reads in its first look, of everything that ever was. */
async function readAll(
  mlflow: Parameters<typeof findExperiment>[0],
  experiment: Awaited<ReturnType<typeof findExperiment>>,
): Promise<AgentSpan[]> {
  const spans: AgentSpan[] = [];
  const problems: unknown[] = [];
  const source = startMlflowSource({
    server: mlflow,
    experiments: [experiment],
    clock: createTestClock({ startMs: NOW_MS }),
    intervalMs: 15_000,
    fromMs: 0,
    async onSpans(batch) {
      spans.push(...batch.spans);
      problems.push(...batch.dropped);
    },
    onProblem: ({ error }) => problems.push(error),
  });
  while (source.status()[0]?.state === "waiting") await delay(20);
  await source.close();
  assert.deepEqual(problems, []);
  return spans;
}

function spansSent(file: string): AgentSpan[] {
  const body = readFileSync(new URL(file, captures));
  return decodeTracesProtobuf(body, agentSpans).spans.map((span) => ({
    ...span,
    // Over OTLP nothing names such an agent; over REST its experiment does.
    endpoint: span.endpoint === "unknown" ? EXPERIMENT : span.endpoint,
  }));
}

function byTrace(spans: readonly AgentSpan[]): Map<string, AgentSpan[]> {
  const inOrder = spans.toSorted((a, b) => (a.spanId < b.spanId ? -1 : 1));
  return Map.groupBy(inOrder, ({ traceId }) => traceId);
}

async function post(file: string, experimentId: string): Promise<void> {
  const response = await fetch(`${server.host}/v1/traces`, {
    method: "POST",
    headers: {
      "content-type": "application/x-protobuf",
      "x-mlflow-experiment-id": experimentId,
    },
    body: readFileSync(new URL(file, captures)),
  });
  assert.equal(response.status, 200, `${file}: ${await response.text()}`);
}

async function newExperiment(name: string): Promise<string> {
  const response = await fetch(`${server.host}/api/2.0/mlflow/experiments/create`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ name }),
  });
  assert.equal(response.status, 200);
  return JSON.parse(await response.text()).experiment_id;
}
