/**
 * Reads the traces of MLflow experiments on a schedule: what began since the last
 * look, and again what began before, since a trace appears only when it has ended
 * and may still change. What was read once is asked for again only when it changed,
 * and what is delivered twice counts once. It only reads.
 */
import type { Clock } from "../clock.ts";
import { DatabricksError } from "../databricks/databricks-error.ts";
import type { Experiment } from "../databricks/mlflow-experiments.ts";
import {
  BATCH_TRACES_MAX,
  getTraceArtifact,
  getTraces,
  type MlflowServer,
  searchTraces,
  type TraceInfo,
  type TracePage,
} from "../databricks/mlflow-traces.ts";
import { type ReadTraces, readTraceArtifact, readTraces } from "../ingest/mlflow/read-traces.ts";
import { MonitorError } from "../monitor-error.ts";
import type { AgentSpan } from "../signals/span.ts";
import { forEachBounded } from "./for-each-bounded.ts";
import { createGate, type Gate } from "./gate.ts";
import { startPollLoop } from "./poll-loop.ts";
import { createProgress, type OnProblem, type SourceStatus } from "./progress.ts";

export type SpanBatch = {
  readonly spans: readonly AgentSpan[];
  /** What was left out, by reason. */
  readonly dropped: ReadonlyMap<string, number>;
};

export type MlflowSourceOptions = {
  readonly server: MlflowServer;
  /** Each is read by itself, so that a trouble of one holds up no other. */
  readonly experiments: readonly Experiment[];
  readonly clock: Clock;
  readonly intervalMs: number;
  /** Traces that began before are not read, in Unix milliseconds. */
  readonly fromMs: number;
  /** What it rejects is not taken as delivered and comes again. Called for several batches at a time. */
  readonly onSpans: (batch: SpanBatch) => Promise<void>;
  readonly onProblem: OnProblem;
};

export type MlflowSource = {
  status(): SourceStatus[];
  /** Stops asking. Resolves once nothing is under way; no batch comes after that. */
  close(): Promise<void>;
};

/** How far each look goes back: for traces that are sent late. */
const OVERLAP_MS = 120_000;
/** How far every now and then a look goes back: for requests that take long, which appear at their end. */
export const WIDE_OVERLAP_MS = 900_000;
const WIDE_EVERY_MS = 120_000;
/** A trace is read this long after its end: its spans come in parts. */
const SETTLE_MS = 5_000;
/** A trace in progress for longer is read as it is: its root may never come. As long as over OTLP. */
const UNFINISHED_AFTER_MS = 600_000;
/** Pages of one look; the next goes on from there. */
export const PAGES_MAX = 50;
/** Of all experiments together. */
const CONCURRENT_CALLS_MAX = 4;
/** A trace that can't be read for this long is counted as dropped. */
const GIVE_UP_AFTER_MS = 600_000;
/** After so many traces that can't be read, and none that can, it is not the traces. */
const FAILURES_MAX = 20;
/** Traces of which it is remembered that they were read, or could not be, per experiment. */
const REMEMBERED_TRACES_MAX = 20_000;

export function startMlflowSource(options: MlflowSourceOptions): MlflowSource {
  const gate = createGate({ concurrency: CONCURRENT_CALLS_MAX });
  const readers = options.experiments.map((experiment) => startReader(experiment, gate, options));
  return {
    status: () => readers.map((reader) => reader.status()),
    async close() {
      await Promise.all(readers.map((reader) => reader.close()));
    },
  };
}

