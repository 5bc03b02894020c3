import assert from "node:assert/strict";
import { test } from "node:test";
import { platformName, platformValue } from "./platform-words.ts";

function check(name: string, value: number, unit: string, expected: string): void {
  const metric = { name, value, unit, timeMs: 0 };
  const written = `${platformName(metric)}: ${platformValue(metric)}`;
  assert.equal(written.replaceAll("\u00a0", " "), expected);
}

test("a share", () => check("cpu_usage_percentage", 2.13, "percent", "CPU: 2.1 %"));
test("a count", () => check("request_4xx_count_total", 2, "", "Refused (4xx): 2"));
test("a time", () => check("request_latency_ms", 4230, "ms", "request latency ms: 4.2 s"));
test("a metric that is new to us keeps its name", () =>
  check("queue_depth_total", 1284, "", "queue depth total: 1.3 k"));
