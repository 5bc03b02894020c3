import assert from "node:assert/strict";
import { test } from "node:test";
import type { ChartId } from "../route.ts";
import { chartQueries } from "./chart-queries.ts";

function check(id: ChartId, endpoint: string, expected: string[]): void {
  assert.deepEqual(
    chartQueries(id, endpoint).map(({ label, promql }) => `${label}: ${promql}`),
    expected,
  );
}

test("latency has one query a percentile", () =>
  check("latency", "support-rag", [
    'p99: histogram_quantile(0.99, sum by (le) (rate(dspy_request_latency_seconds_bucket{endpoint="support-rag"}[5m])))',
    'p95: histogram_quantile(0.95, sum by (le) (rate(dspy_request_latency_seconds_bucket{endpoint="support-rag"}[5m])))',
    'p50: histogram_quantile(0.5, sum by (le) (rate(dspy_request_latency_seconds_bucket{endpoint="support-rag"}[5m])))',
  ]));

test("traffic, and what of it failed", () =>
  check("traffic", "a", [
    'all: sum(rate(dspy_request_total{endpoint="a"}[5m]))',
    'failed: sum(rate(dspy_request_failures_total{endpoint="a"}[5m]))',
  ]));

test("a name with quotes can't end the string it stands in", () =>
  check("cost", 'a"} or vector(1) #\\\n', [
    'cost: sum(increase(dspy_cost_usd_total{endpoint="a\\"} or vector(1) #\\\\\\n"}[5m]))',
  ]));
