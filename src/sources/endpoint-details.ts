/**
 * What the list of endpoints leaves out: why an endpoint is not ready, and whether it
 * is cold. It is asked for beside the lists, so that an answer that takes a minute
 * delays no state; what comes is told at once.
 */
import type { Clock } from "../clock.ts";
import type { DatabricksClient } from "../databricks/client.ts";
import { DatabricksError } from "../databricks/databricks-error.ts";
import { getServingEndpoint, type ServingEndpoint } from "../databricks/serving-endpoints.ts";
import { CONCURRENT_CALLS_MAX, concernsAll, SWEEP_FAILURES_MAX } from "./endpoint-calls.ts";
import { forEachBounded } from "./for-each-bounded.ts";

/** Endpoints that are asked in one sweep; the others come in the next. */
const DETAILS_PER_SWEEP_MAX = 50;
/** For how long an idle endpoint's detail is not asked for again. */
const DETAIL_REUSE_MS = 300_000;
/** For how long it stands while a newer one is asked for. */
const DETAIL_MAX_AGE_MS = 2 * DETAIL_REUSE_MS;

type Detail = { readonly endpoint: ServingEndpoint; readonly readAtMs: number };

export type EndpointDetails = {
  /** An endpoint of the list, with what is known beyond the list. */
  completed(listed: ServingEndpoint): ServingEndpoint;
  /** Takes the newest list, and begins to ask for what it leaves out unless it still asks for the last. */
  refresh(listed: readonly ServingEndpoint[], signal: AbortSignal): void;
  /** What comes from now until the next list is not told: the list could not be read. */
  hold(): void;
  /** Resolves when nothing is under way; the signal makes that soon. */
  close(): Promise<void>;
};

/** @param onChange called with an endpoint as it was told before, and as it is known now. */
export function createEndpointDetails({
  client,
  clock,
  isIdle,
  onChange,
}: {
  readonly client: DatabricksClient;
  readonly clock: Clock;
  readonly isIdle: (name: string) => boolean;
  readonly onChange: (before: ServingEndpoint, now: ServingEndpoint) => Promise<void>;
}): EndpointDetails {
  const details = new Map<string, Detail>();
  let newest: ReadonlyMap<string, ServingEndpoint> = new Map();
  /** Endpoints that could not be asked at the last try: they come last at the next. */
  let withoutDetail: ReadonlySet<string> = new Set();
  let sweep: Promise<void> | null = null;

  /** Whether the list alone does not say all that is wanted. */
  function needsDetail(listed: ServingEndpoint): boolean {
    if (listed.servedEntities.some(({ deployment }) => deployment !== null)) return false;
    return !isSettled(listed) || isIdle(listed.name);
  }

  /** What is known beyond the list, unless it is of another state or too old. */
  function detailOf(listed: ServingEndpoint): Detail | null {
    const detail = details.get(listed.name);
    if (!detail || !isSameState(detail.endpoint, listed)) return null;
    return clock.now() - detail.readAtMs < DETAIL_MAX_AGE_MS ? detail : null;
  }

  function isDue(listed: ServingEndpoint): boolean {
    const detail = detailOf(listed);
    if (!detail || !isSettled(listed)) return true;
    return clock.now() - detail.readAtMs >= DETAIL_REUSE_MS;
  }

  function completed(listed: ServingEndpoint): ServingEndpoint {
    return needsDetail(listed) ? (detailOf(listed)?.endpoint ?? listed) : listed;
  }

  async function change(name: string, make: () => void): Promise<void> {
    const listed = newest.get(name);
    const before = listed && completed(listed);
    make();
    // A detail of another state than the newest list may be older than that: the next list tells.
    if (before) await onChange(before, completed(listed));
  }

  async function read({ name }: ServingEndpoint, signal: AbortSignal): Promise<void> {
    const endpoint = await getServingEndpoint(client, name, { signal });
    await change(name, () => details.set(name, { endpoint, readAtMs: clock.now() }));
  }

  async function readAll(wanted: readonly ServingEndpoint[], signal: AbortSignal): Promise<void> {
    const failed = new Set<string>();
    let failuresInARow = 0;
    await forEachBounded(wanted, {
      concurrency: CONCURRENT_CALLS_MAX,
      async work(endpoint) {
        if (failuresInARow >= SWEEP_FAILURES_MAX) return;
        try {
          await read(endpoint, signal);
          failuresInARow = 0;
        } catch (error) {
          signal.throwIfAborted();
          // What could not be delivered comes with the next list.
          if (!(error instanceof DatabricksError)) return;
          // The list stands without it; the endpoint then has its state, but no reason.
          failed.add(endpoint.name);
          failuresInARow = concernsAll(error) ? SWEEP_FAILURES_MAX : failuresInARow + 1;
          await change(endpoint.name, () => details.delete(endpoint.name)).catch(() => {});
        }
      },
    });
    withoutDetail = failed;
  }

  return {
    completed,
    refresh(listed, signal) {
      newest = new Map(listed.map((endpoint) => [endpoint.name, endpoint]));
      for (const name of details.keys()) if (!newest.has(name)) details.delete(name);
      if (sweep) return;
      const rank = (endpoint: ServingEndpoint) =>
        (withoutDetail.has(endpoint.name) ? 2 : 0) + (isSettled(endpoint) ? 1 : 0);
      const wanted = listed
        .filter((endpoint) => needsDetail(endpoint) && isDue(endpoint))
        .toSorted((a, b) => rank(a) - rank(b))
        .slice(0, DETAILS_PER_SWEEP_MAX);
      if (wanted.length === 0) return;
      // It rejects only when it was stopped.
      sweep = readAll(wanted, signal)
        .catch(() => {})
        .finally(() => {
          sweep = null;
        });
    },
    hold() {
      newest = new Map();
    },
    async close() {
      await sweep;
    },
  };
}

function isSettled({ ready, configUpdate }: ServingEndpoint): boolean {
  return ready === "READY" && configUpdate === "NOT_UPDATING";
}

function isSameState(a: ServingEndpoint, b: ServingEndpoint): boolean {
  return a.ready === b.ready && a.configUpdate === b.configUpdate;
}
