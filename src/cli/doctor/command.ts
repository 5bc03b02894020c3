/** `dspy-databricks doctor`: what is missing or misconfigured, with the evidence and what mends it. */
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { Command } from "commander";
import { systemClock } from "../../clock.ts";
import type { AgentConfig } from "../../config/agent-config.ts";
import { createDatabricksClient } from "../../databricks/client.ts";
import { type Credentials, resolveCredentials } from "../../databricks/credentials.ts";
import { agentChecks } from "../../doctor/agent-checks.ts";
import { type CheckResult, runChecks } from "../../doctor/check.ts";
import { alertSettingsCheck, dataDirectoryCheck } from "../../doctor/data-directory-checks.ts";
import { duckDbCheck, nodeCheck, pythonCheck } from "../../doctor/machine-checks.ts";
import {
  findMonitor,
  monitorCheck,
  portCheck,
  sourcesCheck,
  telemetryCheck,
} from "../../doctor/monitor-checks.ts";
import { workspaceChecks } from "../../doctor/workspace-checks.ts";
import { dataDirectoryOf } from "../../monitor-client/data-directory.ts";
import { MonitorError } from "../../monitor-error.ts";
import { readWebhook } from "../../publish/read-webhook.ts";
import { EXIT } from "../exit-code.ts";
import { parseOutput } from "../parse-output.ts";
import { parsePort } from "../parse-port.ts";
import { version } from "../version.ts";

const examples = `
Examples:
  $ dspy-databricks doctor                              this machine, and the workspace of DATABRICKS_HOST
  $ dspy-databricks doctor agent.yaml --env prod        what this agent needs as well
  $ dspy-databricks doctor --profile prod --output json
  $ dspy-databricks doctor --python .venv/bin/python

It only reads, asks no agent and starts no warehouse.

Exit codes: 0 nothing failed, 1 a check failed, 2 wrong usage or configuration, 3 what failed was
refused or unreachable.`;

type RawOptions = {
  readonly env?: string;
  readonly profile?: string;
  readonly dataDir?: string;
  readonly port: string;
  readonly python?: string;
  readonly output: string;
};

/** OTLP's own; that of `monitor`. */
const PORT = "4318";
const NO_WORKSPACE_DIRECTORY = ".dspy-databricks/local";

export function doctorCommand(): Command {
  return new Command("doctor")
    .summary("what is missing or misconfigured, and what mends it")
    .description(
      "Look at everything that must be right for agents to be watched and deployed: what\n" +
        "was found, and the command that mends it.",
    )
    .argument("[agent.yaml]", "whose warehouse, tables and permissions are looked at")
    .option("--env <name>", "the environment of the file, such as prod")
    .option("--profile <name>", "the workspace of this profile of ~/.databrickscfg")
    .option("--data-dir <directory>", "of the monitor (default: .dspy-databricks/…)")
    .option("--port <number>", "where the monitor is to listen", PORT)
    .option("--python <path>", "a Python whose package is looked at")
    .option("--output <format>", "format of the result: text or json", "text")
    .addHelpText("after", examples)
    .action(async (file: string | undefined, raw: RawOptions) => {
      const output = parseOutput(raw.output);
      const results = await examine(file, { ...raw, portNumber: parsePort(raw.port) });
      process.stdout.write(
        output === "json" ? `${JSON.stringify(results, null, 2)}\n` : doctorText(results),
      );
      process.exitCode = exitCode(results);
    });
}

async function examine(
  file: string | undefined,
  { env, profile, dataDir, python, portNumber }: RawOptions & { readonly portNumber: number },
): Promise<readonly CheckResult[]> {
  const clock = systemClock;
  const { loadAgentConfig, DatabricksDeployerWithMonitoring } = await import("../../deployment.ts");
  const config: AgentConfig | null =
    file === undefined ? null : await loadAgentConfig(file, { environment: env });
  const credentials = () =>
    resolveCredentials({
      env: process.env,
      profile,
      readFile: (path) => readFileSync(path, "utf8"),
      homeDirectory: homedir(),
    });
  const found = orNull(credentials);
  let clockAheadMs: number | null = null;
  const client =
    found &&
    createDatabricksClient({
      credentials: found,
      clock,
      random: Math.random,
      async fetch(...request) {
        const response = await fetch(...request);
        const toldMs = Date.parse(response.headers.get("date") ?? "");
        // Told in whole seconds.
        if (!Number.isNaN(toldMs)) clockAheadMs = clock.now() - toldMs;
        return response;
      },
    });
  const dataDirectory = dataDir ?? (found ? dataDirectoryOf(found.host) : NO_WORKSPACE_DIRECTORY);
  const seen = await findMonitor(dataDirectory);
  const nowMs = clock.now();
  return runChecks([
    nodeCheck(process.version),
    duckDbCheck,
    pythonCheck(python ?? null, version),
    dataDirectoryCheck(dataDirectory),
    alertSettingsCheck(dataDirectory, (reference) => readWebhook(reference, client)),
    portCheck(portNumber, seen),
    monitorCheck(dataDirectory, seen),
    sourcesCheck(seen),
    telemetryCheck(seen, nowMs),
    ...workspaceChecks({ credentials, client, clockAheadMs: () => clockAheadMs }),
    ...agentChecks({
      client,
      config,
      dataDirectory,
      nowMs,
      warehouseId: process.env.DATABRICKS_WAREHOUSE_ID,
      async missingPermissions(wanted) {
        const deployer = new DatabricksDeployerWithMonitoring({ profile, dataDir: dataDirectory });
        return (await deployer.deploy(wanted, { dryRun: true })).missingPermissions ?? [];
      },
    }),
  ]);
}

/** What is wrong with them is told by the check of credentials. */
function orNull(credentials: () => Credentials | null): Credentials | null {
  try {
    return credentials();
  } catch (error) {
    if (!(error instanceof MonitorError)) throw error;
    return null;
  }
}

export function doctorText(results: readonly CheckResult[]): string {
  const marks = { ok: "ok", warning: "warning", failed: "FAILED", skipped: "–" };
  const lines = results.flatMap(({ name, outcome, evidence, fix }) => [
    `${marks[outcome].padEnd(8)} ${name.padEnd(17)} ${evidence}`,
    ...(fix === null || outcome === "skipped" ? [] : [`${"".padEnd(26)} → ${fix}`]),
  ]);
  const counted = (outcome: CheckResult["outcome"]) =>
    results.filter((result) => result.outcome === outcome).length;
  const sum = `${counted("ok")} ok, ${counted("warning")} to look at, ${counted("failed")} failed, ${counted("skipped")} not looked at.`;
  return `${[...lines, "", sum].join("\n")}\n`;
}

export function exitCode(results: readonly CheckResult[]): number {
  const failed = results.filter(({ outcome }) => outcome === "failed");
  if (failed.length === 0) return EXIT.done;
  return failed.some(({ isRefused }) => isRefused) ? EXIT.refused : EXIT.failed;
}
