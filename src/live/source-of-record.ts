/**
 * Which of two sources counts a request, where the endpoint logs it and the agent's
 * telemetry tells it as well. Each endpoint has a time before which its log counts and
 * from which its telemetry does, so that every request counts once, in whatever order
 * and however late the two come. Where the log names the trace, that decides.
 */
import type { LoggedRequest } from "../signals/logged-request.ts";
import type { Request } from "../signals/request.ts";
import { CLOCK_AHEAD_MAX_MS } from "./counted.ts";

/** Logged requests that are remembered, to know one that is read again. */
export const LOGGED_MAX = 200_000;
/** Endpoints of which it is remembered what counts. */
const ENDPOINTS_MAX = 10_000;
/** How far the clock of an agent may be ahead of that of its endpoint, where ids tell them to be one. */
const SKEW_MAX_MS = 60_000;
/** Trace ids of one endpoint that are remembered for that. */
const TRACES_MAX = 1_000;

/** How many are forgotten at a time, since finding the oldest takes a while. */
const FORGOTTEN_AT_ONCE = 1_000;

export type LoggedDropReason = "logged_ahead_of_clock" | "logged_endpoint_limit";

/** Whether a logged request counts, or why it does not. */
export type Logged = "counts" | "known" | "told_by_telemetry" | LoggedDropReason;

/** What counts of one endpoint; `telemetryFromMs` is later than `loggedUpToMs`. */
export type Handover = {
  readonly endpoint: string;
  /** Ends of the first request that telemetry told and of the last that was taken from the log. */
  readonly telemetryFromMs: number | null;
  readonly loggedUpToMs: number | null;
};

type Known = {
  telemetryFromMs: number | null;
  loggedUpToMs: number | null;
  /** Traces of requests that the log counted, and of those that telemetry counted first. */
  readonly loggedTraces: Set<string>;
  readonly toldTraces: Set<string>;
};

export class SourceOfRecord {
  readonly #endpoints = new Map<string, Known>();
  /** Keys of logged requests to their times, the oldest first. */
  readonly #logged = new Map<string, LoggedKey>();
  /** Logged requests of an endpoint up to this time may have been forgotten. */
  readonly #forgottenUpToMs = new Map<string, number>();

  /** Whether it was read before, or may have been. */
  isKnown({ endpoint, requestId, timeMs }: LoggedRequest): boolean {
    return (
      this.#logged.has(keyOf(endpoint, requestId)) ||
      timeMs <= (this.#forgottenUpToMs.get(endpoint) ?? Number.NEGATIVE_INFINITY)
    );
  }

  takeLogged(request: LoggedRequest, nowMs: number): Logged {
    const { endpoint, traceId, timeMs } = request;
    if (this.isKnown(request)) return "known";
    this.#remember(request, nowMs);
    if (timeMs > nowMs + CLOCK_AHEAD_MAX_MS) return "logged_ahead_of_clock";

    const known = this.#of(endpoint);
    if (!known) return "logged_endpoint_limit";
    const { telemetryFromMs } = known;
    if (telemetryFromMs !== null && timeMs >= telemetryFromMs) return "told_by_telemetry";
    if (traceId !== null) {
      if (known.toldTraces.has(traceId)) return "told_by_telemetry";
      addBounded(known.loggedTraces, traceId);
    }
    known.loggedUpToMs = Math.max(known.loggedUpToMs ?? timeMs, timeMs);
    return "counts";
  }

  /** Whether a request that telemetry tells counts, because the log did not count it. */
  takeTold({ endpoint, traceId, timeMs }: Pick<Request, "endpoint" | "traceId" | "timeMs">) {
    const known = this.#of(endpoint);
    if (!known) return true;
    if (known.loggedTraces.has(traceId)) return false;
    if (known.loggedUpToMs !== null && timeMs <= known.loggedUpToMs) return false;
    known.telemetryFromMs = Math.min(known.telemetryFromMs ?? timeMs, timeMs);
    if (timeMs < known.telemetryFromMs + SKEW_MAX_MS) addBounded(known.toldTraces, traceId);
    return true;
  }

  handovers(): Handover[] {
    return Array.from(this.#endpoints, ([endpoint, { telemetryFromMs, loggedUpToMs }]) => ({
      endpoint,
      telemetryFromMs,
      loggedUpToMs,
    }));
  }

  /** What was true before the oldest entries left the journal. */
  restore(handovers: readonly Handover[]): void {
    for (const { endpoint, telemetryFromMs, loggedUpToMs } of handovers) {
      const known = this.#of(endpoint);
      if (!known) continue;
      known.telemetryFromMs = telemetryFromMs;
      known.loggedUpToMs = loggedUpToMs;
    }
  }

  #of(endpoint: string): Known | undefined {
    const known = this.#endpoints.get(endpoint);
    if (known || this.#endpoints.size >= ENDPOINTS_MAX) return known;
    const fresh: Known = {
      telemetryFromMs: null,
      loggedUpToMs: null,
      loggedTraces: new Set(),
      toldTraces: new Set(),
    };
    this.#endpoints.set(endpoint, fresh);
    return fresh;
  }

  #remember({ endpoint, requestId, timeMs }: LoggedRequest, nowMs: number): void {
    const key = keyOf(endpoint, requestId);
    this.#logged.set(key, { endpoint, timeMs: Math.min(timeMs, nowMs) });
    if (this.#logged.size <= LOGGED_MAX) return;
    let left = FORGOTTEN_AT_ONCE;
    for (const [key, oldest] of this.#logged) {
      if (left-- === 0) return;
      this.#logged.delete(key);
      const upToMs = this.#forgottenUpToMs.get(oldest.endpoint) ?? Number.NEGATIVE_INFINITY;
      this.#forgottenUpToMs.set(oldest.endpoint, Math.max(upToMs, oldest.timeMs));
    }
  }
}

type LoggedKey = { readonly endpoint: string; readonly timeMs: number };

function keyOf(endpoint: string, requestId: string): string {
  return `${requestId} ${endpoint}`;
}

function addBounded(ids: Set<string>, id: string): void {
  if (ids.size < TRACES_MAX) ids.add(id);
}
