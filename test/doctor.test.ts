/**
 * What `dspy-databricks doctor` finds, one thing wrong at a time: on this machine, with a
 * monitor that runs, and in the local workspace.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { doctorText, exitCode } from "../src/cli/doctor/command.ts";
import { systemClock } from "../src/clock.ts";
import { type AgentContext, agentChecks } from "../src/doctor/agent-checks.ts";
import { type Check, type CheckResult, ok, runChecks } from "../src/doctor/check.ts";
import { alertSettingsCheck, dataDirectoryCheck } from "../src/doctor/data-directory-checks.ts";
import { duckDbCheck, nodeCheck, pythonCheck } from "../src/doctor/machine-checks.ts";
import {
  findMonitor,
  monitorCheck,
  portCheck,
  sourcesCheck,
  telemetryCheck,
} from "../src/doctor/monitor-checks.ts";
import { workspaceChecks } from "../src/doctor/workspace-checks.ts";
import { writeAlertSettings } from "../src/monitor-client/alert-settings.ts";
import { announceMonitor } from "../src/monitor-client/monitor-address.ts";
import { MonitorError } from "../src/monitor-error.ts";
import { defaultAlertThresholds } from "../src/rules/alert-thresholds.ts";
import { type DeploySetting, openDeploySetting } from "./deploy-setting.ts";
import { sendCapture, startMonitor } from "./start-monitor.ts";

const directory = mkdtempSync(join(tmpdir(), "doctor-"));
let setting: DeploySetting;
before(() => {
  setting = openDeploySetting({ principals: ["newcomer"] });
});
after(async () => {
  await setting.close();
  rmSync(directory, { recursive: true });
});

async function look(check: Check): Promise<CheckResult> {
  const [result] = await runChecks([check]);
  assert.ok(result);
  // Whatever is wrong comes with what mends it.
  if (result.outcome === "warning" || result.outcome === "failed") assert.ok(result.fix);
  return result;
}
const outcomeOf = async (check: Check) => (await look(check)).outcome;

for (const [version, outcome] of [
  ["v22.13.0", "ok"],
  ["v22.12.9", "failed"],
  ["v24.0.0", "ok"],
  ["v20.20.2", "failed"],
] as const) {
  test(`Node ${version}: ${outcome}`, async () =>
    assert.equal(await outcomeOf(nodeCheck(version)), outcome));
}

test("DuckDB really answers", async () => {
  assert.match((await look(duckDbCheck)).evidence, /^DuckDB v[\d.]+ answers\.$/);
});

test("a Python that is none, one without the package, and none at all", async () => {
  assert.equal(await outcomeOf(pythonCheck(null, "0.1.0")), "skipped");
  assert.equal(await outcomeOf(pythonCheck(join(directory, "python"), "0.1.0")), "failed");
  const said = (versions: object) => {
    const path = join(directory, "as-python");
    writeFileSync(path, `#!/bin/sh\necho '${JSON.stringify(versions)}'\n`);
    chmodSync(path, 0o755);
    return look(pythonCheck(path, "0.1.0"));
  };
  const without = await said({ python: "3.12.1", "dspy-databricks-agents": null, dspy: "3.4" });
  assert.deepEqual(
    [without.outcome, without.evidence],
    [
      "warning",
      "The package that reports modules is not there: python 3.12.1, dspy-databricks-agents is not there, dspy 3.4.",
    ],
  );
  assert.equal((await said({ "dspy-databricks-agents": "0.1.0" })).outcome, "ok");
  assert.equal((await said({ "dspy-databricks-agents": "0.0.9" })).outcome, "warning");
});

test("a data directory that is there, that will be made, and that can't be", async () => {
  const check = (path: string) => look(dataDirectoryCheck(path));
  assert.match((await check(directory)).evidence, /can be written; \d+ MiB are free/);
  assert.match((await check(join(directory, "a/b"))).evidence, /will be made/);
  writeFileSync(join(directory, "file"), "");
  for (const path of ["file", "file/below"]) {
    const { outcome, evidence } = await check(join(directory, path));
    assert.deepEqual([outcome, evidence], ["failed", `${join(directory, "file")} is a file.`]);
  }
});

test("webhooks that others may read, that are not set, and files that are broken", async () => {
  const home = join(directory, "alerts-of-agents");
  const check = () =>
    look(
      alertSettingsCheck(home, async () => {
        throw new MonitorError("CONFIG_INVALID", "QA_WEBHOOK is not set", { hint: "set it" });
      }),
    );
  assert.equal((await check()).outcome, "skipped");
  const settings = { endpointName: "qa", thresholds: defaultAlertThresholds };
  const address = "https://hooks.slack.com/services/T0/B0/not-told";
  await writeAlertSettings(home, { ...settings, webhook: { kind: "address", address } });
  assert.equal((await check()).outcome, "ok");
  chmodSync(join(home, "alerts", "qa.webhook"), 0o644);
  const open = await check();
  assert.match(open.evidence, /qa\.webhook holds a webhook, and others may read it\.$/);
  assert.match(open.fix ?? "", /^chmod 600 /);
  assert.ok(!JSON.stringify(open).includes("not-told"));
  const webhook = { kind: "reference", reference: "env:QA_WEBHOOK" } as const;
  await writeAlertSettings(home, { ...settings, webhook });
  assert.equal((await check()).evidence, "Nobody is told of qa: QA_WEBHOOK is not set.");
  writeFileSync(join(home, "alerts", "qa.json"), "{");
  assert.equal((await check()).outcome, "failed");
});

test("the port is free, another program's, the monitor's, or another monitor's", async () => {
  const program = createServer((socket) => socket.destroy()).listen(0, "127.0.0.1");
  await once(program, "listening");
  const address = program.address();
  const port = address !== null && typeof address === "object" ? address.port : 0;
  const taken = await look(portCheck(port, null));
  assert.equal(taken.outcome, "failed");
  assert.match(taken.fix ?? "", new RegExp(`^lsof -i :${port};`));
  program.close();
  await once(program, "close");
  assert.equal(await outcomeOf(portCheck(port, null)), "ok");
  const monitor = await startMonitor();
  const itsPort = Number(new URL(monitor.url).port);
  assert.equal(await outcomeOf(portCheck(itsPort, null)), "warning");
  const { startedMs } = monitor.monitor;
  await announceMonitor(directory, { url: monitor.url, startedMs });
  assert.equal(await outcomeOf(portCheck(itsPort, await findMonitor(directory))), "ok");
  await monitor.close();
});

test("a monitor that runs, what arrives there, and none", async () => {
  const home = join(directory, "running");
  assert.equal(await outcomeOf(monitorCheck(home, await findMonitor(home))), "warning");
  assert.equal(await outcomeOf(telemetryCheck(null, 0)), "skipped");
  const { monitor, url, close } = await startMonitor();
  await announceMonitor(home, { url, startedMs: monitor.startedMs });
  const telemetry = async (nowMs = Date.now()) =>
    look(telemetryCheck(await findMonitor(home), nowMs));
  assert.equal(await outcomeOf(monitorCheck(home, await findMonitor(home))), "ok");
  assert.equal(await outcomeOf(sourcesCheck(await findMonitor(home))), "ok");
  assert.equal((await telemetry()).evidence, "No span has arrived yet.");
  await sendCapture(url, "callback-rag-0001.otlp.pb");
  assert.match((await telemetry()).evidence, /^The last span came \d s ago; 0 spans and values/);
  assert.equal((await telemetry(Date.now() + 3_600_000)).outcome, "warning");
  await close();
  assert.equal(await findMonitor(home), null, "killed, it is no longer taken to run");
});

const workspace = async (part: Partial<Parameters<typeof workspaceChecks>[0]>) => {
  const client = setting.client();
  const checks = workspaceChecks({
    client,
    credentials: () => null,
    clockAheadMs: () => 0,
    ...part,
  });
  const results = await runChecks(checks);
  return Object.fromEntries(results.map((result) => [result.name, result]));
};

test("a workspace that answers, one that refuses, and none", async () => {
  const found = await workspace({});
  assert.equal(found.workspace?.outcome, "ok");
  assert.match(found.workspace?.evidence ?? "", /answers to local-workspace@example\.com/);
  const none = await workspace({ client: null });
  assert.deepEqual(
    ["credentials", "workspace", "watching"].map((name) => none[name]?.outcome),
    ["skipped", "skipped", "skipped"],
  );
  const refused = await workspace({ client: setting.client({ as: "nobody" }) });
  assert.equal(refused.workspace?.outcome, "failed");
  assert.equal(exitCode(Object.values(refused)), 3);
  const incomplete = await workspace({
    credentials: () => {
      throw new MonitorError("CREDENTIALS_MISSING", "no token for the host", { hint: "set it" });
    },
  });
  assert.deepEqual(
    [incomplete.credentials?.evidence, incomplete.credentials?.isRefused],
    ["no token for the host", true],
  );
});

for (const [aheadMs, outcome] of [
  [2_000, "ok"],
  [-45_000, "warning"],
  [900_000, "failed"],
  [null, "skipped"],
] as const) {
  test(`a clock that is ${aheadMs} ms ahead: ${outcome}`, async () => {
    assert.equal((await workspace({ clockAheadMs: () => aheadMs })).clock?.outcome, outcome);
  });
}

test("what an agent needs: before it was deployed, after it, and for somebody who may not", async () => {
  const config = setting.agent({ name: "examined" });
  const dataDirectory = join(directory, "examined");
  const agent = async (part: Partial<AgentContext> = {}, as?: string) => {
    const results = await runChecks(
      agentChecks({
        client: setting.client(),
        config,
        warehouseId: undefined,
        dataDirectory,
        nowMs: systemClock.now(),
        missingPermissions: async (wanted) => {
          const deployer = setting.deployer(as === undefined ? {} : { as });
          return (await deployer.deploy(wanted, { dryRun: true })).missingPermissions ?? [];
        },
        ...part,
      }),
    );
    return Object.fromEntries(results.map((result) => [result.name, result]));
  };
  const outcomes = (results: Record<string, CheckResult>) =>
    Object.entries(results).map(([name, { outcome }]) => `${name} ${outcome}`);
  assert.deepEqual(outcomes(await agent({ config: null })), [
    "warehouse skipped",
    "tables skipped",
    "export skipped",
    "deploying skipped",
  ]);
  const untouched = await agent();
  assert.deepEqual(outcomes(untouched), [
    "warehouse ok",
    "tables warning",
    "export warning",
    "deploying ok",
  ]);
  assert.match(untouched.export?.evidence ?? "", /Nothing of .* was exported yet/);
  await setting.deployer().deploy(config);
  mkdirSync(join(dataDirectory, "history"), { recursive: true });
  const marks = join(dataDirectory, "history", "exported.json");
  writeFileSync(marks, "{}");
  assert.deepEqual(outcomes(await agent()), [
    "warehouse ok",
    "tables ok",
    "export ok",
    "deploying ok",
  ]);
  const hourAgo = Date.now() / 1000 - 3600;
  utimesSync(marks, hourAgo, hourAgo);
  assert.match((await agent()).export?.evidence ?? "", /were exported 60 min ago/);

  const told = { ...exportOf("ml.monitoring.agent_monitoring"), state: "ok", reason: null };
  const stopExporting = await answerExports(dataDirectory, told);
  assert.match(
    (await agent()).export?.evidence ?? "",
    /agent_monitoring ran \d+ s ago and is ok\.$/,
  );
  Object.assign(told, { state: "parked", reason: "MODIFY is missing" });
  const parked = (await agent()).export;
  assert.deepEqual(
    [parked?.outcome, /MODIFY is missing/.test(parked?.evidence ?? "")],
    ["failed", true],
  );
  await stopExporting();
  const newcomer = (await agent({ config: setting.agent({ name: "another" }) }, "newcomer"))
    .deploying;
  assert.deepEqual([newcomer?.outcome, newcomer?.isRefused], ["failed", true]);
  assert.match(newcomer?.fix ?? "", /GRANT USE CATALOG ON CATALOG `ml` TO `newcomer`/);
});

test("as it is told, and what it exits with", async () => {
  const results: CheckResult[] = [
    { name: "node", ...ok("Node runs.") },
    { name: "port", outcome: "failed", evidence: "Taken.", fix: "lsof -i :4318" },
    { name: "tables", outcome: "skipped", evidence: "No agent.yaml was named.", fix: "name it" },
  ];
  assert.equal(
    doctorText(results),
    `ok       node              Node runs.
FAILED   port              Taken.
                           → lsof -i :4318
–        tables            No agent.yaml was named.

1 ok, 0 to look at, 1 failed, 1 not looked at.
`,
  );
  assert.equal(exitCode(results), 1);
  assert.equal(exitCode(results.slice(0, 1)), 0);
});

const exportOf = (target: string) => ({
  target,
  lastRunMs: Date.now(),
  asOfMs: null,
  lagMs: null,
  rows: null,
  periodMs: 60_000,
  nextRunMs: Date.now(),
});

/** As the monitor of a data directory that exports. */
async function answerExports(dataDirectory: string, told: object): Promise<() => Promise<void>> {
  const startedMs = 1;
  const server = createHttpServer((_, response) => {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ asOfMs: Date.now(), startedMs, exports: [told] }));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = address !== null && typeof address === "object" ? address.port : 0;
  const takeBack = await announceMonitor(dataDirectory, {
    url: `http://127.0.0.1:${port}`,
    startedMs,
  });
  return async () => {
    await takeBack();
    server.closeAllConnections();
    server.close();
  };
}
