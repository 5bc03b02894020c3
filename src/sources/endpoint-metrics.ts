/**
 * The metrics of every serving endpoint that is watched. An endpoint that has none,
 * or refuses them, hides those of no other.
 */
import type { Clock } from "../clock.ts";
import type { DatabricksClient } from "../databricks/client.ts";
import { DatabricksError } from "../databricks/databricks-error.ts";
import {
  exportServingEndpointMetrics,
  type ServingEndpoint,
} from "../databricks/serving-endpoints.ts";
import {
  type EndpointMetricsMemory,
  emptyMemory,
  readEndpointMetrics,
} from "../ingest/endpoint-metrics/endpoint-metrics.ts";
import {
  CONCURRENT_CALLS_MAX,
  concernsAll,
  type Deliver,
  plural,
  SWEEP_FAILURES_MAX,
} from "./endpoint-calls.ts";
import { forEachBounded } from "./for-each-bounded.ts";
import { backoffMs } from "./poll-loop.ts";
import type { Progress } from "./progress.ts";

/** So long an endpoint that refuses its metrics is left alone. Foundation models have none. */
const METRICS_REFUSED_RETRY_MS = 300_000;
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

export type EndpointMetrics = {
  poll(signal: AbortSignal): Promise<void>;
  /** Whether no request of it came in the last minute that was seen. */
  isIdle(name: string): boolean;
  /** Forgets the endpoints that are watched no more. */
  forget(): void;
};

export function createEndpointMetrics({
  client,
  clock,
  intervalMs,
  deliver,
  progress,
  watched,
}: {
  readonly client: DatabricksClient;
  readonly clock: Clock;
  readonly intervalMs: number;
  readonly deliver: Deliver;
  readonly progress: Pick<Progress<string>, "succeeded" | "noticed" | "asOfMs">;
  readonly watched: () => readonly ServingEndpoint[];
}): EndpointMetrics {
  let states = new Map<string, MetricsState>();

  async function poll(signal: AbortSignal): Promise<void> {
    const startedMs = clock.now();
    // Those that failed before come last, so that they never keep others from being asked.
    const due = watched()
      .filter(({ name }) => stateOf(name).nextAtMs <= startedMs)
      .toSorted((a, b) => stateOf(a.name).failures - stateOf(b.name).failures);
    if (due.length === 0 && watched().length > 0) return;
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
          states.set(name, afterFailure(state, { error, isRefused }));
          return;
        }
        failuresInARow = 0;
        successes++;
        const polledAtMs = clock.now();
        const { memory } = state;
        const read = readEndpointMetrics({ endpoint: name, text, polledAtMs, memory });
        if (!read.isMetrics) {
          const nextAtMs = polledAtMs + METRICS_REFUSED_RETRY_MS;
          states.set(name, { ...state, nextAtMs, problem: "not Prometheus text" });
          return;
        }
        await deliver({ samples: read.samples, health: [], dropped: read.dropped });
        states.set(name, {
          ...newMetricsState,
          memory: read.memory,
          // Where Databricks says nothing, too: a cold endpoint may have no metrics at all.
          isIdle: !read.requestsLastMinute,
        });
      },
    });

    if (successes === 0 && lastFailure !== null) throw lastFailure;
    if (firstDenied) progress.noticed(firstDenied);
    progress.succeeded(startedMs, metricsMessage());
  }

  function stateOf(name: string): MetricsState {
    return states.get(name) ?? newMetricsState;
  }

  function afterFailure(
    state: MetricsState,
    { error, isRefused }: { readonly error: DatabricksError; readonly isRefused: boolean },
  ): MetricsState {
    const failures = state.failures + 1;
    const waitMs = isRefused ? METRICS_REFUSED_RETRY_MS : backoffMs(failures, intervalMs);
    const { status, errorCode, networkCode } = error.call;
    const problem = networkCode ?? [status, errorCode].filter((part) => part !== null).join(" ");
    return { ...state, failures, nextAtMs: clock.now() + waitMs, problem: problem || error.code };
  }

  function metricsMessage(): string {
    const all = watched();
    const without = all
      .map(({ name }) => ({ name, problem: stateOf(name).problem }))
      .filter(({ problem }) => problem !== null);
    const [first] = without;
    const read = `Reads the metrics of ${plural(all.length - without.length, "endpoint")}`;
    if (!first) return `${read}.`;
    return `${read}; ${without.length} without, such as ${first.name} (${first.problem}).`;
  }

  return {
    poll,
    isIdle: (name) => stateOf(name).isIdle === true,
    forget() {
      const names = new Set(watched().map(({ name }) => name));
      states = new Map(Array.from(states).filter(([name]) => names.has(name)));
    },
  };
}

/** An answer about this endpoint that will stay the same for a while. */
function isRefusal({ call: { status } }: DatabricksError): boolean {
  return status !== null && status >= 400 && status < 500;
}