function startReader(experiment: Experiment, gate: Gate, options: MlflowSourceOptions) {
  const { server, clock, intervalMs, onSpans } = options;
  const progress = createProgress(`MLflow traces of ${experiment.name}`, options);
  const endpoint = experiment.name.replace(/^.*\//, "") || experiment.name;

  /** Version of the traces that are done with. */
  const done = new Map<string, string>();
  /** Since when each of some others can't be read. */
  const failingSinceMs = new Map<string, number>();
  /** All that began before was seen, but for what appears late. */
  let seenUpToMs: number | null = null;
  /** Where a look that was too long goes on. */
  let resumeMs: number | null = null;
  let lastWideMs = -Infinity;

  async function poll(signal: AbortSignal): Promise<void> {
    const startedMs = clock.now();
    const isWide = startedMs - lastWideMs >= WIDE_EVERY_MS;
    const overlapMs = isWide ? WIDE_OVERLAP_MS : OVERLAP_MS;
    const fromMs =
      resumeMs ??
      (seenUpToMs === null ? options.fromMs : Math.max(options.fromMs, seenUpToMs - overlapMs));
    const search = (pageToken: string | null) =>
      gate(() => searchTraces(server, experiment, { fromMs, pageToken, signal }));
    const look: Look = { signal, read: 0, failed: 0, lastFailure: null };

    let pageToken: string | null = null;
    let lastMs = fromMs;
    let unreadable = 0;
    for (let page = 0; page < PAGES_MAX; page++) {
      const found: TracePage = await search(pageToken);
      await readAll(found.traces.filter(isDue), look);
      unreadable += found.unreadable;
      lastMs = Math.max(lastMs, ...found.traces.map(({ requestTimeMs }) => requestTimeMs));
      pageToken = found.nextPageToken;
      if (pageToken === null) break;
    }
    if (look.read === 0 && look.failed > 0) throw look.lastFailure;

    const failed = look.failed + unreadable;
    const but = failed > 0 ? `, but for ${failed} that can't be read, or not yet` : "";
    if (pageToken === null) {
      resumeMs = null;
      seenUpToMs = startedMs;
      if (isWide) lastWideMs = startedMs;
      progress.succeeded(startedMs, `Has read what there is${but}.`);
    } else {
      // Beyond it by a little where all of it began at one time, or it would never go on.
      resumeMs = lastMs > fromMs ? lastMs : fromMs + 1;
      progress.succeeded(resumeMs, `Is behind, and reads on${but}.`);
    }
  }

  function isDue(trace: TraceInfo): boolean {
    if (done.get(trace.traceId) === trace.version) return false;
    const ageMs = clock.now() - trace.requestTimeMs;
    if (trace.isInProgress) return ageMs >= UNFINISHED_AFTER_MS;
    return ageMs >= trace.durationMs + SETTLE_MS;
  }

  async function readAll(due: readonly TraceInfo[], look: Look): Promise<void> {
    const files = due.filter(({ isArtifact }) => isArtifact).map((trace) => [trace]);
    const stored = inBatches(due.filter(({ isArtifact }) => !isArtifact));
    await forEachBounded([...stored, ...files], {
      concurrency: CONCURRENT_CALLS_MAX,
      async work(batch) {
        if (await read(batch, look)) return;
        // One that spoils the answer for the others is found by asking for each alone.
        if (batch.length > 1) for (const trace of batch) await read([trace], look);
      },
    });
  }

  /** Whether these could be asked for; a failure that is no matter of these is thrown. */
  async function read(batch: readonly TraceInfo[], look: Look): Promise<boolean> {
    let found: ReadTraces;
    try {
      found = await gate(() => ask(batch, look.signal));
    } catch (error) {
      look.signal.throwIfAborted();
      if (!concernsTraces(error)) throw error;
      if (batch.length > 1) return false;
      look.failed++;
      look.lastFailure = error;
      await noteFailing(batch);
      if (look.read === 0 && look.failed >= FAILURES_MAX) throw error;
      return false;
    }
    look.signal.throwIfAborted();
    const spans = [...found.traces.values()].flat();
    if (spans.length > 0 || found.dropped.size > 0) {
      await onSpans({ spans, dropped: found.dropped });
    }
    const isThere = ({ traceId }: TraceInfo) => found.traces.has(traceId);
    for (const trace of batch.filter(isThere)) setDone(trace);
    look.read += batch.length;
    // MLflow leaves out those whose spans have not all come.
    const leftOut = batch.filter((trace) => !isThere(trace));
    look.failed += leftOut.length;
    await noteFailing(leftOut);
    return true;
  }

  async function ask(batch: readonly TraceInfo[], signal: AbortSignal): Promise<ReadTraces> {
    const [first] = batch;
    if (first?.isArtifact) {
      const artifact = await getTraceArtifact(server, first.traceId, { signal });
      return readTraceArtifact(artifact, first, { endpoint });
    }
    const ids = batch.map(({ traceId }) => traceId);
    return readTraces(await getTraces(server, ids, { signal }), batch, { endpoint });
  }

  async function noteFailing(batch: readonly TraceInfo[]): Promise<void> {
    for (const trace of batch) {
      const sinceMs = failingSinceMs.get(trace.traceId) ?? clock.now();
      setNewest(failingSinceMs, trace.traceId, sinceMs);
      if (clock.now() - sinceMs < GIVE_UP_AFTER_MS) continue;
      await onSpans({ spans: [], dropped: new Map([["unreadable_trace", 1]]) });
      setDone(trace);
    }
  }

  function setDone({ traceId, version }: TraceInfo): void {
    failingSinceMs.delete(traceId);
    setNewest(done, traceId, version);
  }

  const loop = startPollLoop({
    clock,
    intervalMs,
    poll,
    onFailure: (error) => progress.failed(error),
  });

  return { status: () => progress.status(), close: () => loop.close() };
}

/** What one look has come to. */
type Look = {
  readonly signal: AbortSignal;
  read: number;
  failed: number;
  lastFailure: unknown;
};

/** As the newest; the oldest goes where there are too many. */
function setNewest<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key);
  map.set(key, value);
  if (map.size <= REMEMBERED_TRACES_MAX) return;
  for (const oldest of map.keys()) {
    map.delete(oldest);
    return;
  }
}

function inBatches(traces: readonly TraceInfo[]): TraceInfo[][] {
  const batches: TraceInfo[][] = [];
  for (let start = 0; start < traces.length; start += BATCH_TRACES_MAX) {
    batches.push(traces.slice(start, start + BATCH_TRACES_MAX));
  }
  return batches;
}

/** Statuses that say nothing of what was asked for: the next trace would be answered the same. */
const UNRELATED_STATUSES = [429, 502, 503, 504];

function concernsTraces(error: unknown): boolean {
  if (!(error instanceof MonitorError)) return false;
  if (error.code === "TELEMETRY_INVALID") return true;
  if (!(error instanceof DatabricksError) || !error.code.endsWith("_FAILED")) return false;
  return !UNRELATED_STATUSES.includes(error.call.status ?? 0);
}
