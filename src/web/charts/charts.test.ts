import assert from "node:assert/strict";
import { test } from "node:test";
import type { AgentView } from "../api.ts";
import { axisSteps, axisTop, formatTick, isLimitShown } from "./axis.ts";
import { type ChartSpec, chartsOf, hasValues, stackLines } from "./chart-spec.ts";
import { chartTable, chartWords } from "./chart-words.ts";
import { placeLabels } from "./label-places.ts";

const START = new Date(2026, 5, 28, 14, 0, 0).getTime();

const SERIES: AgentView["series"] = {
  timesMs: [START, START + 5000, START + 10_000],
  succeeded: [4, 5, 3],
  failed: [0, 0, 2],
  p50Ms: [400, null, 500],
  p95Ms: [800, null, 900],
  p99Ms: [900, null, 4200],
  errorsByClass: { timeout: [0, 0, 1], lm_provider: [0, 1, 3], tool: [0, 0, 0] },
  inputTokens: [null, null, null],
  outputTokens: [null, null, null],
  costUsd: [0.001, null, 0.002],
};

function specOf(
  id: ChartSpec["id"],
  {
    series = SERIES,
    latencyP99Ms = 1000,
    changes = [],
  }: { series?: typeof SERIES; latencyP99Ms?: number; changes?: AgentView["changes"] } = {},
): ChartSpec {
  const view = {
    sliceSeconds: 5,
    series,
    changes: [{ timeMs: START, kind: "deployment", endpoint: "a", to: "v7", text: "" }, ...changes],
    thresholds: { latencyP99Ms, errorRatePercent: null },
  } as Partial<AgentView> as AgentView; // Only what charts are made of.
  const spec = chartsOf(view).find((chart) => chart.id === id);
  assert.ok(spec);
  return spec;
}

const spaces = (text: string) => text.replaceAll("\u00a0", " ");

test("latency in words: the last, the highest, and how often the limit was passed", () => {
  assert.equal(
    spaces(chartWords(specOf("latency"))),
    "Latency. p99: last 4.2 s, highest 4.2 s at 14:00. p95: last 900 ms, highest 900 ms at 14:00. " +
      "p50: last 500 ms, highest 500 ms at 14:00. p99 limit 1.0 s, passed in 1 of 2 slices.",
  );
});

test("a limit that held is said so", () => {
  assert.match(
    spaces(chartWords(specOf("latency", { latencyP99Ms: 9000 }))),
    /9\.0 s, never passed/,
  );
});

test("an alert that fired meanwhile is said", () => {
  const alert = { kind: "alert", endpoint: "a", text: "" } as const;
  const words = (changes: AgentView["changes"]) => chartWords(specOf("cost", { changes }));
  const fired = { ...alert, to: "firing", timeMs: START + 1000 };
  assert.match(words([fired]), /\. An alert has been firing since 14:00:01\.$/);
  assert.match(
    words([fired, { ...alert, to: "resolved", timeMs: START + 9000 }]),
    /\. An alert was firing from 14:00:01 to 14:00:09\.$/,
  );
});

test("what is counted says per what", () => {
  assert.match(
    spaces(chartWords(specOf("traffic"))),
    /^Requests by outcome per 5 s\. succeeded: last 3/,
  );
});

test("what the telemetry does not tell is no chart", () => {
  assert.equal(hasValues(specOf("tokens")), false);
  assert.equal(chartWords(specOf("tokens")), "Tokens: no values in this range.");
});

test("errors: a class keeps its colour when another overtakes it; those without errors are left out", () => {
  const linesOf = (errorsByClass: Record<string, number[]>) =>
    specOf("errors", { series: { ...SERIES, errorsByClass } }).lines.map(
      ({ label, colour }) => `${label} ${colour}`,
    );
  const expected = ["lm provider --chart-class-1", "timeout --chart-class-2"];
  assert.deepEqual(linesOf({ timeout: [1], lm_provider: [3], tool: [0] }), expected);
  assert.deepEqual(linesOf({ timeout: [9], lm_provider: [3], tool: [0] }), expected);
});

test("errors: classes beyond the fourth are summed up", () => {
  const errorsByClass = { a: [6], b: [5], c: [4], d: [3], e: [2], f: [1] };
  const lines = specOf("errors", { series: { ...SERIES, errorsByClass } }).lines;
  assert.deepEqual(
    lines.map((line) => [line.label, ...line.values]),
    [
      ["a", 6],
      ["b", 5],
      ["c", 4],
      ["d", 3],
      ["other", 3],
    ],
  );
});

test("deployments are marked", () => {
  assert.deepEqual(specOf("traffic").marks, [{ timeMs: START, label: "v7" }]);
});

test("parts stand on one another, and a gap in all stays a gap", () => {
  const line = (values: (number | null)[]) => ({ label: "", colour: "", values });
  assert.deepEqual(stackLines([line([1, null, null]), line([2, null, 3])]), [
    [1, null, null],
    [3, null, 3],
  ]);
  assert.deepEqual(stackLines([]), []);
});

test("the table tells the newest first and leaves gaps open", () => {
  const rows = chartTable(specOf("latency"));
  assert.deepEqual(rows[1], { timeMs: START + 5000, time: "14:00:05", values: [null, null, null] });
  assert.deepEqual(
    rows[0]?.values.map((value) => value && spaces(value)),
    ["4.2 s", "900 ms", "500 ms"],
  );
});

test("a limit is drawn unless it would press the data flat", () => {
  assert.equal(isLimitShown(900, 1000), true);
  assert.equal(isLimitShown(0, 1000), true);
  assert.equal(isLimitShown(100, 1000), false);
  assert.equal(isLimitShown(100, null), false);
});

test("the axis ends above the data and the limit, and never at zero", () => {
  assert.equal(axisTop(0, null), 1);
  assert.ok(axisTop(900, 1000) >= 1000);
  assert.ok(axisTop(100, 1000) < 200);
});

test("counts have no half steps", () => {
  assert.deepEqual(axisSteps({ wholeSteps: true }).slice(0, 4), [1, 2, 5, 10]);
  assert.equal(axisSteps({ wholeSteps: false })[0], 0.000001);
});

test("a tick is a time of day, and from a day on a date", () => {
  assert.equal(formatTick(START, 300_000), "14:00");
  assert.equal(formatTick(START - 86_400_000, 86_400_000), "27 Jun");
});

test("labels stay at their lines where there is room, and part where there is none", () => {
  const room = { gap: 10, top: 0, bottom: 100 };
  assert.deepEqual(placeLabels([20, 60], room), [20, 60]);
  assert.deepEqual(placeLabels([20, 22, 24], room), [20, 30, 40]);
  assert.deepEqual(placeLabels([99, 98], room), [100, 90]);
  assert.deepEqual(placeLabels([], room), []);
});
