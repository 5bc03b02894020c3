/** The examples of `docs/metrics.md` run as they stand there, and its tables say what the code does. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { testExamples } from "../../test/docs-typescript.ts";
import { FRESH_COUNTS_BYTES_MAX } from "./fresh-counts.ts";
import { MetricsCollector, sharedBytesMax } from "./metrics-collector.ts";
import { createTestClock } from "./test-clock.ts";
import { WINDOWS_BYTES_MAX } from "./windows.ts";

const page = readFileSync(new URL("../../docs/metrics.md", import.meta.url), "utf8");

testExamples("docs/metrics.md");

/** Each name of the table recorded once. */
function recordAll(metrics: MetricsCollector): void {
  const labels = { mine: "1" };
  metrics.recordRequest("qa", { latencyMs: 1, statusCode: 200, modelVersion: "v1", labels });
  metrics.recordLatency("inference_time", 1);
  metrics.recordLatency("queue_ms", 1);
  metrics.incrementCounter("jobs");
  metrics.setGauge("active_connections", 1);
  metrics.recordTokenUsage("qa", { inputTokens: 1, outputTokens: 1, model: "m", labels });
  metrics.recordWorkflowExecution("triage", { durationMs: 1, success: true, steps: 1, labels });
  metrics.recordCacheOperation("answers", { hit: true, labels });
}

test("the table of names in Prometheus is what is exported, and all of it", () => {
  const metrics = new MetricsCollector({ clock: createTestClock() });
  recordAll(metrics);
  const exported = Array.from(
    metrics.exportPrometheusFormat().matchAll(/^# TYPE (\w+) (\w+)$/gm),
    ([, name, type]) => `${type} ${name}`,
  );
  const documented = Array.from(
    page.matchAll(/^\| `\w+`[^|]* \| (\w+) `(\w+)` \|$/gm),
    ([, type, name]) => `${type} ${name}`,
  );
  assert.deepEqual(documented.sort(), exported.sort());
});

test("the table of what is recorded has the labels that there are", () => {
  const metrics = new MetricsCollector({ clock: createTestClock() });
  recordAll(metrics);
  const documented = new Map(
    Array.from(
      page.matchAll(/^\|[^|]*\| `(\w+)` \| (`.*) \|$/gm),
      ([, name = "", labels = ""]) =>
        [
          name,
          labels
            .replace(/\([^)]*\)/g, "")
            .match(/\w+/g)
            ?.sort(),
        ] as const,
    ),
  );
  assert.equal(documented.size, 7);
  for (const { name, labels } of metrics.snapshot().series) {
    const expected = documented.get(name);
    if (expected) assert.deepEqual(Object.keys(labels).sort(), [...expected, "mine"].sort(), name);
  }
});

test("the bound on memory is the one that the code keeps", () => {
  const mib = (bytes: number) => Math.round(bytes / 2 ** 20);
  const base = sharedBytesMax({ maxHistorySize: 0, maxSeries: 0 });
  assert.equal(sharedBytesMax({ maxHistorySize: 1, maxSeries: 0 }) - base, 48);
  assert.equal(sharedBytesMax({ maxHistorySize: 0, maxSeries: 1 }) - base, 1_024);
  assert.equal(sharedBytesMax({ maxHistorySize: 10_000_000, maxSeries: 1_000_000 }), 2 ** 30);
  assert.ok(page.includes(`shared memory  ${mib(base)} MiB + 48 B`));
  assert.ok(
    page.includes(`windows        ${mib(2 * WINDOWS_BYTES_MAX + FRESH_COUNTS_BYTES_MAX)} MiB`),
  );
  assert.ok(
    page.includes(`with the defaults at most ${Math.ceil(sharedBytesMax({}) / 2 ** 20)} MiB`),
  );
  const metrics = new MetricsCollector({ clock: createTestClock() });
  const bytes = metrics.shareHandle().buffer.byteLength;
  assert.ok(bytes <= 2 ** 20, `a new collector has ${bytes} bytes of shared memory`);
});
