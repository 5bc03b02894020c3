/**
 * Pushes what a collector holds to an OTLP receiver, in the background. Nothing
 * queues up: totals are cumulative, so a push that fails is made up for by the
 * next, which takes a new snapshot. A receiver that is down costs one attempt now
 * and then; it never slows, fails or keeps alive the program that it is told about.
 *
 * Source: OpenTelemetry Protocol specification, "OTLP/HTTP".
 */
import { randomUUID } from "node:crypto";
import { backgroundClock, type Clock, systemClock } from "../../clock.ts";
import type { MetricsSnapshot } from "../../metrics/snapshot.ts";
import { checkAboveZero, checkOptions, checkText } from "../../option.ts";
import { type Fetch, type Outcome, send, wait } from "../post.ts";
import { bearer, checkHeaders, receiverUrl } from "../receiver-address.ts";
import { encodeMetrics, SERIES_PER_REQUEST_MAX } from "./encode-metrics.ts";
import { readRejected } from "./read-rejected.ts";

/** How often there is a push, in milliseconds: a receiver should know within a minute. */
export const PUSH_INTERVAL_MS = 30_000;
/** The shortest interval that may be asked for, in milliseconds. */
export const PUSH_INTERVAL_MIN_MS = 100;
/** The longest, in milliseconds: a timer of Node that is asked for more fires at once, again and again. */
export const PUSH_INTERVAL_MAX_MS = 2 ** 31 - 1;
/** For one request, from connecting to the last byte, in milliseconds. */
const REQUEST_TIMEOUT_MS = 10_000;
/** How long `flush` tries, in milliseconds. */
export const FLUSH_DEADLINE_MS = 15_000;
/** How long `close` tries, in milliseconds: a program that stops has little time. */
export const CLOSE_DEADLINE_MS = 5_000;
/** The wait before attempt n is random between 0 and this much times 2^(n-1), in milliseconds. */
const RETRY_BASE_MS = 1_000;
const RETRY_WAIT_MAX_MS = 60_000;
/** Added at random to `Retry-After`, so that those told the same do not return together. */
const RETRY_AFTER_JITTER_MS = 1_000;
/** Largest answer that is read, in bytes. */
const ANSWER_MAX_BYTES = 64 * 1024;
/** Fewest series in a request, where a receiver takes no large ones. */
const SERIES_PER_REQUEST_MIN = 50;

/** To be sent again, says OTLP. Whatever else is refused would be refused again. */
const RETRY_STATUSES = [429, 502, 503, 504];

export type OtlpPushOptions = {
  /** A base such as `http://127.0.0.1:4318`, or the whole address ending in `/v1/metrics`. */
  readonly url: string;
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly snapshot: () => MetricsSnapshot;
  /** Resource attributes, such as `service.name`, besides those that are always there. */
  readonly resource?: Readonly<Record<string, string>>;
  readonly namespace?: string;
  readonly intervalMs?: number;
  /** Told when pushing begins to fail, once until it works again. */
  readonly onProblem?: (problem: PushProblem) => void;
  readonly fetch?: Fetch;
  readonly random?: () => number;
  /** For what is awaited. */
  readonly clock?: Clock;
  /** For what happens in the background; its timers keep no program alive. */
  readonly timers?: Clock;
};

export type PushProblem = { readonly message: string; readonly hint: string };

export type PushStats = {
  /** Pushes that were taken whole. */
  readonly pushed: number;
  /** Pushes that were not; the totals in them go with the next. */
  readonly failed: number;
  /** Series that receivers said they refused while taking the rest. */
  readonly rejectedSeries: number;
  readonly lastPushedMs: number | null;
  /** Why the last push failed; `null` once one was taken again. */
  readonly problem: PushProblem | null;
};

export type OtlpPush = {
  /** Sends what is there now and waits until it was taken or given up; `stats` tells which. */
  flush(): Promise<void>;
  /** Sends a last time, then stops. */
  close(): Promise<void>;
  stats(): PushStats;
};

/** @throws MonitorError `CONFIG_INVALID` for an address, token, header, interval or attribute that can't be used. */
export function startOtlpPush(options: OtlpPushOptions): OtlpPush {
  return new Push(options, requestFor(options));
}

type Target = { readonly url: string; readonly headers: Readonly<Record<string, string>> };

