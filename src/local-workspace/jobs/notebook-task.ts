/**
 * A task that runs a notebook of the workspace, in a process of the Python that is
 * configured, as whoever the run belongs to. `python/notebooks/` is what runs there.
 */
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startBoundProcess, stopBoundProcess } from "../core/bound-process.ts";
import { createBoundedLog } from "../core/bounded-log.ts";
import type { WorkspaceContext } from "../core/context.ts";
import { Refusal } from "../databricks-error.ts";
import {
  findObject,
  normalPath,
  type ObjectInfo,
  requireLevel,
} from "../workspace-files/workspace-objects.ts";
import type { Ending, TaskOutput } from "./run.ts";
import type { TaskAttempt, TaskOutcome } from "./run-tasks.ts";

const SCRIPT = fileURLToPath(new URL("../../../python/notebooks/run_notebook.py", import.meta.url));
/** What a notebook ends with is kept up to here, as in Databricks. */
const RESULT_MAX_BYTES = 5 * 1024 * 1024;
/** What Spark needs to be found and to be sized; nothing of it is a credential. */
const PASSED_ON = ["JAVA_HOME", "SPARK_HOME", "SPARK_CONF_DIR", "SPARK_DRIVER_MEMORY"];
const LANGUAGES = ["PYTHON", "SQL"];

/** It can't be begun. */
class UnableError extends Error {
  readonly ending: Ending;

  constructor(message: string, { ending = "unable" }: { readonly ending?: Ending } = {}) {
    super(message);
    this.ending = ending;
  }
}

export async function runNotebookTask(
  context: WorkspaceContext,
  attempt: TaskAttempt,
): Promise<TaskOutcome> {
  try {
    return await run(context, attempt, findNotebook(context, attempt));
  } catch (error) {
    if (!(error instanceof UnableError)) throw error;
    return { ending: error.ending, message: error.message, output: { error: error.message } };
  }
}

type Notebook = { readonly python: string; readonly object: ObjectInfo };

/** @throws UnableError. */
function findNotebook(context: WorkspaceContext, { run, taskRun }: TaskAttempt): Notebook {
  const { notebook_task: task, task_key: key } = taskRun.task;
  if (!task) {
    throw new UnableError(`The local workspace runs notebooks only, and task ${key} has none.`);
  }
  if (task.source !== "WORKSPACE") {
    throw new UnableError("The local workspace runs no notebooks of Git repositories.");
  }
  const path = normalPath(task.notebook_path);
  const object = findObject(context, path);
  if (object?.object_type !== "NOTEBOOK") {
    throw new UnableError(
      `Unable to access the notebook "${task.notebook_path}": it does not exist.`,
      { ending: "notFound" },
    );
  }
  try {
    requireLevel(context, object, principalOf(context, run.run_as), "CAN_READ");
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    throw new UnableError(`Unable to access the notebook "${path}": ${error.message}`);
  }
  if (!LANGUAGES.includes(object.language ?? "")) {
    throw new UnableError(
      `The local workspace runs notebooks of ${LANGUAGES.join(" and ")}, and not of ${object.language}.`,
    );
  }
  if (context.python === null) {
    throw new UnableError(
      "The local workspace runs notebooks only with a Python that has pyspark and delta-spark: start it with --python PATH.",
    );
  }
  return { python: context.python, object };
}

const principalOf = ({ principals }: WorkspaceContext, name: string) =>
  principals.named(name) ?? { name, isAdmin: false };

