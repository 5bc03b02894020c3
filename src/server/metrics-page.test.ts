/** `/metrics` with few agents and with very many. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { assembleTrace } from "../ingest/otlp/assemble-trace.ts";
import { type Branch, failure, spansOf } from "../ingest/otlp/test-spans.ts";
import { ALL_PLACES_MAX, RUN_RELEASES_MAX } from "../live/places.ts";
import type { ClosedTrace } from "../signals/closed-trace.ts";
import { MonitorState } from "../state/monitor-state.ts";
import { createMetricsPage, SNAPSHOT_MAX_AGE_MS } from "./metrics-page.ts";
import { DETAILED_MODULES_MAX, MODULE_RELEASES_MAX } from "./module-families.ts";

/** Largest answer, in characters, with as many agents and modules as are kept apart. */
const TEXT_MAX_CHARS = 2 * 1024 * 1024;

function monitorWith({
  agents,
  modules,
  releases = 1,
}: {
  agents: number;
  modules: number;
  releases?: number;
}) {
  const clock = { nowMs: 1_800_000_000_000 };
  const state = new MonitorState();
  const call = (agent: number) =>
    state.agents.add(traceOf(agent, modules, clock.nowMs), clock.nowMs);
  for (let agent = 0; agent < agents; agent++) call(agent);
  for (let release = 1; release < releases; release++) {
    for (let agent = 0; agent < agents; agent++) {
      const trace = traceOf(agent, modules, clock.nowMs, `release-of-this-program-${release}`);
      state.agents.add(trace, clock.nowMs);
    }
  }
  const monitor = { state, alerting: { rules: [], dropped: 0 }, now: () => clock.nowMs };
  return {
    clock,
    state,
    call,
    metrics: createMetricsPage(monitor, new Map(), {
      sources: () => [
        { name: "Inference tables", state: "ok", asOfMs: clock.nowMs - 90_000 },
        { name: "Span tables", state: "failing", asOfMs: clock.nowMs - 7_200_000 },
        { name: "System tables", state: "waiting", asOfMs: null },
      ],
      exports: () => [
        {
          target: "ml.monitoring.agents",
          state: "parked",
          isRunning: false,
          lastRunMs: clock.nowMs,
          asOfMs: clock.nowMs - 60_000,
          lagMs: 60_000,
          rows: 3,
          rowsTotal: 12,
          runsTotal: 4,
          failuresTotal: 1,
          periodMs: 60_000,
          reason: "No.",
          nextRunMs: clock.nowMs + 1_000,
        },
      ],
    }),
  };
}

const nameOf = (agent: number) => `agent-of-a-team-${agent}`;

/** One request, whose modules take 20 ms each. */
function traceOf(
  agent: number,
  modules: number,
  nowMs: number,
  release: string | null = null,
): ClosedTrace {
  const inside = Array.from({ length: modules }, (_, index) => ({
    path: `self.step_${index}.predict`,
    startMs: nowMs - 20,
    endMs: nowMs,
  }));
  const request: Branch = { path: "self", startMs: nowMs - 700, endMs: nowMs, release, inside };
  const spans = spansOf(request).map((span) => ({ ...span, endpoint: nameOf(agent) }));
  return assembleTrace(spans);
}

const sampleOf = (text: string, name: string) =>
  Number(new RegExp(`^${name.replaceAll(/[{}]/g, "\\$&")} (.*)$`, "m").exec(text)?.[1]);
const seriesOf = (text: string, start: string) =>
  text.split("\n").filter((line) => line.startsWith(start));

test("few agents: every scrape is of now", () => {
  const { metrics, call } = monitorWith({ agents: 3, modules: 2 });
  assert.equal(sampleOf(metrics(), `dspy_request_total{endpoint="${nameOf(0)}"}`), 1);
  call(0);
  assert.equal(sampleOf(metrics(), `dspy_request_total{endpoint="${nameOf(0)}"}`), 2);
});

