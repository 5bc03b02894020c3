/**
 * Carries runs out: each task once those that it needs have ended, a bounded number at
 * once, again where it is to be retried, and no longer than it may take. What a task does
 * is given; time comes from the clock.
 */
import type { WorkspaceContext } from "../core/context.ts";
import { newNumberId } from "../core/ids.ts";
import { createSlots } from "../core/slots.ts";
import { wait } from "../core/wait.ts";
import {
  type Ending,
  ended,
  endingOf,
  hasEnded,
  type Run,
  type RunState,
  runsOf,
  type TaskOutput,
  type TaskRun,
} from "./run.ts";

export type TaskAttempt = {
  readonly run: Run;
  readonly taskRun: TaskRun;
  readonly signal: AbortSignal;
};

export type TaskOutcome = {
  readonly ending: Ending;
  readonly message?: string;
  readonly output: TaskOutput;
};

export type RunTasks = {
  /** Carries it out in the background. */
  start(run: Run): void;
  /** What runs of it is ended. */
  cancel(runId: number): void;
};

export type RunTasksOptions = {
  readonly context: WorkspaceContext;
  /** Ends soon once the signal is aborted, with whatever outcome. */
  readonly runTask: (attempt: TaskAttempt) => Promise<TaskOutcome>;
  /** Why this run has to wait; it is asked again whenever one ends. */
  readonly mustWait: (run: Run) => boolean;
};

/** Each is a Spark of its own, with a gigabyte. Others are pending. */
const TASKS_AT_ONCE = 2;

export function createRunTasks({ context, runTask, mustWait }: RunTasksOptions): RunTasks {
  const { clock, lifetime, state } = context;
  const runs = runsOf(context);
  const slots = createSlots(TASKS_AT_ONCE);
  const stops = new Map<number, AbortController>();
  const waiting = new Set<Run>();

  const nowMs = () => Math.floor(clock.now());
  const find = (id: number) => runs.get(String(id));

  // What ran when the workspace ended, ended with it.
  for (const run of runs.list()) {
    if (!hasEnded(run)) {
      const lost = ended("lost", "The workspace ended while the run was under way.");
      finish(run.run_id, lost, lost);
    }
  }

  function put(id: number, change: (run: Run) => Partial<Run>): void {
    const run = find(id);
    if (run) runs.put(String(id), { ...run, ...change(run) });
  }

  function putTask(id: number, key: string, change: Partial<TaskRun>): void {
    put(id, ({ tasks }) => ({
      tasks: tasks.map((each) => (each.task.task_key === key ? { ...each, ...change } : each)),
    }));
  }

  /** With `others` for its tasks that have not ended. */
  function finish(id: number, ending: RunState, others: RunState): void {
    const atMs = nowMs();
    put(id, ({ tasks }) => ({
      state: ending,
      end_time: atMs,
      tasks: tasks.map((each) =>
        hasEnded(each) ? each : { ...each, state: others, end_time: atMs },
      ),
    }));
  }

  async function carryOut(runId: number): Promise<void> {
    const stop = new AbortController();
    stops.set(runId, stop);
    put(runId, () => ({ state: { kind: "running" } }));
    const run = find(runId);
    const limit = limitOf(run?.timeout_seconds ?? 0, () => stop.abort(TIMED_OUT));
    const underWay = new Map<string, Promise<void>>();
    const tasks = run?.tasks ?? [];
    for (const { task } of tasks) {
      const needed = task.depends_on.map(({ task_key: key }) => underWay.get(key));
      const settled = Promise.all(needed).then(() => runOne(runId, task.task_key, stop.signal));
      underWay.set(task.task_key, settled);
    }
    await Promise.all(underWay.values());
    limit();
    stops.delete(runId);
    if (lifetime.signal.aborted) return;
    const after = find(runId);
    if (after) finish(runId, stopped(stop.signal) ?? endingOf(after.tasks), ended("canceled"));
    startWaiting();
  }

  async function runOne(runId: number, key: string, stopRun: AbortSignal): Promise<void> {
    const run = find(runId);
    const known = run?.tasks.find(({ task }) => task.task_key === key);
    if (!run || !known) return;
    const blocked = whyBlocked(run, known);
    if (blocked) return putTask(runId, key, { state: blocked, end_time: nowMs() });
    for (let attempt = 0; ; attempt++) {
      const state = await attemptOnce(runId, key, { attempt, stopRun });
      if (state === null || !isRetried(known, state, attempt)) return;
      const { min_retry_interval_millis: delayMs } = known.task;
      const signal = AbortSignal.any([lifetime.signal, stopRun]);
      if (!(await wait(clock, delayMs, signal))) return;
    }
  }

  /** @returns how it ended; `null` when the workspace ended before. */
  async function attemptOnce(
    runId: number,
    key: string,
    { attempt, stopRun }: { readonly attempt: number; readonly stopRun: AbortSignal },
  ): Promise<RunState | null> {
    putTask(runId, key, {
      ...(attempt === 0 ? {} : { run_id: newNumberId() }),
      attempt_number: attempt,
      state: { kind: "pending" },
      start_time: nowMs(),
      end_time: 0,
      output: {},
    });
    const release = await slots.take(AbortSignal.any([lifetime.signal, stopRun]));
    if (!release) return end(stopped(stopRun) ?? ended("canceled"), {});
    const stop = new AbortController();
    const signal = AbortSignal.any([lifetime.signal, stopRun, stop.signal]);
    putTask(runId, key, { state: { kind: "running" }, start_time: nowMs() });
    const run = find(runId);
    const taskRun = run?.tasks.find(({ task }) => task.task_key === key);
    if (!run || !taskRun) {
      release();
      return null;
    }
    const limit = limitOf(taskRun.task.timeout_seconds, () => stop.abort(TIMED_OUT));
    try {
      const { ending, message, output } = await runTask({ run, taskRun, signal });
      return end(stopped(stopRun) ?? stopped(stop.signal) ?? ended(ending, message), output);
    } finally {
      limit();
      release();
    }

    function end(state: RunState, output: TaskOutput): RunState | null {
      if (lifetime.signal.aborted) return null;
      putTask(runId, key, { state, output, end_time: nowMs() });
      return state;
    }
  }

  /** @returns how to stop waiting for it. */
  function limitOf(seconds: number, run: () => void): () => void {
    return seconds === 0 ? () => {} : clock.after(seconds * 1000, run);
  }

  function startWaiting(): void {
    for (const run of waiting) {
      if (mustWait(run)) continue;
      waiting.delete(run);
      lifetime.background(`run ${run.run_id}`, carryOut(run.run_id));
    }
  }

  return {
    start(run) {
      state.transaction(() => {
        runs.put(String(run.run_id), run);
        forgetOld(context);
      });
      if (hasEnded(run)) return;
      waiting.add(run);
      startWaiting();
    },
    cancel(runId) {
      const before = [...waiting].find(({ run_id: id }) => id === runId);
      if (before && waiting.delete(before)) finish(runId, CANCELED_STATE, CANCELED_STATE);
      stops.get(runId)?.abort(CANCELED);
    },
  };
}

