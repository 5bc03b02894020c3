/**
 * A real Prometheus scrapes a service that uses the library, as text and as
 * OpenMetrics, and a monitor; then every query of the Grafana dashboards is asked
 * of it as Grafana asks, and has an answer. Exemplars lead to their traces.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import {
  DashboardIntegration,
  ErrorTracker,
  type GrafanaDashboard,
  HealthCheckManager,
  MetricsCollector,
  metricsResponse,
  monitorFetch,
  sendMetrics,
} from "../../src/monitoring.ts";
import { exampleRules } from "../../src/rules/built-in-rules.ts";
import { type StartedMonitor, sendCapture, startMonitor } from "../start-monitor.ts";
import { freePort, runProgram, startProgram, until } from "./run-program.ts";

const TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736";
/** Grafana's `$__rate_interval` is at least four times the scrape interval. */
const RATE_INTERVAL = "1m";

const metrics = new MetricsCollector();
const dashboard = new DashboardIntegration(new HealthCheckManager(), metrics, new ErrorTracker());

let service: Server;
let serviceUrl: string;
let monitor: StartedMonitor;
let prometheus: ReturnType<typeof startProgram>;
let prometheusUrl: string;
let directory: string;
let traffic: NodeJS.Timeout;

before(async () => {
  service = createServer((request, response) => {
    // Prometheus asks for OpenMetrics; at the other address it gets text whatever it asks for.
    if (request.url === "/text") {
      sendMetrics(metrics, response);
      return;
    }
    const { contentType, body } = metricsResponse(metrics, request.headers.accept);
    response.writeHead(200, { "content-type": contentType }).end(body);
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => service.once("listening", resolve));
  serviceUrl = urlOf(service);

  monitor = await startMonitor({ rules: exampleRules });
  await sendTraces(earlier);

  // The service works while it is scraped, so that rates have something to show.
  record();
  traffic = setInterval(record, 500);

  directory = mkdtempSync(join(tmpdir(), "grafana-"));
  const port = await freePort();
  prometheusUrl = `http://127.0.0.1:${port}`;
  writeFileSync(
    join(directory, "prometheus.yml"),
    JSON.stringify({
      global: { scrape_interval: "1s" },
      scrape_configs: [
        { job_name: "open-metrics", static_configs: [{ targets: [new URL(serviceUrl).host] }] },
        {
          job_name: "text",
          metrics_path: "/text",
          static_configs: [{ targets: [new URL(serviceUrl).host] }],
        },
        { job_name: "monitor", static_configs: [{ targets: [new URL(monitor.url).host] }] },
      ],
    }),
  );
  prometheus = startProgram("prometheus", [
    `--config.file=${join(directory, "prometheus.yml")}`,
    `--storage.tsdb.path=${join(directory, "data")}`,
    `--web.listen-address=127.0.0.1:${port}`,
    "--enable-feature=exemplar-storage",
  ]);
  await until("a scrape of each", async () => ((await ask("up == 1")).length === 3 ? true : null));
  await sendTraces(later);
  await until("growing totals of each", async () => {
    const rates = await ask(`sum by (job) (rate(dspy_request_total[${RATE_INTERVAL}])) > 0`);
    return rates.length === 3 ? true : null;
  });
});

after(async () => {
  clearInterval(traffic);
  await prometheus?.stop();
  rmSync(directory, { recursive: true, force: true });
  service.close();
  service.closeAllConnections();
  dashboard.close();
  metrics.close();
  await monitor.close();
});

test("promtool accepts the text of the library", async () => {
  for (const path of ["", "/text"]) {
    const input = await (await fetch(serviceUrl + path)).text();
    assert.match(input, /^dspy_request_total\{.*endpoint="qa-agent".*\} +\d+$/m);
    assert.deepEqual(await runProgram("promtool", ["check", "metrics"], { input }), {
      code: 0,
      output: "",
    });
  }
});

test("Prometheus takes the library's metrics as OpenMetrics and as text, and sees the same", async () => {
  assert.deepEqual(
    (await ask("up")).map(({ value }) => value),
    [1, 1, 1],
  );
  const seen = await ask('count by (job, __name__) ({__name__=~"dspy_.*",job!="monitor"})');
  const of = (job: string) =>
    seen
      .filter(({ metric }) => metric.job === job)
      .map(({ metric, value }) => `${metric.__name__} ${value}`)
      .toSorted();
  assert.ok(of("text").length > 20);
  assert.deepEqual(of("text"), of("open-metrics"));
});

test("exemplars of the latency lead to their trace", async () => {
  const exemplars = await until("an exemplar", async () => {
    const query = new URLSearchParams({
      query: "dspy_request_latency_seconds_bucket",
      start: String(Date.now() / 1_000 - 60),
      end: String(Date.now() / 1_000 + 60),
    });
    const { data } = (await get(`/api/v1/query_exemplars?${query}`)) as {
      data: { exemplars: { labels: Record<string, string>; value: string }[] }[];
    };
    const all = data.flatMap(({ exemplars }) => exemplars);
    return all.length > 0 ? all : null;
  });
  assert.equal(exemplars[0]?.labels.trace_id, TRACE_ID);
  assert.equal(exemplars[0]?.value, "0.15");
});

for (const [job, source] of [
  ["open-metrics", "service"],
  ["text", "service"],
  ["monitor", "monitor"],
] as const) {
  for (const { title, expr } of queriesOf(dashboard.generateGrafanaDashboard({ source }))) {
    test(`${job}: "${title}" has an answer to ${expr.slice(0, 60)}…`, async () => {
      await until("an answer with a number", async () => {
        const answers = await ask(filledIn(expr, { job, endpoint: ".*" }));
        return answers.some(({ value }) => Number.isFinite(value)) ? true : null;
      });
    });
  }
}

test("the figures are right", async () => {
  const [overview] = queriesOf(dashboard.generateGrafanaDashboard()).filter(
    ({ title }) => title === "Error rate",
  );
  const [rate] = await ask(filledIn(overview?.expr ?? "", { job: "text", endpoint: "qa-agent" }));
  // Of seven calls one answers 500, and one runs into a timeout; one is refused.
  assert.ok(rate && Math.abs(rate.value - 200 / 7) < 8, `${rate?.value} %`);
  const [agents] = await ask(
    filledIn('count(count by (endpoint) (dspy_request_total{job=~"$job",endpoint=~"$endpoint"}))', {
      job: "text",
      endpoint: "qa-agent|in-process",
    }),
  );
  assert.equal(agents?.value, 2);
});

test("the variables offer what there is", async () => {
  const asked = dashboard
    .generateGrafanaDashboard()
    .dashboard.templating.list.flatMap((variable) =>
      variable.type === "query" ? [variable.definition] : [],
    );
  const offered = await Promise.all(
    asked.map(async (definition) => {
      const [, selector = "", label = ""] = /^label_values\((.+), (\w+)\)$/.exec(definition) ?? [];
      const match = filledIn(selector, { job: ".*", endpoint: ".*" });
      const query = new URLSearchParams({ "match[]": match });
      return ((await get(`/api/v1/label/${label}/values?${query}`)) as { data: string[] }).data;
    }),
  );
  assert.deepEqual(offered[0], ["monitor", "open-metrics", "text"]);
  assert.ok(offered[1]?.includes("qa-agent") && offered[1].includes("support-agent"));
});

/** What the components' examples record, and what calls record that end badly. */
function record(): void {
  const labels = { environment: "prod", region: "us-west", customer_tier: "premium" };
  for (const statusCode of [200, 200, 200, 200, 500, 429]) {
    const request = { latencyMs: 150, statusCode, modelVersion: "v2", labels };
    metrics.recordRequest("qa-agent", { ...request, traceId: TRACE_ID });
  }
  metrics.recordRequest("qa-agent", { latencyMs: 900, labels: { ...labels, outcome: "timeout" } });
  metrics.recordRequest("in-process", { latencyMs: 20 });
  metrics.incrementCounter("requests_total", { labels: { endpoint: "qa" } });
  metrics.recordLatency("inference_time", 250);
  metrics.setGauge("active_connections", 42);
  const model = "databricks-claude-sonnet";
  metrics.recordTokenUsage("qa-agent", { inputTokens: 263, outputTokens: 57, model });
  metrics.recordWorkflowExecution("triage", { durationMs: 900, success: true, steps: 3 });
  metrics.recordCacheOperation("answers", { hit: true });
  metrics.recordCacheOperation("answers", { hit: false });
  void callAgent();
}

/** A stream, so that there is a time to first content. */
async function callAgent(): Promise<void> {
  const call = monitorFetch({
    metrics,
    endpointName: "streaming-agent",
    fetch: async () =>
      new Response('data: {"choices":[{"delta":{"content":"Hello"}}]}\n\ndata: [DONE]\n\n', {
        headers: { "content-type": "text/event-stream" },
      }),
  });
  await (await call("http://127.0.0.1/")).text();
}

/** Recorded telemetry of one agent. What came once counts once, so these are different traces. */
const captures = new URL("../../fixtures/telemetry/captures/", import.meta.url);
const all = readdirSync(captures).filter((name) => /^(callback|openinference-litellm)-/.test(name));
const earlier = all.filter((_, index) => index % 2 === 0);
const later = all.filter((_, index) => index % 2 === 1);

async function sendTraces(files: readonly string[]): Promise<void> {
  for (const file of files) {
    const response = await sendCapture(monitor.url, file);
    assert.equal(response.status, 200, `${file}: ${await response.text()}`);
  }
  await monitor.monitor.observe({
    samples: [],
    health: [
      {
        status: "healthy",
        state: "ready",
        message: "Ready to serve.",
        latencyMs: 3,
        component: "endpoint/qa",
        endpoint: "qa",
        timeMs: Date.now(),
      },
    ],
    dropped: new Map(),
  });
}

type Answer = { readonly metric: Readonly<Record<string, string>>; readonly value: number };

async function ask(query: string): Promise<Answer[]> {
  const answer = (await get(`/api/v1/query?${new URLSearchParams({ query })}`)) as {
    status: string;
    error?: string;
    data: { result: { metric: Record<string, string>; value: [number, string] }[] };
  };
  assert.equal(answer.status, "success", answer.error);
  return answer.data.result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }));
}

async function get(path: string): Promise<unknown> {
  return (await fetch(`${prometheusUrl}${path}`)).json();
}

function queriesOf({ dashboard: { panels } }: GrafanaDashboard) {
  return panels.flatMap((panel) =>
    panel.type === "row" ? [] : panel.targets.map(({ expr }) => ({ title: panel.title, expr })),
  );
}

function filledIn(expr: string, chosen: Readonly<Record<"job" | "endpoint", string>>): string {
  return expr
    .replaceAll("$__rate_interval", RATE_INTERVAL)
    .replaceAll("$job", chosen.job)
    .replaceAll("$endpoint", chosen.endpoint);
}

function urlOf(server: Server): string {
  const address = server.address();
  assert.ok(typeof address === "object" && address);
  return `http://127.0.0.1:${address.port}/metrics`;
}
