/** What the samples of an endpoint are, minute by minute. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { emptyMemory, readEndpointMetrics } from "./endpoint-metrics.ts";

const START_MS = Date.UTC(2026, 0, 1, 12);

/** Each poll is the second it happens at and the text it gets. A sample reads `minute name value`. */
function poll(polls: readonly (readonly [second: number, text: string])[]) {
  let memory = emptyMemory;
  const lines: string[] = [];
  const reasons = new Set<string>();
  for (const [second, text] of polls) {
    const polledAtMs = START_MS + second * 1000;
    const read = readEndpointMetrics({ endpoint: "support", text, polledAtMs, memory });
    memory = read.memory;
    for (const { name, kind, value, timeMs, endpoint, labels } of read.samples) {
      assert.deepEqual({ endpoint, labels }, { endpoint: "support", labels: {} });
      const minute = new Date(timeMs).toISOString().slice(11, 16);
      lines.push(`${minute} ${name} ${value}${kind === "gauge" ? "" : ` ${kind}`}`);
    }
    for (const [reason, count] of read.dropped) reasons.add(`-${reason} ×${count}`);
  }
  return { lines, reasons: Array.from(reasons) };
}

function check(polls: readonly (readonly [number, string])[], expected: readonly string[]) {
  const { lines, reasons } = poll(polls);
  assert.deepEqual([...lines, ...reasons], expected);
}

const exported = `# HELP request_count_total Requests in the last minute
# TYPE request_count_total gauge
request_count_total{replica="a"} 10
request_count_total{replica="b"} 5
# TYPE request_5xx_count_total gauge
request_5xx_count_total{replica="a"} 2
# TYPE cpu_usage_percentage gauge
cpu_usage_percentage{replica="a"} 20.5
cpu_usage_percentage{replica="b"} 90
provisioned_concurrent_requests_total 4
gpu_mem_usage_percentage_avg{gpu="0"} 20
gpu_mem_usage_percentage_avg{gpu="1"} 40
gpu_mem_usage_percentage_min{gpu="0"} 10
gpu_mem_usage_percentage_min{gpu="1"} 30
# EOF
`;

test("requests are added up, use is that of the fullest replica, the time is the minute", () =>
  check(
    [[5, exported]],
    [
      "12:00 request_count_total 15",
      "12:00 request_5xx_count_total 2",
      "12:00 provisioned_concurrent_requests_total 4",
      "12:00 cpu_usage_percentage 90",
      "12:00 gpu_mem_usage_percentage_min 10",
      "12:00 gpu_mem_usage_percentage_avg 30",
    ],
  ));
test("polling twice within a minute counts once", () =>
  check(
    [
      [5, "request_count_total 7"],
      [50, "request_count_total 9"],
      [65, "request_count_total 8"],
    ],
    ["12:00 request_count_total 7", "12:01 request_count_total 8"],
  ));
test("a missing minute is a gap, and what is absent is not zero", () =>
  check(
    [
      [5, "request_count_total 7"],
      [65, ""],
      [125, "request_count_total 0"],
    ],
    ["12:00 request_count_total 7", "12:02 request_count_total 0"],
  ));
test("a sample's own time says which minute it is of", () =>
  check(
    [
      [5, `request_count_total 7 ${START_MS - 30_000}`],
      [30, `request_count_total 7 ${START_MS - 30_000}`],
    ],
    ["11:59 request_count_total 7"],
  ));
test("several minutes in one text are several samples", () =>
  check(
    [[5, `request_count_total 2 ${START_MS}\nrequest_count_total 1 ${START_MS - 60_000}`]],
    ["11:59 request_count_total 1", "12:00 request_count_total 2"],
  ));
test("a time that cannot be is left out", () =>
  check(
    [[5, `request_count_total 7 ${START_MS + 86_400_000}\ncpu_usage_percentage 1 1000000000`]],
    ["-implausible_time ×2"],
  ));
test("names without suffix mean the same, and are not counted on top", () =>
  check(
    [[5, "request_count 3\nrequest_4xx 1\nrequest_5xx_count 2\nrequest_5xx_count_total 1"]],
    [
      "12:00 request_count_total 3",
      "12:00 request_4xx_count_total 1",
      "12:00 request_5xx_count_total 1",
    ],
  ));
