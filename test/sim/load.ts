/**
 * What agents and a workspace tell a monitor, each with the rows that have to come of it once it
 * was acknowledged. What was not acknowledged is sent again, as exporters of OTLP do.
 */
import { eventIdOfRow, rowsOf } from "../../src/history/rows.ts";
import type { TableName } from "../../src/history/tables.ts";
import type { Monitor } from "../../src/monitor/monitor.ts";
import type { LoggedRequest } from "../../src/signals/logged-request.ts";
import { builtInPriceBook } from "../../src/signals/prices.ts";
import type { Sample } from "../../src/signals/sample.ts";
import type { AgentSpan } from "../../src/signals/span.ts";
import type { JournalEntry } from "../../src/state/journal-entry.ts";
import { MonitorState } from "../../src/state/monitor-state.ts";
import type { Random } from "../kill/random.ts";
import type { World } from "./world.ts";

/** After so long without an answer a sender sends again. */
const TIMEOUT_MS = 10_000;
const RETRY_MS = 5_000;
/** Share of the batches that are sent once more although they were acknowledged. */
const REPEATED_SHARE = 0.1;
const MINUTE_MS = 60_000;

export const WORKSPACE_ID = "sim";

export type EventKey = `${TableName} ${string}`;

export type Load = {
  /** Rows that have to be there, and when they were acknowledged, in the world's time. */
  readonly acknowledged: ReadonlyMap<EventKey, number>;
  /** Batches that were begun, and are not acknowledged yet. */
  readonly waiting: number;
  stop(): void;
};

type Batch = {
  readonly rows: readonly EventKey[];
  readonly send: (monitor: Monitor) => Promise<void>;
};

/** @param monitorNow the monitor that listens; `null` while none does. */
export function startLoad(
  world: World,
  {
    monitorNow,
    wallClockMs,
    quietShare,
  }: {
    readonly monitorNow: () => Monitor | null;
    readonly wallClockMs: () => number;
    /** Share of the minutes in which nobody sends. */
    readonly quietShare: number;
  },
): Load {
  const { random } = world;
  const acknowledged = new Map<EventKey, number>();
  let waiting = 0;
  let isStopped = false;

  function deliver(batch: Batch): void {
    waiting++;
    const attempt = async () => {
      const monitor = monitorNow();
      const isTaken = monitor !== null && (await Promise.race([taken(monitor), late()]));
      if (!isTaken) return world.after(RETRY_MS, attempt);
      waiting--;
      for (const row of batch.rows) {
        if (!acknowledged.has(row)) acknowledged.set(row, world.nowMs());
      }
      if (random.next() < REPEATED_SHARE) repeat(batch);
    };
    const taken = async (monitor: Monitor) => {
      try {
        await batch.send(monitor);
        return true;
      } catch {
        return false;
      }
    };
    const late = () =>
      new Promise<false>((resolve) => world.after(TIMEOUT_MS, () => resolve(false)));
    void attempt();
  }

  function repeat(batch: Batch): void {
    world.after(random.between(0, MINUTE_MS), async () => {
      const monitor = monitorNow();
      if (monitor) await batch.send(monitor).catch(() => {});
    });
  }

  function minute(): void {
    if (isStopped) return;
    world.after(MINUTE_MS, minute);
    if (random.next() < quietShare) return;
    for (let batches = random.between(1, 3); batches > 0; batches--) {
      world.after(random.between(0, MINUTE_MS), () => {
        if (!isStopped) deliver(batchOf(random, wallClockMs()));
      });
    }
  }
  minute();

  return {
    acknowledged,
    get waiting() {
      return waiting;
    },
    stop() {
      isStopped = true;
    },
  };
}

function batchOf(random: Random, nowMs: number): Batch {
  const kind = random.next();
  if (kind < 0.6) return spanBatch(random, nowMs);
  if (kind < 0.85) return sampleBatch(random, nowMs);
  return loggedBatch(random, nowMs);
}

