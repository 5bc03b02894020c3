/**
 * What is set for one agent reaches a running monitor: three rules with states of their
 * own, in place of the built-in ones, on the page, in the API, in `/metrics` and in what
 * people are told; over a restart too. Time is virtual, requests are those of its log.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { createTestClock } from "../src/databricks/test-clock.ts";
import type { Monitor } from "../src/monitor/monitor.ts";
import {
  compareAlertSettings,
  type GivenWebhook,
  readAlertSettings,
  writeAlertSettings,
} from "../src/monitor-client/alert-settings.ts";
import { askRules } from "../src/monitor-client/ask-monitor.ts";
import { followAlertSettings } from "../src/monitor-client/follow-alert-settings.ts";
import { announceMonitor } from "../src/monitor-client/monitor-address.ts";
import type { Channel } from "../src/notify/channel.ts";
import type { Message } from "../src/notify/message.ts";
import { readAlertThresholds } from "../src/rules/alert-thresholds.ts";
import { defaultRules } from "../src/rules/built-in-rules.ts";
import { metricsText } from "../src/server/metrics-text.ts";
import type { AgentView, RuleRow, RulesAnswer } from "../src/web/api.ts";
import { startMonitor } from "./start-monitor.ts";

const startMs = Date.UTC(2026, 0, 1, 14, 2);
const ADDRESS = "https://hooks.slack.com/services/T0000/B0000/kept-in-one-place";
/** What the contract sets, but for a window in which a test sends enough. */
const limits = {
  latencyP99ThresholdMs: 1000,
  errorRateThresholdPercent: 5,
  latencyThresholdCount: 10,
  latencyWindowSeconds: 300,
  errorThresholdCount: 20,
  errorWindowSeconds: 300,
};

let dataDirectory: string;
let clock: ReturnType<typeof createTestClock>;
beforeEach(() => {
  dataDirectory = mkdtempSync(join(tmpdir(), "own-alerts-"));
  clock = createTestClock({ startMs });
});
afterEach(() => rmSync(dataDirectory, { recursive: true, force: true }));

const set = (
  thresholds: Parameters<typeof readAlertThresholds>[0],
  webhook: GivenWebhook | null = null,
) =>
  writeAlertSettings(dataDirectory, {
    endpointName: "qa",
    thresholds: readAlertThresholds(thresholds),
    webhook,
  });

/** As `dspy-databricks monitor` starts it. */
async function start({ env = {} }: { readonly env?: Readonly<Record<string, string>> } = {}) {
  const told: { readonly by: string; readonly message: Message }[] = [];
  const notices: string[] = [];
  const channelTo = (by: string): Channel => ({
    kind: "slack",
    preview: ({ headline }) => headline,
    async send(message) {
      told.push({ by, message });
      return { kind: "sent" };
    },
  });
  const settings = await followAlertSettings({
    dataDirectory,
    clock,
    async readWebhook(reference) {
      const url = env[reference.replace("env:", "")];
      if (url === undefined) throw new Error("not set");
      return url;
    },
    channelTo,
    onNotice: (notice) => notices.push(notice),
  });
  const { monitor, url, close } = await startMonitor({
    keep: true,
    dataDirectory,
    clock,
    formatTime: (ms) => new Date(ms).toISOString().slice(11, 16),
    rules: defaultRules,
    ownAlerts: settings.own,
    channel: channelTo("of the monitor"),
  });
  settings.follow((own) => monitor.setOwnAlerts(own));
  return {
    monitor,
    url,
    told,
    notices,
    async close() {
      await settings.close();
      await close();
    },
  };
}

let requests = 0;
/** Requests that end now. */
async function call(
  monitor: Monitor,
  endpoint: string,
  { count, latencyMs = 100, statusCode = 200 }: CallOptions,
): Promise<void> {
  const errorClass =
    statusCode === 429 ? "throttled" : statusCode >= 500 ? ("server" as const) : null;
  await monitor.takeLogged(
    Array.from({ length: count }, () => ({
      requestId: String(requests++),
      traceId: null,
      endpoint,
      timeMs: clock.now(),
      latencyMs,
      statusCode,
      errorClass,
      tokens: null,
      servedEntity: null,
    })),
    new Map(),
  );
}
type CallOptions = {
  readonly count: number;
  readonly latencyMs?: number;
  readonly statusCode?: number;
};