test("a module's histogram has its labels in each line, and counts up to each bound", () => {
  const { metrics } = monitorWith({ agents: 1, modules: 1 });
  const labels = `endpoint="${nameOf(0)}",program="RagQA.forward",path="self.step_0.predict",kind="module"`;
  const series = seriesOf(metrics(), "dspy_module_latency_seconds");
  const lines = series.filter((line) => line.includes("step_0"));
  assert.deepEqual(lines.slice(0, 3).concat(lines.slice(-3)), [
    `dspy_module_latency_seconds_bucket{${labels},le="0.005"} 0`,
    `dspy_module_latency_seconds_bucket{${labels},le="0.01"} 0`,
    `dspy_module_latency_seconds_bucket{${labels},le="0.025"} 1`,
    `dspy_module_latency_seconds_bucket{${labels},le="+Inf"} 1`,
    `dspy_module_latency_seconds_sum{${labels}} 0.02`,
    `dspy_module_latency_seconds_count{${labels}} 1`,
  ]);
});

test("a module tells its self time, its model calls, what failed inside, tokens and cost", () => {
  const { metrics, state, clock } = monitorWith({ agents: 0, modules: 0 });
  const lm = {
    kind: "lm",
    model: "gpt",
    tokens: { input: 200, output: 50 },
    costUsd: 0.5,
    startMs: 0,
    endMs: 400,
  } as const;
  const unread = {
    kind: "adapter",
    ...failure("AdapterParseError"),
    endMs: 450,
    startMs: 450,
  } as const;
  const tool = {
    kind: "tool",
    name: "look_up",
    ...failure("KeyError"),
    startMs: 500,
    endMs: 600,
  } as const;
  const spans = spansOf({ path: "self", startMs: 0, endMs: 1_000, inside: [lm, unread, tool] });
  state.agents.add(assembleTrace(spans), clock.nowMs);
  const labels = '{endpoint="support-rag",program="RagQA.forward",path="self",kind="module"';
  assert.deepEqual(
    seriesOf(metrics(), "dspy_module_").filter(
      (line) => line.includes(`${labels}`) && !line.includes("_latency_seconds"),
    ),
    [
      `dspy_module_calls_total${labels}} 1`,
      `dspy_module_failures_total${labels}} 0`,
      `dspy_module_self_seconds_total${labels}} 0.9`,
      `dspy_module_lm_calls_total${labels}} 1`,
      `dspy_module_parse_failures_total${labels}} 1`,
      `dspy_module_tool_failures_total${labels}} 1`,
      `dspy_module_token_total${labels},direction="input"} 200`,
      `dspy_module_token_total${labels},direction="output"} 50`,
      `dspy_module_cost_usd_total${labels}} 0.5`,
      `dspy_module_release_calls_total${labels},release="",model_version=""} 1`,
      `dspy_module_release_failures_total${labels},release="",model_version=""} 0`,
      `dspy_module_release_self_seconds_total${labels},release="",model_version=""} 0.9`,
    ],
  );
});

test("modules are counted by release, and the releases of a module add up to it", () => {
  const { metrics } = monitorWith({ agents: 1, modules: 1, releases: 3 });
  const text = metrics();
  const calls = seriesOf(text, "dspy_module_release_calls_total").filter((line) =>
    line.includes('path="self"'),
  );
  assert.deepEqual(
    calls.map((line) => /release="([^"]*)".* (\d+)$/.exec(line)?.slice(1)),
    [
      ["", "1"],
      ["release-of-this-program-1", "1"],
      ["release-of-this-program-2", "1"],
    ],
  );
});