function spanBatch(random: Random, nowMs: number): Batch {
  const spans = Array.from({ length: random.between(1, 3) }, () => traceOf(random, nowMs)).flat();
  const keys = new Set(spans.map(({ traceId, endpoint }) => `${traceId} ${endpoint}`));
  return {
    rows: eventsOf([
      { kind: "spans", spans, dropped: {} },
      { kind: "close", traceIds: [...keys] },
    ]),
    send: (monitor) => monitor.takeSpans(spans, new Map()),
  };
}

function sampleBatch(random: Random, nowMs: number): Batch {
  const timeMs = Math.floor(nowMs / MINUTE_MS) * MINUTE_MS;
  const samples = ["cpu_usage_percentage", "request_count_total"].map(
    (name): Sample => ({
      name,
      kind: "gauge",
      endpoint: `endpoint-${random.between(0, 1_000_000)}`,
      labels: {},
      value: random.between(0, 100),
      timeMs,
    }),
  );
  return {
    rows: eventsOf([{ kind: "observed", samples, health: [], dropped: {} }]),
    send: (monitor) => monitor.observe({ samples, health: [], dropped: new Map() }),
  };
}

function loggedBatch(random: Random, nowMs: number): Batch {
  const requests = Array.from(
    { length: random.between(1, 3) },
    (): LoggedRequest => ({
      requestId: hex(random, 16),
      traceId: null,
      endpoint: "logged-agent",
      timeMs: nowMs - random.between(0, 1_000),
      latencyMs: random.between(1, 2_000),
      statusCode: 200,
      errorClass: null,
      tokens: null,
      servedEntity: null,
    }),
  );
  return {
    rows: eventsOf([{ kind: "requests", requests, dropped: {} }]),
    send: (monitor) => monitor.takeLogged(requests, new Map()),
  };
}

/** A program, a predictor in it and its model call; now and then one fails. */
function traceOf(random: Random, nowMs: number): AgentSpan[] {
  const traceId = hex(random, 32);
  const ids = [hex(random, 16), hex(random, 16), hex(random, 16)] as const;
  const failed = random.next() < 0.2;
  const common = {
    traceId,
    convention: "callback",
    startMs: nowMs - 900,
    endMs: nowMs - random.between(0, 100),
    endpoint: "sim-agent",
    modelVersion: "3",
    predictorHash: null,
    provider: null,
    totalTokens: null,
    costUsd: null,
    savedCostUsd: null,
    cacheHit: false,
    firstTokenMs: null,
    failed,
    errorClass: failed ? "lm_provider" : null,
    errorType: failed ? "RateLimitError" : null,
    errorMessage: failed ? "429" : null,
    repeatsParent: false,
  } as const;
  const plain = { release: null, program: null, path: null, model: null, tokens: null };
  return [
    {
      ...common,
      ...plain,
      spanId: ids[0],
      parentSpanId: null,
      name: "Rag.forward",
      kind: "module",
      release: "abc",
      program: "Rag",
      path: "self",
    },
    {
      ...common,
      ...plain,
      spanId: ids[1],
      parentSpanId: ids[0],
      name: "Predict.forward",
      kind: "module",
      path: "self.answer",
    },
    {
      ...common,
      ...plain,
      spanId: ids[2],
      parentSpanId: ids[1],
      name: "LM.__call__",
      kind: "lm",
      model: "llama",
      tokens: { input: 10, output: random.between(1, 50) },
    },
  ];
}

/**
 * What these entries say by themselves, in a monitor that knows nothing else. That a release
 * serves its first request depends on what came before, so it is not asked for.
 */
export function eventsOf(entries: readonly JournalEntry[]): EventKey[] {
  const state = new MonitorState(builtInPriceBook);
  return entries.flatMap((entry, at) =>
    rowsOf(
      { ...state.apply(entry, 0, at + 1), deployments: [] },
      { workspaceId: WORKSPACE_ID },
    ).map((row): EventKey => `${row.table} ${eventIdOfRow(row)}`),
  );
}

function hex(random: Random, digits: number): string {
  let text = "";
  while (text.length < digits) text += random.between(0, 0xffff).toString(16).padStart(4, "0");
  return text.slice(0, digits);
}