const TIMED_OUT = "timed out";
const CANCELED = "canceled";
const CANCELED_STATE = ended("canceled", "Run cancelled.");

/** `null` when it was not stopped. */
function stopped({ aborted, reason }: AbortSignal): RunState | null {
  if (!aborted) return null;
  return reason === TIMED_OUT ? ended("timedOut", "The run took too long.") : CANCELED_STATE;
}

function isRetried({ task }: TaskRun, state: RunState, attempt: number): boolean {
  if (state.kind !== "ended") return false;
  const isOfKind =
    state.ending === "failed" || (state.ending === "timedOut" && task.retry_on_timeout);
  return isOfKind && (task.max_retries === -1 || attempt < task.max_retries);
}

/** By what the tasks before it came to; `null`: it runs. */
function whyBlocked({ tasks }: Run, { task }: TaskRun): RunState | null {
  const before = tasks.filter((each) =>
    task.depends_on.some(({ task_key: key }) => key === each.task.task_key),
  );
  if (task.run_if === "ALL_DONE") return null;
  const bad = before.find(({ state }) => state.kind !== "ended" || state.ending !== "success");
  if (!bad) return null;
  const isCanceled =
    bad.state.kind === "ended" && ["canceled", "upstreamCanceled"].includes(bad.state.ending);
  return ended(
    isCanceled ? "upstreamCanceled" : "upstreamFailed",
    `It needs task ${bad.task.task_key}, which did not succeed.`,
  );
}

/** At the bound the oldest that have ended are forgotten. */
const RUNS_MAX = 1_000;

function forgetOld(context: WorkspaceContext): void {
  const runs = runsOf(context);
  const all = runs.list();
  for (const run of all.slice(0, Math.max(0, all.length - RUNS_MAX))) {
    if (hasEnded(run)) runs.delete(String(run.run_id));
  }
}