async function rulesOf(url: string, endpoint = "qa"): Promise<RuleRow[]> {
  return (await getJson<RulesAnswer>(`${url}/api/rules?endpoint=${endpoint}`)).rules;
}

async function getJson<T>(url: string): Promise<T> {
  // The server is compiled against these types.
  return (await (await fetch(url)).json()) as T;
}

const states = async (url: string) =>
  Object.fromEntries((await rulesOf(url)).map(({ kind, state }) => [kind, state]));

/** The time goes on, by seconds; alerts are looked at in each of them. */
async function pass(monitor: Monitor, seconds: number, isOver: Holds = () => false): Promise<void> {
  for (let passed = 0; passed < seconds; passed += 3) {
    if (await isOver()) return;
    await clock.advance(3_000);
    // What came before it is on disk when this is.
    await monitor.takeSpans([], new Map([["none", 1]]));
    await nextTurn();
  }
}

/** Waits for what the disk has to do; the time stands still meanwhile. */
async function until(holds: Holds): Promise<void> {
  while (!(await holds())) await nextTurn();
}
type Holds = () => boolean | Promise<boolean>;

test("three rules, each with its own state, in place of the built-in ones", async () => {
  await set(limits);
  const { monitor, url, told, close } = await start();
  try {
    // 11 of 1 200 are slow: fewer than 1 in 100, so the p99 is fine, and more than 10.
    await call(monitor, "qa", { count: 1_189 });
    await call(monitor, "qa", { count: 11, latencyMs: 1_500 });
    await pass(monitor, 20);
    assert.deepEqual(await states(url), {
      latency_p99: "inactive",
      slow_requests: "pending",
      error_rate: "inactive",
      endpoint_not_ready: "inactive",
    });
    await pass(monitor, 60, () => told.length > 0);
    assert.match(
      told[0]?.message.detail ?? "",
      /^11 requests took longer than 1\.0 s within 5 min \(limit 10\) since 14:02\./,
    );
    assert.equal(told[0]?.message.headline, "qa is slow");
    assert.equal(told[0]?.message.ruleId, "slow_requests:qa");

    await call(monitor, "qa", { count: 20, latencyMs: 1_500 });
    await call(monitor, "qa", { count: 200, statusCode: 500 });
    await pass(monitor, 60, async () => (await states(url)).error_rate === "firing");
    assert.deepEqual(await states(url), {
      latency_p99: "firing",
      slow_requests: "firing",
      error_rate: "firing",
      endpoint_not_ready: "inactive",
    });
    const rows = await rulesOf(url);
    assert.deepEqual(
      rows.map(({ ruleId, origin, threshold, unit, value }) => [
        ruleId,
        origin,
        threshold,
        unit,
        value === null ? null : Math.round(value / 10) * 10,
      ]),
      [
        ["latency_p99:qa", "own", 1000, "ms", 1500],
        ["slow_requests:qa", "own", 10, "requests", 30],
        ["error_rate:qa", "own", 5, "percent", 10],
        ["endpoint_not_ready", "built_in", 0, "state", null],
      ],
    );
    const metrics = metricsText(monitor, new Map());
    assert.match(metrics, /^dspy_alert_firing\{rule="slow_requests:qa",endpoint="qa"\} 1$/m);
    assert.match(
      metrics,
      /^dspy_alert_threshold\{rule="slow_requests:qa",kind="slow_requests",endpoint="qa"\} 10$/m,
    );
    const page = await getJson<AgentView>(`${url}/api/agents/qa`);
    assert.equal(page.agent.word, "failing");
    assert.deepEqual(page.thresholds, { latencyP99Ms: 1000, errorRatePercent: 5 });
    assert.equal(page.rules.length, 4);
    assert.ok(!JSON.stringify(page.alerts).includes('"ruleId":"latency_p99"'));

    await pass(monitor, 600, async () => (await states(url)).slow_requests === "resolved");
    assert.equal((await states(url)).error_rate, "resolved");
    assert.match(
      told.map(({ message }) => `${message.headline}: ${message.detail}`).join("\n"),
      /qa is no longer slow: No requests took longer than 1\.0 s|qa is no longer slow: \d+ requests? took longer/,
    );
  } finally {
    await close();
  }
});

