/**
 * The state of every serving endpoint of a workspace, from one list, and of the
 * workspace itself. What the list leaves out is asked for where it matters: why an
 * endpoint is not ready, and whether it is cold.
 */
import type { Clock } from "../clock.ts";
import type { DatabricksClient } from "../databricks/client.ts";
import { DatabricksError } from "../databricks/databricks-error.ts";
import {
  getServingEndpoint,
  listServingEndpoints,
  type ServingEndpoint,
} from "../databricks/serving-endpoints.ts";
import { endpointComponent, healthOfEndpoint } from "../ingest/endpoint-state/endpoint-state.ts";
import { foreignLine } from "../signals/foreign-line.ts";
import type { HealthResult } from "../signals/health-result.ts";
import {
  CONCURRENT_CALLS_MAX,
  concernsAll,
  type Deliver,
  plural,
  SWEEP_FAILURES_MAX,
} from "./endpoint-calls.ts";
import { forEachBounded } from "./for-each-bounded.ts";
import { MESSAGE_MAX_CHARS, type Progress } from "./progress.ts";

/** Endpoints that are watched; a workspace may hold twice as many. The first by name. */
export const WATCHED_ENDPOINTS_MAX = 500;
/** The list leaves out why an endpoint is not ready or whether it is cold; this many are asked each time. */
const DETAILS_PER_POLL_MAX = 50;
/** For how long an idle endpoint's detail is used again. */
const DETAIL_REUSE_MS = 300_000;
/** One lost poll says little of the endpoints; from this many on, they are unknown. */
const UNKNOWN_AFTER_FAILURES = 2;

type Detail = { readonly endpoint: ServingEndpoint; readonly readAtMs: number };

export type EndpointStates = {
  /** Those of the last list. */
  watched(): readonly ServingEndpoint[];
  poll(signal: AbortSignal): Promise<void>;
  /** Tells that the list could not be read, the `failures`th time in a row. */
  tellFailure(error: DatabricksError, failures: number): Promise<void>;
};

export function createEndpointStates({
  client,
  clock,
  deliver,
  progress,
  isIdle,
  onListed,
}: {
  readonly client: DatabricksClient;
  readonly clock: Clock;
  readonly deliver: Deliver;
  readonly progress: Pick<Progress<string>, "succeeded" | "noticed" | "asOfMs">;
  /** Whether no request of it came of late, as far as is known. */
  readonly isIdle: (name: string) => boolean;
  /** Called after each list that was delivered. */
  readonly onListed: () => void;
}): EndpointStates {
  let watched: readonly ServingEndpoint[] = [];
  /** By reason, at the last poll. */
  let leftOutBefore: ReadonlyMap<string, number> = new Map();
  let details = new Map<string, Detail>();
  /** Endpoints that could not be asked at the last try: they come last at the next. */
  let withoutDetail: ReadonlySet<string> = new Set();

  async function poll(signal: AbortSignal): Promise<void> {
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
    const limit = leftOut > 0 ? `; ${leftOut} more are left out, beyond the limit` : "";
    progress.succeeded(startedMs, `Watches ${plural(listed.length, "endpoint")}${limit}.`);
    onListed();
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
      const mayBeCold = isSettled && isIdle(endpoint.name);
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
    const since = new Date(progress.asOfMs() ?? timeMs).toISOString();
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

  return { watched: () => watched, poll, tellFailure };
}

const GONE = "No longer in the workspace, or no longer visible to the monitor.";

function hasEntityStates({ servedEntities }: ServingEndpoint): boolean {
  return servedEntities.some(({ deployment }) => deployment !== null);
}

function isSameState(a: ServingEndpoint, b: ServingEndpoint): boolean {
  return a.ready === b.ready && a.configUpdate === b.configUpdate;
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