test("it tells which agent's traces are not whole", () => {
  const { metrics, state, clock } = monitorWith({ agents: 1, modules: 2 });
  const labels = `{endpoint="${nameOf(0)}"}`;
  assert.equal(sampleOf(metrics(), `dspy_orphan_span_ratio${labels}`), 0);
  const request = { path: "self", inside: [{ path: "self.a" }, { path: "self.b" }] };
  const [root, ...rest] = spansOf(request).map((span) => ({ ...span, endpoint: nameOf(0) }));
  assert.ok(root);
  state.agents.add(assembleTrace(rest), clock.nowMs);
  assert.equal(sampleOf(metrics(), `dspy_orphan_spans_total${labels}`), 2);
  assert.equal(sampleOf(metrics(), `dspy_closed_spans_total${labels}`), 5);
  assert.equal(sampleOf(metrics(), `dspy_incomplete_requests_total${labels}`), 1);
  assert.equal(sampleOf(metrics(), `dspy_orphan_span_ratio${labels}`), 0.4);
  clock.nowMs += 10 * 60_000;
  assert.equal(seriesOf(metrics(), "dspy_orphan_span_ratio").length, 0, "nothing of late");
  assert.match(metrics(), /^# HELP dspy_orphan_spans_total \S/m);
});

test("very many releases: some of a module are told apart, and it says how many are not", () => {
  const { metrics } = monitorWith({ agents: 20, modules: 9, releases: 15 });
  const text = metrics();
  const told = seriesOf(text, "dspy_module_release_calls_total").length;
  assert.equal(told, MODULE_RELEASES_MAX);
  // Of each module ten releases, and the others together.
  const all = 20 * 10 * (RUN_RELEASES_MAX + 1);
  assert.equal(sampleOf(text, "dspy_module_releases_left_out"), all - MODULE_RELEASES_MAX);
  assert.ok(text.length < TEXT_MAX_CHARS, `${text.length} characters`);
});

test("very many agents: scrapes in a row are one snapshot, seconds old at most", () => {
  const { metrics, call, clock } = monitorWith({ agents: 200, modules: 20 });
  const first = metrics();
  call(0);
  clock.nowMs += SNAPSHOT_MAX_AGE_MS - 1;
  assert.equal(metrics(), first);
  clock.nowMs += 1;
  assert.equal(sampleOf(metrics(), `dspy_request_total{endpoint="${nameOf(0)}"}`), 2);
});

test("a clock that is set back does not make a snapshot stand for long", () => {
  const { metrics, call, clock } = monitorWith({ agents: 200, modules: 20 });
  metrics();
  call(0);
  clock.nowMs -= 60_000;
  assert.equal(sampleOf(metrics(), `dspy_request_total{endpoint="${nameOf(0)}"}`), 2);
});

test("very many modules: all are counted, some have a histogram, and it says how many have none", () => {
  const { metrics } = monitorWith({ agents: 200, modules: 20 });
  const text = metrics();
  const modules = seriesOf(text, "dspy_module_calls_total").length;
  assert.ok(modules >= ALL_PLACES_MAX);
  assert.equal(seriesOf(text, "dspy_module_latency_seconds_count").length, DETAILED_MODULES_MAX);
  assert.equal(sampleOf(text, "dspy_module_details_left_out"), modules - DETAILED_MODULES_MAX);
  assert.ok(text.length < TEXT_MAX_CHARS, `${text.length} characters`);
});

test("a module that has a histogram keeps it when an agent before it brings more", () => {
  const { metrics, clock, state } = monitorWith({ agents: 20, modules: 10 });
  const before = seriesOf(metrics(), "dspy_module_latency_seconds_count");
  assert.equal(before.length, DETAILED_MODULES_MAX);
  state.agents.add(traceOf(0, 15, clock.nowMs), clock.nowMs);
  clock.nowMs += SNAPSHOT_MAX_AGE_MS;
  const withoutValue = (line: string) => line.replace(/ \d+$/, "");
  assert.deepEqual(
    seriesOf(metrics(), "dspy_module_latency_seconds_count").map(withoutValue),
    before.map(withoutValue),
  );
});

test("tells of each export how it stands", () => {
  const { metrics, clock } = monitorWith({ agents: 1, modules: 1 });
  const told = metrics()
    .split("\n")
    .filter((line) => line.startsWith("dspy_export_"));
  assert.deepEqual(told, [
    'dspy_export_up{target="ml.monitoring.agents"} 0',
    'dspy_export_lag_seconds{target="ml.monitoring.agents"} 60',
    'dspy_export_rows_total{target="ml.monitoring.agents"} 12',
    'dspy_export_failures_total{target="ml.monitoring.agents"} 1',
    `dspy_export_next_run_timestamp_seconds{target="ml.monitoring.agents"} ${clock.nowMs / 1000 + 1}`,
  ]);
});

test("tells of each source whether it can be read, and how far behind it is", () => {
  const { metrics } = monitorWith({ agents: 1, modules: 1 });
  const told = metrics()
    .split("\n")
    .filter((line) => line.startsWith("dspy_source_"));
  assert.deepEqual(told, [
    'dspy_source_up{source="Inference tables"} 1',
    'dspy_source_up{source="Span tables"} 0',
    'dspy_source_lag_seconds{source="Inference tables"} 90',
    'dspy_source_lag_seconds{source="Span tables"} 7200',
  ]);
});
