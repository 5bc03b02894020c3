/** `/metrics` is what a real Prometheus reads: promtool accepts it, and a server scrapes it. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { exampleRules } from "../../src/rules/built-in-rules.ts";
import { type StartedMonitor, sendCapture, startMonitor } from "../start-monitor.ts";
import { freePort, runProgram, startProgram, until } from "./run-program.ts";

const bodies = [
  "callback-rag-0001.otlp.pb",
  "callback-rag-cached-0006.otlp.pb",
  "callback-react-tool-error-0020.otlp.pb",
  "openinference-litellm-cost-rag-0001.otlp.pb",
  "openinference-litellm-cost-rag-0002.otlp.pb",
  "mlflow-otlp-err-429-0083.otlp.pb",
];

let started: StartedMonitor;
before(async () => {
  started = await startMonitor({ rules: exampleRules });
  for (const body of bodies) assert.equal((await sendCapture(started.url, body)).status, 200);
  await until("closing the traces", async () =>
    started.monitor.state.openTraces.traceCount === 0 ? true : null,
  );
  const timeMs = Date.now();
  const result = {
    status: "healthy",
    state: "ready",
    message: 'says "so"\n\\',
    latencyMs: 3,
  } as const;
  await started.monitor.observe({
    samples: [],
    health: [{ ...result, component: 'endpoint/odd"name\\', endpoint: null, timeMs }],
    dropped: new Map([["series_limit", 2]]),
  });
});
after(() => started.close());

test("promtool check metrics accepts it", async () => {
  const input = await (await fetch(`${started.url}/metrics`)).text();
  assert.match(input, /dspy_request_total\{endpoint="support-agent"\} 5/);
  assert.deepEqual(await runProgram("promtool", ["check", "metrics"], { input }), {
    code: 0,
    output: "",
  });
});

test("a real Prometheus scrapes it and gives the same figures back", async () => {
  const directory = mkdtempSync(join(tmpdir(), "prometheus-"));
  const port = await freePort();
  const config = join(directory, "prometheus.yml");
  writeFileSync(
    config,
    `scrape_configs:
  - job_name: dspy
    scrape_interval: 1s
    static_configs: [{ targets: ["${new URL(started.url).host}"] }]
`,
  );
  const prometheus = startProgram("prometheus", [
    `--config.file=${config}`,
    `--storage.tsdb.path=${directory}/data`,
    `--web.listen-address=127.0.0.1:${port}`,
  ]);
  try {
    const ask = async (query: string) => {
      const url = `http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(query)}`;
      const { data } = (await (await fetch(url)).json()) as {
        data: { result: { metric: Record<string, string>; value: [number, string] }[] };
      };
      return data.result.length === 0 ? null : data.result;
    };
    const [requests] = await until("the first scrape", () => ask("dspy_request_total"));
    assert.equal(requests?.metric.endpoint, "support-agent");
    assert.equal(requests?.value[1], "5");
    const p95 = await ask(
      "histogram_quantile(0.95, sum by (le) (dspy_request_latency_seconds_bucket))",
    );
    assert.ok(Number(p95?.[0]?.value[1]) > 0);
    assert.equal((await ask("up"))?.[0]?.value[1], "1");
    const input = await ask('dspy_token_total{direction="input"}');
    assert.equal(
      Number(input?.[0]?.value[1]),
      started.monitor.state.agents.get("support-agent")?.run.tokens?.input,
    );
    assert.equal(
      (await ask('dspy_module_calls_total{path="self.generate.predict"}'))?.[0]?.value[1],
      "2",
    );
  } catch (error) {
    throw new Error(prometheus.output(), { cause: error });
  } finally {
    await prometheus.stop();
    rmSync(directory, { recursive: true, force: true });
  }
});
