/**
 * A workspace that can't be read any more, because its token ran out, is told to
 * people like any other trouble: everywhere that an alert shows, and when it is over.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { exportGone, exportHealth } from "../src/cli/monitor/export-health.ts";
import { report } from "../src/cli/monitor/report.ts";
import { createTestClock } from "../src/databricks/test-clock.ts";
import type { ExportStatus } from "../src/export/schedule/scheduled-export.ts";
import { type AppState, healthOfApp } from "../src/ingest/app-state/app-state.ts";
import type { Monitor } from "../src/monitor/monitor.ts";
import type { Message } from "../src/notify/message.ts";
import { previewSlack } from "../src/notify/slack/render.ts";
import { defaultRules, receiverRules } from "../src/rules/built-in-rules.ts";
import { formatSentence } from "../src/rules/sentence.ts";
import { agentView } from "../src/server/api/agent-view.ts";
import { overview } from "../src/server/api/overview.ts";
import { rangeOf } from "../src/server/api/range.ts";
import { metricsText } from "../src/server/metrics-text.ts";
import type { HealthResult } from "../src/signals/health-result.ts";
import { startMonitor } from "./start-monitor.ts";

const startMs = Date.UTC(2026, 0, 1, 14, 2);
const formatTime = (ms: number) => new Date(ms).toISOString().slice(11, 16);

const result = (endpoint: string | null, part: Partial<HealthResult>): HealthResult => ({
  component: endpoint === null ? "workspace" : `endpoint/${endpoint}`,
  endpoint,
  status: "healthy",
  state: "ready",
  message: "Answered with 1 serving endpoint.",
  latencyMs: null,
  timeMs: startMs,
  ...part,
});
const denied: Partial<HealthResult> = {
  status: "unhealthy",
  state: "denied",
  message: "cannot list the serving endpoints: the token is not valid",
};

test("a token that ran out is told, and that it works again", async () => {
  const clock = createTestClock({ startMs });
  const told: Message[] = [];
  const { monitor, close } = await startMonitor({
    clock,
    formatTime,
    rules: defaultRules,
    channel: {
      kind: "slack",
      preview: previewSlack,
      async send(message) {
        told.push(message);
        return { kind: "sent" };
      },
    },
    pageUrl: (endpoint) => `http://127.0.0.1/#/${endpoint ?? ""}`,
  });
  try {
    // An endpoint may be called as the workspace is: its own views show none of this.
    await see(monitor, [result(null, {}), result("workspace", {})]);
    await see(monitor, [result(null, denied)]);
    await untilAlert(monitor, "pending", () => clock.advance(1000));
    assert.equal(told.length, 0);
    assert.equal((await sentenceOf(monitor)).status, "warning");

    await untilAlert(monitor, "firing", () => clock.advance(10_000));
    const firing = await sentenceOf(monitor);
    assert.equal(firing.status, "critical");
    assert.match(
      formatSentence(firing),
      /^The workspace can't be read: .* not known since 14:02\.$/,
    );
    assert.match(
      metricsText(monitor, new Map()),
      /^dspy_alert_firing\{rule="workspace_unreadable",endpoint="workspace"\} 1$/m,
    );
    const { alerts } = await overviewOf(monitor);
    assert.deepEqual(
      alerts.map(({ ruleId, endpoint, state, unit }) => ({ ruleId, endpoint, state, unit })),
      [{ ruleId: "workspace_unreadable", endpoint: null, state: "firing", unit: "state" }],
    );

    await see(monitor, [result(null, {})]);
    await untilAlert(monitor, "resolved", () => clock.advance(10_000));
    assert.equal((await sentenceOf(monitor)).status, "healthy");
    assert.match(metricsText(monitor, new Map()), /rule="workspace_unreadable".*\} 0$/m);

    await until(() => told.length === 2);
    assert.deepEqual(
      told.map(({ state, endpoint, headline, pageUrl }) => [state, endpoint, headline, pageUrl]),
      [
        ["firing", null, "The workspace can't be read", "http://127.0.0.1/#/"],
        ["resolved", null, "The workspace can be read again", "http://127.0.0.1/#/"],
      ],
    );
    assert.match(told.map(previewSlack).join("\n"), /Workspace · Rule `workspace_unreadable`/);

    const { alerts: reported } = report(monitor, { page: "", telemetry: "live" });
    assert.deepEqual(
      reported.map(({ rule, endpoint, from, to }) => `${rule} ${endpoint}: ${from} > ${to}`),
      [
        "workspace_unreadable workspace: inactive > pending",
        "workspace_unreadable workspace: pending > firing",
        "workspace_unreadable workspace: firing > resolved",
      ],
    );

    const view = await agentView(monitor, surroundings, {
      endpoint: "workspace",
      ...asked(monitor),
    });
    assert.ok(view);
    assert.deepEqual([view.alerts, view.notifications], [[], []]);
    assert.ok(view.changes.every(({ kind }) => kind !== "alert"));
    assert.deepEqual(monitor.alerting.breachesOf("workspace"), []);
  } finally {
    await close();
  }
});

test("an export that stands still is told with its reason, and that it works again", async () => {
  const clock = createTestClock({ startMs });
  const { monitor, close } = await startMonitor({ clock, formatTime, rules: receiverRules });
  const exported: ExportStatus = {
    target: "ml.monitoring.agents",
    state: "ok",
    isRunning: false,
    lastRunMs: startMs,
    asOfMs: startMs,
    lagMs: 0,
    rows: 0,
    rowsTotal: 0,
    runsTotal: 1,
    failuresTotal: 0,
    periodMs: 60_000,
    reason: null,
    nextRunMs: startMs,
  };
  const parked: ExportStatus = { ...exported, state: "parked", reason: "It lacks MODIFY." };
  const untilIt = (state: string) =>
    untilAlert(monitor, state, () => clock.advance(10_000), "export_lagging");
  try {
    await see(monitor, [exportHealth(exported, clock.now())]);
    await clock.advance(60_000);
    assert.equal(monitor.state.alerts.size, 0);
    // Another one that works does not hide it.
    const other = { ...exported, target: "./lake" };
    await see(monitor, [exportHealth(other, clock.now()), exportHealth(parked, clock.now())]);
    await untilIt("firing");
    const [alert] = (await overviewOf(monitor)).alerts;
    assert.match(
      alert?.reason ?? "",
      /^The history is not exported: The export to ml.monitoring.agents stands still. It lacks MODIFY. So it has been since 14:03. Nothing is lost: the rows wait.$/,
    );
    await see(monitor, [exportHealth(exported, clock.now())]);
    await untilIt("resolved");
    assert.match(
      (await overviewOf(monitor)).alerts[0]?.reason ?? "",
      /^The history is exported again: /,
    );

    // One that nobody asks for any more is no trouble.
    await see(monitor, [exportHealth(parked, clock.now())]);
    await see(monitor, [exportGone("ml.monitoring.agents", clock.now())]);
    await clock.advance(120_000);
    assert.equal((await overviewOf(monitor)).alerts[0]?.state, "resolved");
  } finally {
    await close();
  }
});

test("a receiver says nothing of a workspace that it watched in former days", async () => {
  const clock = createTestClock({ startMs });
  const { monitor, close } = await startMonitor({ clock, rules: receiverRules });
  try {
    await see(monitor, [result(null, denied)]);
    await clock.advance(60_000);
    assert.equal(monitor.state.alerts.size, 0);
  } finally {
    await close();
  }
});

test("an app that is down is told like an endpoint that is down; one that was stopped is not", async () => {
  const clock = createTestClock({ startMs });
  const { monitor, close } = await startMonitor({ clock, formatTime, rules: defaultRules });
  const app = { name: "agent-rag", computeState: "ACTIVE", activeDeployment: {} } as const;
  const seen = (part: Partial<AppState>) =>
    healthOfApp(
      { ...app, appState: "RUNNING", message: null, pendingDeployment: null, ...part },
      { timeMs: clock.now() },
    );
  const passUntil = async (state: string, health: HealthResult) => {
    const isThere = () =>
      [...monitor.state.alerts.values()].some(
        ({ endpoint, kind }) => endpoint === app.name && kind === state,
      );
    for (let round = 0; round < 20 && !isThere(); round++) {
      await see(monitor, [health, result(null, { component: `round/${state}/${round}` })]);
      await clock.advance(10_000);
    }
    assert.ok(isThere(), `the alert never was ${state}`);
  };
  const row = async () =>
    (await overviewOf(monitor)).agents.find(({ endpoint }) => endpoint === app.name);
  try {
    await see(monitor, [seen({})]);
    assert.equal((await row())?.health?.state, "running");
    await passUntil("firing", seen({ appState: "CRASHED", message: "exit code 1" }));
    assert.deepEqual([(await row())?.status, (await row())?.word], ["critical", "down"]);
    assert.match(
      formatSentence(await sentenceOf(monitor)),
      /^agent-rag is down: The program has crashed: "exit code 1"/,
    );
    await passUntil("resolved", seen({ computeState: "STOPPED", appState: "UNAVAILABLE" }));
    assert.deepEqual([(await row())?.status, (await row())?.word], ["unknown", "stopped"]);
    // An endpoint of the same name is the same agent: what is worse counts.
    await see(monitor, [seen({}), result(app.name, { status: "unhealthy", state: "not_ready" })]);
    assert.equal((await row())?.health?.state, "not_ready");
  } finally {
    await close();
  }
});

const surroundings = {
  source: { kind: "workspace", host: "https://qa.example", telemetry: "live" },
  sources: () => [],
} as const;

function asked(monitor: Monitor) {
  const range = rangeOf("5m", monitor.now());
  assert.ok(range);
  return { name: "5m", range };
}

const overviewOf = (monitor: Monitor) => overview(monitor, surroundings, asked(monitor));

const sentenceOf = async (monitor: Monitor) => (await overviewOf(monitor)).sentence;

function see(monitor: Monitor, health: readonly HealthResult[]): Promise<void> {
  return monitor.observe({ samples: [], health, dropped: new Map() });
}

/** Lets time pass until the alert about the workspace is in that state. */
async function untilAlert(
  monitor: Monitor,
  state: string,
  pass: () => Promise<void>,
  rule = "workspace_unreadable",
) {
  const isThere = () => monitor.state.alerts.get(`${rule}|workspace`)?.kind === state;
  for (let round = 0; round < 20 && !isThere(); round++) {
    await pass();
    // The journal is another thread: its answer comes in a turn of its own.
    await see(monitor, [result(null, { component: `round/${state}/${round}` })]);
  }
  assert.ok(isThere(), `the alert never was ${state}`);
}

async function until(isReached: () => boolean): Promise<void> {
  while (!isReached()) await nextTurn();
}