function requestFor(options: OtlpPushOptions): Target {
  const { url, token, headers = {}, intervalMs = PUSH_INTERVAL_MS, resource = {} } = options;
  const target = receiverUrl(url, "the OTLP receiver");
  if (!/\/v1\/metrics\/?$/.test(target.pathname)) {
    target.pathname = `${target.pathname.replace(/\/+$/, "")}/v1/metrics`;
  }
  checkHeaders(headers);
  checkAboveZero("intervalMs", intervalMs, {
    max: Number.POSITIVE_INFINITY,
    unit: "a number of milliseconds",
  });
  checkOptions("`resource`", resource);
  for (const [name, value] of Object.entries<unknown>(resource)) {
    checkText(`the resource attribute ${name}`, value);
  }
  return {
    url: target.href,
    headers: {
      ...headers,
      ...(token === undefined ? {} : bearer(token, target)),
      "content-type": "application/x-protobuf",
    },
  };
}

/** Two processes of one service write series of their own, so each has a name. */
function resourceOf({ resource }: OtlpPushOptions): Readonly<Record<string, string>> {
  return {
    "service.name": "unknown_service:node",
    "service.instance.id": randomUUID(),
    "telemetry.sdk.name": "dspy-databricks-agents",
    "telemetry.sdk.language": "nodejs",
    ...resource,
  };
}

type Result = "taken" | "again" | "refused";

class Push {
  readonly #options: OtlpPushOptions;
  readonly #target: Target;
  readonly #resource: Readonly<Record<string, string>>;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #stopTimer: () => void;
  #seriesPerRequest = SERIES_PER_REQUEST_MAX;
  /** Attempts that failed since one was taken. */
  #attempts = 0;
  #notBeforeMs = 0;
  #underWay: Promise<Result> | null = null;
  #closing: Promise<void> | null = null;
  readonly #closed = new AbortController();
  #stats: PushStats = {
    pushed: 0,
    failed: 0,
    rejectedSeries: 0,
    lastPushedMs: null,
    problem: null,
  };

  constructor(options: OtlpPushOptions, target: Target) {
    this.#options = options;
    this.#target = target;
    this.#resource = resourceOf(options);
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    const { intervalMs = PUSH_INTERVAL_MS, timers = backgroundClock } = options;
    const everyMs = Math.min(PUSH_INTERVAL_MAX_MS, Math.max(PUSH_INTERVAL_MIN_MS, intervalMs));
    this.#stopTimer = timers.every(everyMs, () => this.#tick());
  }

  flush(): Promise<void> {
    return this.#deliver(FLUSH_DEADLINE_MS);
  }

  close(): Promise<void> {
    this.#closing ??= this.#finish();
    return this.#closing;
  }

  stats(): PushStats {
    return this.#stats;
  }

  async #finish(): Promise<void> {
    this.#stopTimer();
    const cancel = this.#clock.after(CLOSE_DEADLINE_MS, () => this.#closed.abort());
    await this.#deliver(CLOSE_DEADLINE_MS);
    cancel();
    this.#closed.abort();
  }

  #tick(): void {
    if (this.#underWay || this.#clock.now() < this.#notBeforeMs) return;
    void this.#push();
  }

  /** Pushes until it is taken, refused, or the time is over. */
  async #deliver(withinMs: number): Promise<void> {
    const deadlineMs = this.#clock.now() + withinMs;
    // What is under way may have been measured before the call.
    await this.#underWay;
    for (;;) {
      const result = await this.#push();
      if (result !== "again" || this.#closed.signal.aborted) return;
      const waitMs = Math.max(0, this.#notBeforeMs - this.#clock.now());
      if (this.#clock.now() + waitMs >= deadlineMs) return;
      if (waitMs > 0) await wait(waitMs, { clock: this.#clock, signal: this.#closed.signal });
    }
  }

  /** One at a time: who comes while another is under way waits for that one. */
  #push(): Promise<Result> {
    this.#underWay ??= this.#pushNow().finally(() => {
      this.#underWay = null;
    });
    return this.#underWay;
  }

  async #pushNow(): Promise<Result> {
    let rejected = 0;
    try {
      const snapshot = this.#options.snapshot();
      const { namespace } = this.#options;
      const requests = encodeMetrics(snapshot, {
        resource: this.#resource,
        ...(namespace !== undefined && { namespace }),
        seriesPerRequest: this.#seriesPerRequest,
      });
      for (const body of requests) {
        const outcome = await this.#send(body);
        if (outcome.kind !== "answer" || outcome.status >= 300) return this.#failed(outcome);
        rejected += readRejected(outcome.body);
      }
    } catch {
      // A bug here must not end the program that is being watched.
      return this.#problem("refused", {
        message: "cannot push metrics: they could not be encoded",
        hint: "This is a bug of dspy-databricks-agents; please report it.",
      });
    }
    this.#attempts = 0;
    this.#notBeforeMs = 0;
    const { pushed, rejectedSeries } = this.#stats;
    this.#stats = {
      ...this.#stats,
      pushed: pushed + 1,
      rejectedSeries: rejectedSeries + rejected,
      lastPushedMs: this.#clock.now(),
      problem: null,
    };
    return "taken";
  }

  #send(body: Uint8Array<ArrayBuffer>): Promise<Outcome> {
    return send(
      { method: "POST", ...this.#target, body },
      {
        fetch: this.#options.fetch ?? fetch,
        clock: this.#clock,
        timeoutMs: REQUEST_TIMEOUT_MS,
        answerMaxBytes: ANSWER_MAX_BYTES,
        signal: this.#closed.signal,
      },
    );
  }

  #failed(outcome: Outcome): Result {
    const { origin } = new URL(this.#target.url);
    const problem = explain(outcome, origin);
    const status = outcome.kind === "answer" ? outcome.status : null;
    if (status === 413 && this.#seriesPerRequest > SERIES_PER_REQUEST_MIN) {
      this.#seriesPerRequest = Math.max(
        SERIES_PER_REQUEST_MIN,
        Math.floor(this.#seriesPerRequest / 2),
      );
      return this.#problem("again", problem);
    }
    const isTransient =
      outcome.kind === "no_answer" || (status !== null && RETRY_STATUSES.includes(status));
    if (!isTransient) return this.#problem("refused", problem);

    const askedMs = outcome.kind === "answer" ? outcome.retryAfterMs : null;
    const waitMs =
      askedMs === null
        ? this.#random() * Math.min(RETRY_WAIT_MAX_MS, RETRY_BASE_MS * 2 ** this.#attempts)
        : askedMs + this.#random() * RETRY_AFTER_JITTER_MS;
    this.#attempts = Math.min(this.#attempts + 1, 10);
    this.#notBeforeMs = this.#clock.now() + waitMs;
    return this.#problem("again", problem);
  }

  #problem(result: Result, problem: PushProblem): Result {
    const isNew = this.#stats.problem === null;
    this.#stats = { ...this.#stats, failed: this.#stats.failed + 1, problem };
    if (isNew) tell(this.#options.onProblem, problem);
    return result;
  }
}

