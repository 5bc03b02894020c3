/**
 * Records the telemetry of real DSPy programs anew: `npm run record`, or
 * `npm run record -- support-rag` for one of them. `RECORD_OUT` is where the folders
 * go, `fixtures/telemetry` unless it is set.
 *
 * Stack traces are part of telemetry and name the places of files. So the programs
 * and their Python stand in a folder with a neutral name, `RECORD_DIR`, and that
 * Python, `RECORD_PYTHON`, is not from somebody's home.
 */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";

const ROOT = path.resolve(import.meta.dirname, "..");
const AGENTS = ["support-rag", "order-agent", "triage-pipeline"];
const REQUIREMENTS = [
  "dspy==3.4.1",
  "mlflow==3.17.2",
  "litellm==1.106.2",
  "openinference-instrumentation-dspy==0.1.48",
  "openinference-instrumentation-litellm==0.1.51",
  "opentelemetry-exporter-otlp-proto-http==1.45.2",
];

const directory = process.env.RECORD_DIR ?? "/opt/dspy-record";
const python = process.env.RECORD_PYTHON ?? "/usr/bin/python3";
const out = path.resolve(process.env.RECORD_OUT ?? path.join(ROOT, "fixtures/telemetry"));

const chosen = process.argv.slice(2);
const unknown = chosen.filter((agent) => !AGENTS.includes(agent));
if (unknown.length > 0) {
  throw new Error(`no such agent: ${unknown.join(", ")}. There are ${AGENTS.join(", ")}`);
}

const bin = makeEnvironment();
const agentDirectory = path.join(directory, "agent");
rmSync(agentDirectory, { recursive: true, force: true });
cpSync(path.join(ROOT, "fixtures/telemetry/record"), agentDirectory, { recursive: true });
const ours = ["install", "--quiet", "--no-deps", "--force-reinstall", path.join(ROOT, "python")];
must(path.join(bin, "pip"), ours, directory);
for (const agent of chosen.length > 0 ? chosen : AGENTS) {
  must(path.join(bin, "python"), ["record.py", agent, out], agentDirectory);
}

/** Once; again when the requirements have changed. */
function makeEnvironment(): string {
  const environment = path.join(directory, "venv");
  const ready = path.join(environment, `ready-${REQUIREMENTS.join("-")}`);
  const programs = path.join(environment, "bin");
  if (existsSync(ready)) return programs;
  process.stderr.write(`Installing ${REQUIREMENTS.join(", ")} in ${environment} …\n`);
  mkdirSync(directory, { recursive: true });
  must(python, ["-m", "venv", environment], directory);
  must(path.join(programs, "pip"), ["install", "--quiet", ...REQUIREMENTS], directory);
  writeFileSync(ready, "");
  return programs;
}

function must(command: string, args: readonly string[], cwd: string): void {
  const { status, error } = spawnSync(command, args, { cwd, stdio: "inherit" });
  if (error) throw new Error(`${command} does not run`, { cause: error });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} failed`);
}
