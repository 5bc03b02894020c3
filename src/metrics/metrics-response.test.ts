import assert from "node:assert/strict";
import { test } from "node:test";
import { MetricsCollector } from "./metrics-collector.ts";
import { metricsResponse, wantsOpenMetrics } from "./metrics-response.ts";

const asked: Readonly<Record<string, readonly [string, "open" | "text"]>> = {
  "Prometheus 2.42": [
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
    "open",
  ],
  "Prometheus 3": [
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
    "open",
  ],
  "Prometheus told to scrape text only": ["text/plain;version=0.0.4;q=0.5,*/*;q=0.1", "text"],
  "a browser": ["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text"],
  curl: ["*/*", "text"],
  nobody: ["", "text"],
  "text first": ["text/plain, application/openmetrics-text;q=0.5", "text"],
  "OpenMetrics refused": ["application/openmetrics-text;q=0, text/plain;q=0.1", "text"],
  "a weight that is none": ["application/openmetrics-text;q=high", "text"],
  "a version of the future": ["application/openmetrics-text;version=2.0.0", "text"],
  "in capitals, quoted": ['Application/OpenMetrics-Text; Version="1.0.0"; Q=0.9', "open"],
  "longer than anybody needs": [`application/openmetrics-text,${"x".repeat(10_000)}`, "text"],
};
for (const [who, [accept, expected]] of Object.entries(asked)) {
  test(`${who} gets ${expected}`, () =>
    assert.equal(wantsOpenMetrics(accept) ? "open" : "text", expected));
}

test("the content type says what the body is", () => {
  const metrics = new MetricsCollector();
  metrics.recordRequest("qa", { latencyMs: 1, statusCode: 200 });
  const text = metricsResponse(metrics);
  assert.match(text.contentType, /^text\/plain; version=0\.0\.4/);
  assert.doesNotMatch(text.body, /# EOF/);
  const open = metricsResponse(metrics, "application/openmetrics-text");
  assert.match(open.contentType, /^application\/openmetrics-text; version=1\.0\.0/);
  assert.match(open.body, /# EOF\n$/);
  metrics.close();
});