test("an error rate needs enough requests, and refusals of the endpoint are none of its failures", async () => {
  await set(limits);
  const { monitor, url, close } = await start();
  try {
    await call(monitor, "qa", { count: 19, statusCode: 500 });
    await pass(monitor, 60);
    assert.equal((await states(url)).error_rate, "inactive");
    await call(monitor, "other", { count: 100, statusCode: 429 });
    await call(monitor, "qa", { count: 981, statusCode: 429 });
    await pass(monitor, 60);
    assert.equal((await states(url)).error_rate, "inactive", "1.9 % of 1 000 are above no limit");
  } finally {
    await close();
  }
});

test("a running monitor takes up what is set within seconds, other agents keep the built-in rules", async () => {
  const { monitor, url, told, close } = await start();
  try {
    for (const endpoint of ["qa", "other"]) {
      await call(monitor, endpoint, { count: 30, latencyMs: 2_000 });
    }
    await pass(monitor, 60);
    assert.equal(told.length, 0);
    await set(limits);
    await pass(monitor, 3);
    await until(async () => (await states(url)).latency_p99 === "pending");
    assert.deepEqual(await states(url), {
      latency_p99: "pending",
      slow_requests: "pending",
      error_rate: "inactive",
      endpoint_not_ready: "inactive",
    });
    await pass(monitor, 60, () => told.length >= 2);
    assert.deepEqual([...new Set(told.map(({ message }) => message.endpoint))], ["qa"]);
    // And back: more is allowed now.
    await set({ ...limits, latencyP99ThresholdMs: 3_000 });
    await pass(monitor, 200, async () => (await states(url)).latency_p99 === "resolved");
    assert.equal((await states(url)).slow_requests, "resolved");
  } finally {
    await close();
  }
});

test("set while no monitor runs, they wait for the next; what fires goes on over a restart", async () => {
  await set(limits);
  const first = await start();
  await call(first.monitor, "qa", { count: 30, latencyMs: 2_000 });
  await pass(first.monitor, 60, async () => (await states(first.url)).latency_p99 === "firing");
  const before = (await rulesOf(first.url)).map(({ ruleId, state, sinceMs }) => [
    ruleId,
    state,
    sinceMs,
  ]);
  await first.close();
  const second = await start();
  try {
    const after = (await rulesOf(second.url)).map(({ ruleId, state, sinceMs }) => [
      ruleId,
      state,
      sinceMs,
    ]);
    assert.deepEqual(after, before);
    assert.equal(before[0]?.[1], "firing");
    await pass(second.monitor, 5);
    assert.deepEqual(second.told, []);
  } finally {
    await second.close();
  }
});

