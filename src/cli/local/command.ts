/** `dspy-databricks local`: a Databricks workspace on this machine, until it is stopped. */

import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { systemClock } from "../../clock.ts";
import { makeDirectory } from "../../make-directory.ts";
import { MonitorError } from "../../monitor-error.ts";
import { putExampleSecret } from "../example-secret.ts";
import { EXIT } from "../exit-code.ts";
import { untilStopped } from "../until-stopped.ts";
import { checkOptions, DEFAULT_PORT, type LocalOptions, type RawOptions } from "./options.ts";

const examples = `
It prints the two variables that clients of Databricks read: its address, and the token of its admin.

Examples:
  $ dspy-databricks local                                   gone when it stops
  $ dspy-databricks local --data-dir workspace              kept, and there again at the next start
  $ dspy-databricks local --python .venv/bin/python         serves models with MLflow, runs notebooks
  $ dspy-databricks local --token admin-1 --token ann=ann-2 two callers; ann may do what she is granted

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.`;

export function localCommand(): Command {
  return new Command("local")
    .summary("a Databricks workspace on this machine, for trying out and for tests")
    .description(
      "Start a Databricks workspace on this machine: its REST API, on loopback. What it\n" +
        "does as Databricks does, and what not, is in docs/local-workspace.md.",
    )
    .option("--port <number>", "where it listens; 0: any free port", DEFAULT_PORT)
    .option("--data-dir <directory>", "where it keeps what it holds (default: a temporary one)")
    .option(
      "--token <[name=]token>",
      "of the admin, or of another principal; may be given several times",
      (token: string, before: readonly string[] = []) => [...before, token],
    )
    .option(
      "--python <path>",
      "a Python with mlflow and dspy, which serves models, or pyspark, which runs notebooks",
    )
    .option("--for <duration>", "stop by itself after this long, such as 90s")
    .addHelpText("after", examples)
    .action(async (raw: RawOptions) => {
      const interrupted = await run(checkOptions(raw));
      process.exitCode = interrupted ? EXIT.interrupted : EXIT.done;
    });
}

const RECORDED =
  "Without --python only the three examples of the project can be deployed, from recordings, and no notebook runs.\n";

/** @returns whether a person stopped it. */
async function run(options: LocalOptions): Promise<boolean> {
  if (options.python !== null) checkPython(options.python);
  // Loaded only here: no other command carries it.
  const { startLocalWorkspace } = await import("../../local-workspace/workspace.ts");
  if (options.dataDirectory !== null) makeDataDirectory(options.dataDirectory);
  const token = options.token ?? keptToken(options.dataDirectory);
  const { port, dataDirectory, python, principals } = options;
  const workspace = await startLocalWorkspace({
    port,
    token,
    principals,
    examples: false,
    otlpUrl: null,
    clock: systemClock,
    ...(dataDirectory === null ? {} : { dataDirectory }),
    ...(python === null ? {} : { python }),
  }).catch((error: unknown) => {
    throw startError(error, options);
  });
  // Real models ask with it: then it is the user's to put there.
  if (python === null) await putExampleSecret(workspace);
  process.stdout.write(`DATABRICKS_HOST=${workspace.url}\nDATABRICKS_TOKEN=${workspace.token}\n`);
  const kept = dataDirectory === null ? " It forgets everything when it stops." : "";
  process.stderr.write(
    `The workspace is there.${kept} Press Ctrl+C to stop.\n${python === null ? RECORDED : ""}`,
  );
  try {
    return await untilStopped(options.forMs, systemClock);
  } finally {
    await workspace.close();
  }
}

function makeDataDirectory(path: string): void {
  try {
    makeDirectory(path, { mode: 0o700 });
  } catch (error) {
    throw unwritable(path, error);
  }
}

const TOKEN_BYTES = 16;

/** With a data directory, the same token at each start: clients keep it. */
function keptToken(dataDirectory: string | null): string {
  const fresh = `dapi${randomBytes(TOKEN_BYTES).toString("hex")}`;
  if (dataDirectory === null) return fresh;
  const path = join(dataDirectory, "admin-token");
  try {
    return readFileSync(path, "utf8").trim();
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) {
      throw unwritable(dataDirectory, error);
    }
  }
  try {
    writeFileSync(path, `${fresh}\n`, { mode: 0o600, flag: "wx" });
  } catch (error) {
    throw unwritable(dataDirectory, error);
  }
  return fresh;
}

/** Longest that a Python may take to say whether it has what it needs. */
const PYTHON_MAX_MS = 20_000;

/**
 * Says what of both it can't do.
 *
 * @throws MonitorError `USAGE_INVALID` when it does not run, or can do nothing here.
 */
function checkPython(python: string): void {
  const code =
    "import importlib.util as u; print(*[m for m in ('mlflow', 'pyspark') if u.find_spec(m)])";
  const { status, error, stdout } = spawnSync(python, ["-c", code], {
    timeout: PYTHON_MAX_MS,
    encoding: "utf8",
  });
  const has = status === 0 ? stdout.split(/\s+/) : [];
  if (!has.includes("mlflow") && !has.includes("pyspark")) {
    const what =
      status === 0
        ? "it has neither mlflow nor pyspark"
        : (error?.message ?? `it ended with exit code ${status}`);
    throw new MonitorError(
      "USAGE_INVALID",
      `--python ${python} can neither serve models nor run notebooks: ${what}`,
      {
        hint: 'Give the Python of an environment in which "pip install mlflow dspy" was run, or "pip install pyspark delta-spark", or both.',
      },
    );
  }
  if (!has.includes("mlflow"))
    process.stderr.write(`${python} has no mlflow: no model is served.\n`);
  if (!has.includes("pyspark")) {
    process.stderr.write(`${python} has no pyspark: notebooks without Spark alone are run.\n`);
  }
}

function startError(error: unknown, { port, dataDirectory }: LocalOptions): unknown {
  const code = error instanceof Error && "code" in error ? error.code : "";
  if (code === "EADDRINUSE") {
    return new MonitorError(
      "PORT_IN_USE",
      `cannot listen on 127.0.0.1:${port}: another program is using the port`,
      {
        hint: `See which with "lsof -i :${port}" and stop it, or choose another port with --port.`,
        cause: error,
      },
    );
  }
  if (dataDirectory === null || !(error instanceof Error)) return error;
  if (/database is locked/.test(error.message)) {
    return new MonitorError(
      "DATA_DIR_LOCKED",
      `the data directory ${dataDirectory} belongs to a workspace that is running`,
      { hint: "Stop that one, or give this one another --data-dir.", cause: error },
    );
  }
  const isOfFiles = /^(E[A-Z]+|ERR_SQLITE_ERROR)$/.test(String(code));
  return isOfFiles ? unwritable(dataDirectory, error) : error;
}

function unwritable(dataDirectory: string, cause: unknown): MonitorError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new MonitorError(
    "DATA_DIR_UNWRITABLE",
    `cannot keep a workspace in ${dataDirectory}: ${why}`,
    { hint: "Give a --data-dir that this user can write.", cause },
  );
}
