/**
 * The state of every serving endpoint of a workspace, from one list, and of the
 * workspace itself.
 */
import type { Clock } from "../clock.ts";
import type { DatabricksClient } from "../databricks/client.ts";
import type { DatabricksError } from "../databricks/databricks-error.ts";
import { listServingEndpoints, type ServingEndpoint } from "../databricks/serving-endpoints.ts";
import { endpointComponent, healthOfEndpoint } from "../ingest/endpoint-state/endpoint-state.ts";
import { foreignLine } from "../signals/foreign-line.ts";
import type { HealthResult } from "../signals/health-result.ts";
import { type Deliver, plural } from "./endpoint-calls.ts";
import { createEndpointDetails } from "./endpoint-details.ts";
import { MESSAGE_MAX_CHARS, type Progress } from "./progress.ts";

/** Endpoints that are watched; a workspace may hold twice as many. The first by name. */
export const WATCHED_ENDPOINTS_MAX = 500;
/** One lost poll says little of the endpoints; from this many on, they are unknown. */
const UNKNOWN_AFTER_FAILURES = 2;

export type EndpointStates = {
  /** Those of the last list. */
  watched(): readonly ServingEndpoint[];
  poll(signal: AbortSignal): Promise<void>;
  /** Tells that the list could not be read, the `failures`th time in a row. */
  tellFailure(error: DatabricksError, failures: number): Promise<void>;
  /** Resolves once nothing is under way, after the signal of `poll` has stopped it. */
  close(): Promise<void>;
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
  const details = createEndpointDetails({
    client,
    clock,
    isIdle,
    async onChange(before, now) {
      const timeMs = clock.now();
      const health = healthOfEndpoint(now, { timeMs });
      if (isSameHealth(health, healthOfEndpoint(before, { timeMs }))) return;
      await deliver({ samples: [], health: [health], dropped: new Map() });
    },
  });

  async function poll(signal: AbortSignal): Promise<void> {
    const startedMs = clock.now();
    const list = await listServingEndpoints(client, { signal });
    const timeMs = clock.now();

    const byName = list.endpoints.toSorted((a, b) => (a.name < b.name ? -1 : 1));
    const listed = byName.slice(0, WATCHED_ENDPOINTS_MAX);
    const leftOut = byName.length - listed.length;

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
        ...listed.map((endpoint) => healthOfEndpoint(details.completed(endpoint), { timeMs })),
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
    details.refresh(listed, signal);
  }

  async function tellFailure(error: DatabricksError, failures: number): Promise<void> {
    const timeMs = clock.now();
    const workspace = workspaceFailed(error, timeMs);
    const since = new Date(progress.asOfMs() ?? timeMs).toISOString();
    const message = `Not known since ${since}, because the workspace could not be read.`;
    const lost = failures < UNKNOWN_AFTER_FAILURES ? [] : watched;
    details.hold();
    await deliver({
      samples: [],
      health: [
        workspace,
        ...lost.map(({ name }) => unknown(name, { state: workspace.state, message, timeMs })),
      ],
      dropped: new Map(),
    });
  }

  return { watched: () => watched, poll, tellFailure, close: () => details.close() };
}

const GONE = "No longer in the workspace, or no longer visible to the monitor.";

function isSameHealth(a: HealthResult, b: HealthResult): boolean {
  return a.status === b.status && a.state === b.state && a.message === b.message;
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