test("an agent with a webhook of its own is told of there, all others where the monitor tells", async () => {
  await set(limits, { kind: "address", address: ADDRESS });
  const { monitor, told, url, close } = await start();
  try {
    await call(monitor, "qa", { count: 30, latencyMs: 2_000 });
    await call(monitor, "other", { count: 30, latencyMs: 9_000 });
    await pass(monitor, 60, () => told.length >= 3);
    assert.deepEqual(
      told.map(({ by, message }) => `${message.ruleId} of ${message.endpoint}: ${by}`).sort(),
      [
        `latency_p99 of other: of the monitor`,
        `latency_p99:qa of qa: ${ADDRESS}`,
        `slow_requests:qa of qa: ${ADDRESS}`,
      ],
    );
    const shown = [
      ...(await Promise.all(
        ["/api/rules", "/api/overview", "/api/agents/qa", "/metrics"].map(async (path) =>
          (await fetch(url + path)).text(),
        ),
      )),
      JSON.stringify(await readAlertSettings(dataDirectory, "qa")),
    ];
    for (const text of shown) assert.ok(text.length > 2 && !text.includes("kept-in-one-place"));
  } finally {
    await close();
  }
  const holding = readdirSync(dataDirectory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => readFileSync(path, "latin1").includes("kept-in-one-place"));
  assert.deepEqual(holding, [join(dataDirectory, "alerts", "qa.webhook")]);
  assert.equal(statSync(holding[0] ?? "").mode & 0o777, 0o600);
  // Set anew by reference, the address is gone.
  await set(limits, { kind: "reference", reference: "env:QA_WEBHOOK" });
  assert.ok(!readdirSync(join(dataDirectory, "alerts")).includes("qa.webhook"));
});

test("a webhook that can't be read yet is told once, and used when it can", async () => {
  const env: Record<string, string> = {};
  await set(limits, { kind: "reference", reference: "env:QA_WEBHOOK" });
  const { monitor, told, notices, close } = await start({ env });
  try {
    await pass(monitor, 130);
    assert.deepEqual(notices, ["The webhook of qa can't be used."]);
    env.QA_WEBHOOK = ADDRESS;
    await pass(monitor, 70);
    await call(monitor, "qa", { count: 30, latencyMs: 2_000 });
    await pass(monitor, 60, () => told.length > 0);
    assert.equal(told[0]?.by, ADDRESS);
  } finally {
    await close();
  }
});

test("a file that makes no sense changes nothing, and is told", async () => {
  await set(limits);
  const { monitor, url, notices, close } = await start();
  try {
    writeFileSync(join(dataDirectory, "alerts", "qa.json"), '{"version":1,"endpointName":"qa"');
    await pass(monitor, 3);
    await until(() => notices.length > 0);
    assert.equal((await rulesOf(url))[0]?.threshold, 1000);
    assert.deepEqual(notices, [
      "alerts/qa.json in the data directory makes no sense, so it changes nothing.",
    ]);
    await assert.rejects(readAlertSettings(dataDirectory, "qa"), { code: "CONFIG_INVALID" });
  } finally {
    await close();
  }
});

test("what is set again changes nothing", async () => {
  const thresholds = readAlertThresholds(limits);
  const webhook = { kind: "address", address: ADDRESS } as const;
  const compare = (given: Partial<Parameters<typeof compareAlertSettings>[1]> = {}) =>
    compareAlertSettings(dataDirectory, { endpointName: "qa", thresholds, webhook, ...given });
  assert.equal(await compare(), "create");
  await set(limits, webhook);
  assert.equal(await compare(), "keep");
  assert.equal(await compare({ webhook: null }), "update");
  assert.equal(await compare({ webhook: { kind: "address", address: `${ADDRESS}2` } }), "update");
  assert.equal(await compare({ thresholds: { ...thresholds, errorWindowSeconds: 60 } }), "update");
});

test("the monitor of a data directory is found, and another one in its place is not taken for it", async () => {
  assert.equal(await askRules(dataDirectory, "qa"), null);
  const { url, monitor, close } = await start();
  const takeBack = await announceMonitor(dataDirectory, { url, startedMs: monitor.startedMs });
  const answer = await askRules(dataDirectory, "qa");
  assert.deepEqual(
    answer?.rules.map(({ ruleId }) => ruleId),
    ["latency_p99", "error_rate", "endpoint_not_ready"],
  );
  await announceMonitor(dataDirectory, { url, startedMs: monitor.startedMs - 1 });
  assert.equal(await askRules(dataDirectory, "qa"), null);
  await takeBack();
  await close();
  await announceMonitor(dataDirectory, { url, startedMs: 1 });
  assert.equal(await askRules(dataDirectory, "qa"), null);
});
