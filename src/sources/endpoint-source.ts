/**
 * Watches every serving endpoint of a workspace with nothing installed in the
 * agents: the state of each from one list, and its metrics. It only reads, through
 * calls that neither wake an endpoint nor cost anything. What it could not find out
 * is told as unknown, never as zero and never as the last known good.
 */
import type { Clock } from "../clock.ts";
import type { DatabricksClient } from "../databricks/client.ts";
import { DatabricksError } from "../databricks/databricks-error.ts";
import {
  exportServingEndpointMetrics,
  getServingEndpoint,
  listServingEndpoints,
  type ServingEndpoint,
} from "../databricks/serving-endpoints.ts";
import {
  type EndpointMetricsMemory,
  emptyMemory,
  readEndpointMetrics,
} from "../ingest/endpoint-metrics/endpoint-metrics.ts";
import { endpointComponent, healthOfEndpoint } from "../ingest/endpoint-state/endpoint-state.ts";
import { foreignLine } from "../signals/foreign-line.ts";
import type { HealthResult } from "../signals/health-result.ts";
import type { Sample } from "../signals/sample.ts";
import { forEachBounded } from "./for-each-bounded.ts";
import { backoffMs, type PollLoop, startPollLoop } from "./poll-loop.ts";
import {
  createProgress,
  MESSAGE_MAX_CHARS,
  type OnProblem,
  type SourceStatus,
} from "./progress.ts";

export type EndpointBatch = {
  readonly samples: readonly Sample[];
  readonly health: readonly HealthResult[];
  /** What was left out, by reason. */
  readonly dropped: ReadonlyMap<string, number>;
};

export type SourceName = "endpoints" | "endpoint-metrics";

export type EndpointSourceOptions = {
  readonly client: DatabricksClient;
  readonly clock: Clock;
  /** Between two looks at the states. */
  readonly intervalMs: number;
  /** Between two looks at the metrics, whose values are those of a minute. */
  readonly metricsIntervalMs: number;
  /**
   * Never called twice at a time. What it rejects is not taken as delivered: states
   * come again with the next poll, metrics too, if they still are of the same minute.
   */
  readonly onBatch: (batch: EndpointBatch) => Promise<void>;
  readonly onProblem: OnProblem<SourceName>;
};

export type EndpointSource = {
  status(): SourceStatus<SourceName>[];
  /** Stops asking. Resolves once nothing is under way; no batch comes after that. */
  close(): Promise<void>;
};

/** Endpoints that are watched; a workspace may hold twice as many. The first by name. */
export const WATCHED_ENDPOINTS_MAX = 500;
const CONCURRENT_CALLS_MAX = 4;
/** The list leaves out why an endpoint is not ready or whether it is cold; this many are asked each time. */
const DETAILS_PER_POLL_MAX = 50;
/** For how long an idle endpoint's detail is used again. */
const DETAIL_REUSE_MS = 300_000;
/** One lost poll says little of the endpoints; from this many on, they are unknown. */
const UNKNOWN_AFTER_FAILURES = 2;
/** So long an endpoint that refuses its metrics is left alone. Foundation models have none. */
const METRICS_REFUSED_RETRY_MS = 300_000;
/** After so many endpoints that failed one after another, it is not the endpoints. */
const SWEEP_FAILURES_MAX = 5;

type Detail = { readonly endpoint: ServingEndpoint; readonly readAtMs: number };

/** What is kept about the metrics of one endpoint. */
type MetricsState = {
  readonly memory: EndpointMetricsMemory;
  /** Whether no request came in the last minute that was seen; `null` before one was. */
  readonly isIdle: boolean | null;
  readonly failures: number;
  readonly nextAtMs: number;
  /** Why there are none, such as `404`; `null` when there are. */
  readonly problem: string | null;
};

const newMetricsState: MetricsState = {
  memory: emptyMemory,
  isIdle: null,
  failures: 0,
  nextAtMs: -Infinity,
  problem: null,
};