test("what is declared a counter does not pass for the value of a minute", () =>
  check(
    [[5, "# TYPE request_count_total counter\nrequest_count_total 99999"]],
    ["12:00 request_count_total 99999 counter"],
  ));
test("nonsense is counted and left out", () =>
  check(
    [[5, "request_count_total -1\nmem_usage_percentage NaN\nsomething_new 1\n<html>"]],
    ["-not_finite ×1", "-malformed_line ×1", "-negative ×1", "-unknown_metric ×1"],
  ));
test("how many requests came is null when nothing says so", () => {
  const read = (text: string) =>
    readEndpointMetrics({ endpoint: "a", text, polledAtMs: START_MS, memory: emptyMemory })
      .requestsLastMinute;
  assert.deepEqual(
    [read(""), read("request_count_total 0"), read("request_count 3")],
    [null, 0, 3],
  );
});

/** A histogram with requests up to 100, 200 and over 200 ms. */
function latency(requests: number, upTo100: number, upTo200: number, all: number) {
  return `request_count_total ${requests}
# TYPE request_latency_ms histogram
request_latency_ms_bucket{le="100"} ${upTo100}
request_latency_ms_bucket{le="200.0"} ${upTo200}
request_latency_ms_bucket{le="+Inf"} ${all}
request_latency_ms_sum ${all * 90}
request_latency_ms_count ${all}
`;
}
const latencies = (polls: readonly (readonly [number, string])[]) =>
  poll(polls).lines.filter((line) => line.includes("latency"));

test("a histogram of the last minute is told once that is certain", () =>
  assert.deepEqual(
    latencies([
      [5, latency(10, 5, 10, 10)],
      [65, latency(40, 20, 40, 40)],
      [125, latency(20, 10, 20, 20)],
      [185, latency(100, 50, 100, 100)],
    ]),
    [
      "12:02 request_latency_ms_count 20",
      "12:02 request_latency_ms_sum 1800",
      "12:02 request_latency_ms_p50 100",
      "12:02 request_latency_ms_p95 190",
      "12:02 request_latency_ms_p99 198",
      "12:03 request_latency_ms_count 100",
      "12:03 request_latency_ms_sum 9000",
      "12:03 request_latency_ms_p50 100",
      "12:03 request_latency_ms_p95 190",
      "12:03 request_latency_ms_p99 198",
    ],
  ));
test("a histogram since the start is told minute by minute, and not above its last bound", () =>
  assert.deepEqual(
    latencies([
      [5, latency(10, 500, 1000, 1000)],
      [65, latency(40, 520, 1040, 1040)],
      [125, latency(20, 530, 1060, 1060)],
      [185, latency(10, 530, 1060, 1070)],
    ]),
    [
      "12:02 request_latency_ms_count 20",
      "12:02 request_latency_ms_sum 1800",
      "12:02 request_latency_ms_p50 100",
      "12:02 request_latency_ms_p95 190",
      "12:02 request_latency_ms_p99 198",
      "12:03 request_latency_ms_count 10",
      "12:03 request_latency_ms_sum 900",
    ],
  ));
test("a replica that starts anew makes a gap, not a percentile", () =>
  assert.deepEqual(
    latencies([
      [5, latency(10, 500, 1000, 1000)],
      [65, latency(40, 520, 1040, 1040)],
      [125, latency(20, 530, 1060, 1060)],
      [185, latency(30, 300, 600, 600)],
    ]).length,
    5,
  ));
test("a histogram that may be either is not told", () =>
  check(
    [
      [5, latency(0, 0, 0, 0)],
      [65, latency(2, 1, 2, 2)],
    ],
    ["12:00 request_count_total 0", "12:01 request_count_total 2"],
  ));
test("a histogram that contradicts itself is not told", () =>
  check(
    [
      [5, latency(9, 5, 3, 9)],
      [65, latency(9, 5, 8, 9).replace("_count 9", "_count 12")],
    ],
    ["12:00 request_count_total 9", "12:01 request_count_total 9", "-inconsistent_histogram ×1"],
  ));