async function run(
  context: WorkspaceContext,
  { run, taskRun, signal }: TaskAttempt,
  { python, object }: Notebook,
): Promise<TaskOutcome> {
  const directory = join(context.dataDirectory, "job-runs", randomUUID());
  const lent = context.principals.lend(run.run_as);
  const log = createBoundedLog();
  try {
    await mkdir(directory, { recursive: true });
    const content = await readFile(context.workspaceFiles.locate(String(object.object_id)), "utf8");
    const { path, language, format } = object;
    const parameters = parametersOf(run, taskRun.task);
    await writeFile(
      join(directory, "run.json"),
      JSON.stringify({ path, language, format, content, parameters }),
    );
    if (signal.aborted) return { ending: "canceled", output: {} };
    const child = startBoundProcess(python, {
      args: [SCRIPT, directory],
      directory,
      environment: {
        ...passedOn(),
        DATABRICKS_HOST: context.url(),
        DATABRICKS_TOKEN: lent.token,
      },
    });
    const take = (chunk: Buffer) => log.add(chunk.toString("utf8"));
    child.stdout?.on("data", take);
    child.stderr?.on("data", take);
    const stop = () => void stopBoundProcess(child);
    signal.addEventListener("abort", stop, { once: true });
    const [code] = await once(child, "close");
    signal.removeEventListener("abort", stop);
    // What it started and left behind.
    await stopBoundProcess(child);
    const logs = log.text().replaceAll(lent.token, "[REDACTED]");
    return outcomeOf(await readOutcome(directory), { code, logs });
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") {
      throw new UnableError(`${python} can't be run: ${error.message}`);
    }
    throw error;
  } finally {
    lent.revoke();
    await rm(directory, { recursive: true, force: true });
  }
}

function passedOn(): Record<string, string> {
  return Object.fromEntries(
    PASSED_ON.flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

/** As `run_notebook.py` writes it. */
type Outcome = {
  readonly result?: string;
  readonly error?: string;
  readonly error_trace?: string;
};

async function readOutcome(directory: string): Promise<Outcome | null> {
  try {
    // Written by our own program, whole or not at all.
    return JSON.parse(await readFile(join(directory, "outcome.json"), "utf8")) as Outcome;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
}

/** The end of what it wrote: the reason is mostly there. */
const SHOWN_LINES = 3;

function outcomeOf(
  outcome: Outcome | null,
  { code, logs }: { readonly code: unknown; readonly logs: string },
): TaskOutcome {
  if (outcome?.error !== undefined || !outcome) {
    const last = logs.trim().split("\n").slice(-SHOWN_LINES).join(" | ");
    const error = outcome?.error ?? `The notebook's process ended with exit code ${code}. ${last}`;
    return {
      ending: "failed",
      message: "Workload failed, see run output for details",
      output: { error, errorTrace: outcome?.error_trace, logs },
    };
  }
  return { ending: "success", output: { ...resultOf(outcome.result), logs } };
}

function resultOf(result: string | undefined): Pick<TaskOutput, "result" | "isTruncated"> {
  if (result === undefined) return {};
  const bytes = Buffer.from(result);
  const isTruncated = bytes.length > RESULT_MAX_BYTES;
  return {
    result: isTruncated ? bytes.subarray(0, RESULT_MAX_BYTES).toString("utf8") : result,
    isTruncated,
  };
}

/** The job's own come before those of the run, and these before the task's. */
function parametersOf(
  run: TaskAttempt["run"],
  task: TaskAttempt["taskRun"]["task"],
): Record<string, string> {
  const values = {
    ...task.notebook_task?.base_parameters,
    ...run.notebook_params,
    ...run.job_parameters,
  };
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name,
      value.replaceAll(
        /\{\{([\w.]+)\}\}/g,
        (whole, reference: string) => referenced(run, task.task_key, reference) ?? whole,
      ),
    ]),
  );
}

function referenced(run: TaskAttempt["run"], taskKey: string, name: string): string | undefined {
  const [, parameter] = /^job\.parameters\.(\w+)$/.exec(name) ?? [];
  if (parameter !== undefined) return run.job_parameters[parameter];
  const values: Readonly<Record<string, string>> = {
    "job.id": String(run.job_id),
    "job.name": run.run_name,
    "job.run_id": String(run.run_id),
    "task.name": taskKey,
  };
  return values[name];
}
