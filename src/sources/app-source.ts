/**
 * The state of the Databricks Apps of a workspace, from one list. It only reads, and asks no
 * app anything. What could not be found out is told as unknown.
 */
import type { Clock } from "../clock.ts";
import { listApps } from "../databricks/apps.ts";
import type { DatabricksClient } from "../databricks/client.ts";
import { DatabricksError } from "../databricks/databricks-error.ts";
import { appComponent, healthOfApp } from "../ingest/app-state/app-state.ts";
import { MonitorError } from "../monitor-error.ts";
import type { HealthResult } from "../signals/health-result.ts";
import { type Deliver, plural } from "./endpoint-calls.ts";
import { startPollLoop } from "./poll-loop.ts";
import { createProgress, type OnProblem, type SourceStatus } from "./progress.ts";

export type AppSourceOptions = {
  readonly client: DatabricksClient;
  readonly clock: Clock;
  readonly intervalMs: number;
  /** Names of those that are watched, also as `agent-*`; none: all. */
  readonly apps: readonly string[];
  /** Never called twice at a time. What it rejects comes again with the next poll. */
  readonly onBatch: Deliver;
  readonly onProblem: OnProblem;
};

export type AppSource = {
  status(): SourceStatus[];
  /** Stops asking. Resolves once nothing is under way; no batch comes after that. */
  close(): Promise<void>;
};

/** Apps that are watched; the first by name. */
export const WATCHED_APPS_MAX = 200;
/** One lost poll says little of the apps; from this many on, they are unknown. */
const UNKNOWN_AFTER_FAILURES = 2;
/** So long a workspace that refuses its apps, or has none of them, is left alone. */
const REFUSED_RETRY_MS = 300_000;

export function startAppSource(options: AppSourceOptions): AppSource {
  const { client, clock, intervalMs, onBatch } = options;
  const progress = createProgress("Apps", options);
  const isWanted = matcherOf(options.apps);
  let watched: readonly string[] = [];
  let nextAtMs = Number.NEGATIVE_INFINITY;

  async function poll(signal: AbortSignal): Promise<void> {
    const startedMs = clock.now();
    if (startedMs < nextAtMs) return;
    const listed = await listOrRefusal(signal);
    if (listed instanceof MonitorError) {
      nextAtMs = startedMs + REFUSED_RETRY_MS;
      progress.waits(listed);
      return;
    }
    const timeMs = clock.now();
    const wanted = listed
      .filter(({ name }) => isWanted(name))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1));
    const apps = wanted.slice(0, WATCHED_APPS_MAX);
    const names = new Set(apps.map(({ name }) => name));
    const gone = watched.filter((name) => !names.has(name));
    const health = [
      ...apps.map((app) => healthOfApp(app, { timeMs })),
      ...gone.map((name) => unknown(name, { state: "gone", message: GONE, timeMs })),
    ];
    signal.throwIfAborted();
    await deliver(health);
    watched = apps.map(({ name }) => name);
    const leftOut = wanted.length - apps.length;
    const limit = leftOut > 0 ? `; ${leftOut} more are left out, beyond the limit` : "";
    progress.succeeded(startedMs, `Watches ${plural(apps.length, "app")}${limit}.`);
  }

  async function listOrRefusal(signal: AbortSignal) {
    try {
      return await listApps(client, { signal });
    } catch (error) {
      // Where a workspace has no apps, it knows no such API.
      const isRefused =
        error instanceof DatabricksError &&
        (error.code === "DATABRICKS_FORBIDDEN" || error.call.status === 404);
      if (!isRefused) throw error;
      return new MonitorError(error.code, error.message, {
        hint: "Give the identity CAN USE on the apps that it is to watch. Without apps in the workspace there is nothing to do.",
        cause: error,
      });
    }
  }

  async function deliver(health: readonly HealthResult[]): Promise<void> {
    if (health.length > 0) await onBatch({ samples: [], health, dropped: new Map() });
  }

  const loop = startPollLoop({
    clock,
    intervalMs,
    poll,
    onFailure(error, failures) {
      const sinceMs = progress.asOfMs() ?? clock.now();
      progress.failed(error);
      if (!(error instanceof DatabricksError) || failures < UNKNOWN_AFTER_FAILURES) return;
      const timeMs = clock.now();
      const message = `Not known since ${new Date(sinceMs).toISOString()}, because the apps could not be read.`;
      // Where even this can't be delivered, the status says that it fails.
      deliver(watched.map((name) => unknown(name, { state: "unread", message, timeMs }))).catch(
        () => {},
      );
    },
  });

  return { status: () => [progress.status()], close: () => loop.close() };
}

const GONE = "No longer in the workspace, or no longer visible to the monitor.";

function unknown(
  name: string,
  { state, message, timeMs }: Pick<HealthResult, "state" | "message" | "timeMs">,
): HealthResult {
  const component = appComponent(name);
  return { component, endpoint: name, status: "unknown", state, message, latencyMs: null, timeMs };
}

function matcherOf(names: readonly string[]): (name: string) => boolean {
  if (names.length === 0) return () => true;
  return (name) =>
    names.some((wanted) =>
      wanted.endsWith("*") ? name.startsWith(wanted.slice(0, -1)) : name === wanted,
    );
}