export function startEndpointSource(options: EndpointSourceOptions): EndpointSource {
  const { client, clock, intervalMs, metricsIntervalMs } = options;
  const states = createProgress("endpoints", options);
  const metrics = createProgress("endpoint-metrics", options);

  let watched: readonly ServingEndpoint[] = [];
  /** By reason, at the last poll. */
  let leftOutBefore: ReadonlyMap<string, number> = new Map();
  let details = new Map<string, Detail>();
  /** Endpoints that could not be asked at the last try: they come last at the next. */
  let withoutDetail: ReadonlySet<string> = new Set();
  let metricsStates = new Map<string, MetricsState>();
  let metricsLoop: PollLoop | null = null;
  let isClosed = false;

  let lastDelivery: Promise<void> = Promise.resolve();
  function deliver(batch: EndpointBatch): Promise<void> {
    if (batch.samples.length + batch.health.length + batch.dropped.size === 0) {
      return Promise.resolve();
    }
    const delivery = lastDelivery.then(async () => {
      if (!isClosed) await options.onBatch(batch);
    });
    lastDelivery = delivery.catch(() => {});
    return delivery;
  }

  async function pollStates(signal: AbortSignal): Promise<void> {
    const startedMs = clock.now();
    const list = await listServingEndpoints(client, { signal });
    const timeMs = clock.now();

    const byName = list.endpoints.toSorted((a, b) => (a.name < b.name ? -1 : 1));
    const listed = byName.slice(0, WATCHED_ENDPOINTS_MAX);
    const leftOut = byName.length - listed.length;
    details = await readDetails(listed, signal);

    const names = new Set(listed.map(({ name }) => name));
    const gone = watched.filter(({ name }) => !names.has(name));
    // The same ones are left out each time: only more than before are news.
    const dropped = new Map<string, number>();
    const drop = (reason: string, count: number) => {
      const more = count - (leftOutBefore.get(reason) ?? 0);
      if (more > 0) dropped.set(reason, more);
    };
    drop("endpoints_over_limit", leftOut);
    drop("endpoint_unreadable", list.unreadable);

    await deliver({
      samples: [],
      health: [
        workspaceHealthy({ count: byName.length, latencyMs: timeMs - startedMs, timeMs }),
        ...listed.map((endpoint) =>
          healthOfEndpoint(details.get(endpoint.name)?.endpoint ?? endpoint, { timeMs }),
        ),
        ...gone.map(({ name }) => unknown(name, { state: "gone", message: GONE, timeMs })),
      ],
      dropped,
    });

    watched = listed;
    leftOutBefore = new Map([
      ["endpoints_over_limit", leftOut],
      ["endpoint_unreadable", list.unreadable],
    ]);
    metricsStates = new Map(Array.from(metricsStates).filter(([name]) => names.has(name)));
    const limit = leftOut > 0 ? `; ${leftOut} more are left out, beyond the limit` : "";
    states.succeeded(startedMs, `Watches ${plural(listed.length, "endpoint")}${limit}.`);
    if (!isClosed) metricsLoop ??= startMetricsLoop();
  }

  /** Asks for what the list leaves out, where it matters; keeps what is still fresh. */
  async function readDetails(
    listed: readonly ServingEndpoint[],
    signal: AbortSignal,
  ): Promise<Map<string, Detail>> {
    const fresh = new Map<string, Detail>();
    const wanted: ServingEndpoint[] = [];
    for (const endpoint of listed) {
      const isSettled = endpoint.ready === "READY" && endpoint.configUpdate === "NOT_UPDATING";
      const mayBeCold = isSettled && metricsStates.get(endpoint.name)?.isIdle === true;
      if (hasEntityStates(endpoint) || (isSettled && !mayBeCold)) continue;

      const detail = details.get(endpoint.name);
      const isUsable = isSettled && detail !== undefined && isSameState(detail.endpoint, endpoint);
      if (isUsable && clock.now() - detail.readAtMs < DETAIL_REUSE_MS) {
        fresh.set(endpoint.name, detail);
      } else if (isSettled) {
        wanted.push(endpoint);
      } else {
        wanted.unshift(endpoint);
      }
    }

    const failed = new Set<string>();
    let failuresInARow = 0;
    const asked = wanted
      .toSorted((a, b) => Number(withoutDetail.has(a.name)) - Number(withoutDetail.has(b.name)))
      .slice(0, DETAILS_PER_POLL_MAX);
    await forEachBounded(asked, {
      concurrency: CONCURRENT_CALLS_MAX,
      async work({ name }) {
        if (failuresInARow >= SWEEP_FAILURES_MAX) return;
        try {
          const endpoint = await getServingEndpoint(client, name, { signal });
          fresh.set(name, { endpoint, readAtMs: clock.now() });
          failuresInARow = 0;
        } catch (error) {
          // The list stands without it; the endpoint then has its state, but no reason.
          signal.throwIfAborted();
          failed.add(name);
          failuresInARow =
            error instanceof DatabricksError && concernsAll(error)
              ? SWEEP_FAILURES_MAX
              : failuresInARow + 1;
        }
      },
    });
    withoutDetail = failed;
    return fresh;
  }

  async function tellFailure(error: DatabricksError, failures: number): Promise<void> {
    const timeMs = clock.now();
    const workspace = workspaceFailed(error, timeMs);
    const since = new Date(states.asOfMs() ?? timeMs).toISOString();
    const message = `Not known since ${since}, because the workspace could not be read.`;
    const lost = failures < UNKNOWN_AFTER_FAILURES ? [] : watched;
    await deliver({
      samples: [],
      health: [
        workspace,
        ...lost.map(({ name }) => unknown(name, { state: workspace.state, message, timeMs })),
      ],
      dropped: new Map(),
    });
  }

  const statesLoop = startPollLoop({
    clock,
    intervalMs,
    poll: pollStates,
    onFailure(error, failures) {
      states.failed(error);
      // Where even this cannot be delivered, the status says that it fails.
      if (error instanceof DatabricksError) tellFailure(error, failures).catch(() => {});
    },
  });

  function startMetricsLoop(): PollLoop {
    return startPollLoop({
      clock,
      intervalMs: metricsIntervalMs,
      poll: pollMetrics,
      onFailure: (error) => metrics.failed(error),
    });
  }

  async function pollMetrics(signal: AbortSignal): Promise<void> {
    const startedMs = clock.now();
    // Those that failed before come last, so that they never keep others from being asked.
    const due = watched
      .filter(({ name }) => stateOf(name).nextAtMs <= startedMs)
      .toSorted((a, b) => stateOf(a.name).failures - stateOf(b.name).failures);
    if (due.length === 0 && watched.length > 0) return;
    let failuresInARow = 0;
    let firstDenied: DatabricksError | null = null;
    let lastFailure: unknown = null;
    let successes = 0;

    await forEachBounded(due, {
      concurrency: CONCURRENT_CALLS_MAX,
      async work({ name }) {
        if (failuresInARow >= SWEEP_FAILURES_MAX) return;
        const state = stateOf(name);
        let text: string;
        try {
          text = await exportServingEndpointMetrics(client, name, { signal });
        } catch (error) {
          signal.throwIfAborted();
          if (!(error instanceof DatabricksError) || concernsAll(error)) throw error;
          const isRefused = isRefusal(error);
          if (isRefused) {
            failuresInARow = 0;
            if (error.code === "DATABRICKS_FORBIDDEN" && !state.problem) firstDenied ??= error;
          } else {
            lastFailure = error;
            failuresInARow++;
          }
          metricsStates.set(name, afterFailure(state, { error, isRefused }));
          return;
        }
        failuresInARow = 0;
        successes++;
        const polledAtMs = clock.now();
        const { memory } = state;
        const read = readEndpointMetrics({ endpoint: name, text, polledAtMs, memory });
        if (!read.isMetrics) {
          const nextAtMs = polledAtMs + METRICS_REFUSED_RETRY_MS;
          metricsStates.set(name, { ...state, nextAtMs, problem: "not Prometheus text" });
          return;
        }
        await deliver({ samples: read.samples, health: [], dropped: read.dropped });
        metricsStates.set(name, {
          ...newMetricsState,
          memory: read.memory,
          // Where Databricks says nothing, too: a cold endpoint may have no metrics at all.
          isIdle: !read.requestsLastMinute,
        });
      },
    });

    if (successes === 0 && lastFailure !== null) throw lastFailure;
    if (firstDenied) metrics.noticed(firstDenied);
    metrics.succeeded(startedMs, metricsMessage());
  }

  function stateOf(name: string): MetricsState {
    return metricsStates.get(name) ?? newMetricsState;
  }

  function afterFailure(
    state: MetricsState,
    { error, isRefused }: { readonly error: DatabricksError; readonly isRefused: boolean },
  ): MetricsState {
    const failures = state.failures + 1;
    const waitMs = isRefused ? METRICS_REFUSED_RETRY_MS : backoffMs(failures, metricsIntervalMs);
    const { status, errorCode, networkCode } = error.call;
    const problem = networkCode ?? [status, errorCode].filter((part) => part !== null).join(" ");
    return { ...state, failures, nextAtMs: clock.now() + waitMs, problem: problem || error.code };
  }

  function metricsMessage(): string {
    const without = watched
      .map(({ name }) => ({ name, problem: stateOf(name).problem }))
      .filter(({ problem }) => problem !== null);
    const [first] = without;
    const all = `Reads the metrics of ${plural(watched.length - without.length, "endpoint")}`;
    if (!first) return `${all}.`;
    return `${all}; ${without.length} without, such as ${first.name} (${first.problem}).`;
  }

  return {
    status: () => [states.status(), metrics.status()],
    async close() {
      isClosed = true;
      await Promise.all([statesLoop.close(), metricsLoop?.close()]);
      await lastDelivery;
    },
  };
}