/** Whatever the listener does, pushing goes on. */
function tell(listener: OtlpPushOptions["onProblem"], problem: PushProblem): void {
  try {
    listener?.(problem);
  } catch {
    // It was told; what it makes of that is its own affair.
  }
}

function explain(outcome: Outcome, origin: string): PushProblem {
  const tried = `cannot push metrics: POST /v1/metrics on ${origin}`;
  switch (outcome.kind) {
    case "no_answer":
      return {
        message: `${tried} got no answer (${outcome.code})`,
        hint: "Check that a monitor or an OTLP/HTTP receiver listens there; totals go with the next push.",
      };
    case "redirect":
      return {
        message: `${tried} answered ${outcome.status}, a redirect, which is not followed so that the token stays here`,
        hint: "Give the address of the receiver itself.",
      };
    case "too_large":
      return {
        message: `${tried} answered with more than ${ANSWER_MAX_BYTES} bytes`,
        hint: "Check that an OTLP/HTTP receiver listens there.",
      };
    case "answer":
      return { message: `${tried} answered ${outcome.status}`, hint: hintFor(outcome.status) };
  }
}

function hintFor(status: number): string {
  switch (status) {
    case 401:
    case 403:
      return "Check the token, and that it may write metrics there.";
    case 404:
    case 405:
    case 415:
      return "Check that an OTLP/HTTP receiver that takes metrics as protobuf listens there.";
    case 413:
      return "The next push is split into smaller requests.";
    default:
      return RETRY_STATUSES.includes(status)
        ? "It is tried again, later each time; totals go with the next push."
        : "The receiver refuses the metrics as they are; its own log says why.";
  }
}
