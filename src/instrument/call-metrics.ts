/**
 * What the wrappers of this folder need of a metrics collector and of an error
 * tracker, and a guard around both: measuring never throws into the call that is
 * measured. What was lost that way is counted.
 */
import type { Clock } from "../clock.ts";
import type { MetricsRecorder } from "../metrics/metrics-recorder.ts";
import { checkMethods } from "../option.ts";

export type Labels = Readonly<Record<string, string>>;

/** The part of `MetricsCollector` that is used here; whatever else records so will do. */
export type CallMetrics = Pick<
  MetricsRecorder,
  "recordRequest" | "recordTokenUsage" | "recordLatency" | "incrementCounter"
>;

/** @throws MonitorError `CONFIG_INVALID`: without it nothing would be recorded, and nobody told. */
export function checkMetrics(metrics: unknown): void {
  checkMethods("metrics", metrics, {
    methods: ["recordRequest", "recordTokenUsage", "recordLatency", "incrementCounter"],
    hint: "Give a MetricsCollector, or what attach() returned.",
  });
}

/** The part of `ErrorTracker` that is used here. */
export type CallErrors = {
  trackAgentError(
    agentName: string,
    kind: string,
    message: string,
    options?: {
      readonly error?: unknown;
      readonly statusCode?: number;
      readonly modelVersion?: string;
    },
  ): unknown;
};

/** How a call ended, as far as its transport goes; what was answered is in the status. */
export type Outcome =
  /** The answer was there to its end, whatever its status. */
  | "completed"
  /** A stream ended without any content. */
  | "empty_stream"
  /** A stream with a status of 200 reported that it failed. */
  | "stream_error"
  /** The caller gave up. */
  | "aborted"
  /** The caller's own time limit, or the client's, ran out. */
  | "timeout"
  /** The answer was a redirect, which the caller had said is an error. */
  | "redirect_refused"
  /** No answer came: refused, name not found, reset before the headers. */
  | "connection_failed"
  /** The answer broke off. */
  | "connection_lost"
  /** Status and headers came, the caller threw the body away without a look. */
  | "unread"
  /** The handler of a served request threw, or cut its own answer off. */
  | "handler_error";

export type Guard = {
  /** Runs one measuring step; what it throws, or rejects with, is counted and goes nowhere else. */
  run(measure: () => unknown): void;
  /** Steps that threw so far. */
  readonly lost: number;
};

export function createGuard(): Guard {
  let lost = 0;
  return {
    run(measure) {
      try {
        const result = measure();
        if (result instanceof Promise) {
          result.catch(() => {
            lost++;
          });
        }
      } catch {
        lost++;
      }
    },
    get lost() {
      return lost;
    },
  };
}

/** What is used of time; a `Clock` has it. */
export type CallClock = Pick<Clock, "now" | "after">;

/** Never jumps back, counts fractions of a millisecond, and keeps no process alive. */
export const preciseClock: CallClock = {
  now: () => performance.timeOrigin + performance.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs).unref();
    return () => clearTimeout(timer);
  },
};

/**
 * The trace that a request belongs to, so that a slow call leads to it.
 *
 * Source: W3C Trace Context, `traceparent`.
 */
export function traceIdOf(traceparent: unknown): string | undefined {
  if (typeof traceparent !== "string") return undefined;
  const id = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}/.exec(traceparent)?.[1];
  return id === undefined || /^0+$/.test(id) ? undefined : id;
}