const GONE = "No longer in the workspace, or no longer visible to the monitor.";

function hasEntityStates({ servedEntities }: ServingEndpoint): boolean {
  return servedEntities.some(({ deployment }) => deployment !== null);
}

function isSameState(a: ServingEndpoint, b: ServingEndpoint): boolean {
  return a.ready === b.ready && a.configUpdate === b.configUpdate;
}

/** An answer about this endpoint that will stay the same for a while. */
function isRefusal({ call: { status } }: DatabricksError): boolean {
  return status !== null && status >= 400 && status < 500;
}

/** The next endpoint would be answered the same. */
function concernsAll({ code, call: { status } }: DatabricksError): boolean {
  return code === "DATABRICKS_UNAUTHENTICATED" || status === 429;
}

function workspaceHealthy(seen: {
  readonly count: number;
  readonly latencyMs: number;
  readonly timeMs: number;
}): HealthResult {
  return {
    component: "workspace",
    endpoint: null,
    status: "healthy",
    state: "ready",
    message: `Answered with ${plural(seen.count, "serving endpoint")}.`,
    latencyMs: seen.latencyMs,
    timeMs: seen.timeMs,
  };
}

function workspaceFailed({ code, message }: DatabricksError, timeMs: number): HealthResult {
  const isDenied = code === "DATABRICKS_FORBIDDEN" || code === "DATABRICKS_UNAUTHENTICATED";
  return {
    component: "workspace",
    endpoint: null,
    status: "unhealthy",
    state: isDenied ? "denied" : code === "DATABRICKS_UNREACHABLE" ? "unreachable" : "failed",
    // It ends in Databricks' own words, which may repeat what a request held.
    message: foreignLine(message, { maxChars: MESSAGE_MAX_CHARS }),
    latencyMs: null,
    timeMs,
  };
}

function unknown(
  name: string,
  { state, message, timeMs }: Pick<HealthResult, "state" | "message" | "timeMs">,
): HealthResult {
  const component = endpointComponent(name);
  return { component, endpoint: name, status: "unknown", state, message, latencyMs: null, timeMs };
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
