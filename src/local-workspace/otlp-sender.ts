/**
 * Posts recorded telemetry to the monitor, as an OTLP exporter does: in order,
 * again when the monitor is busy or away, and never more than fits into a
 * bounded queue. What is given up is counted.
 *
 * Source: OpenTelemetry, "OTLP Specification", OTLP/HTTP.
 */
import type { Clock } from "./clock.ts";

export type OtlpSender = {
  send(body: Uint8Array): void;
  counts(): OtlpCounts;
  /** Gives up what is still queued, and counts it as dropped. */
  close(): void;
};

export type OtlpCounts = {
  readonly sent: number;
  /** Refused for good, out of tries, or without a place in the queue. */
  readonly dropped: number;
  readonly queued: number;
};

export type OtlpSenderOptions = {
  /** The monitor's address, or that of its `/v1/traces`. */
  readonly url: string;
  readonly clock: Clock;
  readonly fetch?: typeof fetch;
  readonly headers?: Readonly<Record<string, string>>;
  /** Told once, when telemetry is dropped for the first time before the close, and why. */
  readonly onFirstDrop?: (reason: string) => void;
};

/** Bodies waiting at most. At the bound, the new one is dropped. */
const QUEUE_MAX_BODIES = 200;
const TRIES_MAX = 6;
const TIMEOUT_MS = 10_000;
const RETRY_FIRST_MS = 500;
const RETRY_MAX_MS = 5_000;
/** The answers after which OTLP has a client try again. */
const RETRIED_STATUSES: ReadonlySet<number> = new Set([429, 502, 503, 504]);

export function createOtlpSender(options: OtlpSenderOptions): OtlpSender {
  const { clock, headers = {}, onFirstDrop } = options;
  const post = options.fetch ?? fetch;
  const url = tracesUrl(options.url);
  let queue: readonly Uint8Array[] = [];
  let sent = 0;
  let dropped = 0;
  let isSending = false;
  let isClosed = false;
  let endWait = () => {};

  function drop(bodies: number, reason: string) {
    if (bodies === 0) return;
    if (dropped === 0 && !isClosed) onFirstDrop?.(reason);
    dropped += bodies;
  }

  async function sendQueued(): Promise<void> {
    for (let body = queue[0]; body && !isClosed; body = queue[0]) {
      const answer = await postWithRetries(body);
      if (isClosed) return;
      queue = queue.slice(1);
      if (answer.kind === "sent") sent += 1;
      else drop(1, answer.reason);
    }
    isSending = false;
  }

  async function postWithRetries(body: Uint8Array): Promise<PostAnswer> {
    for (let tries = 1; ; tries++) {
      const answer = await postOnce(body);
      if (answer.kind !== "again" || tries === TRIES_MAX || isClosed) return answer;
      await wait(Math.min(RETRY_MAX_MS, answer.afterMs ?? RETRY_FIRST_MS * 2 ** (tries - 1)));
      if (isClosed) return answer;
    }
  }

  function wait(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = clock.after(delayMs, resolve);
      endWait = () => {
        cancel();
        resolve();
      };
    });
  }

  async function postOnce(body: Uint8Array): Promise<PostAnswer> {
    try {
      const response = await post(url, {
        method: "POST",
        headers: { ...headers, "content-type": "application/x-protobuf" },
        body: new Uint8Array(body),
        signal: AbortSignal.timeout(TIMEOUT_MS),
        redirect: "error",
      });
      await response.arrayBuffer();
      if (response.ok) return { kind: "sent" };
      const reason = `POST ${url} answered ${response.status}`;
      if (!RETRIED_STATUSES.has(response.status)) return { kind: "refused", reason };
      const afterS = Number(response.headers.get("retry-after") ?? Number.NaN);
      return { kind: "again", reason, afterMs: afterS > 0 ? afterS * 1000 : null };
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      return { kind: "again", reason: `POST ${url}: ${why}`, afterMs: null };
    }
  }

  return {
    send(body) {
      if (isClosed) return drop(1, "the workspace is closed");
      if (queue.length >= QUEUE_MAX_BODIES) return drop(1, "the queue is full");
      queue = [...queue, body];
      if (isSending) return;
      isSending = true;
      void sendQueued();
    },
    counts: () => ({ sent, dropped, queued: queue.length }),
    close() {
      isClosed = true;
      endWait();
      drop(queue.length, "the workspace was closed");
      queue = [];
    },
  };
}

type PostAnswer =
  | { readonly kind: "sent" }
  | { readonly kind: "refused"; readonly reason: string }
  | { readonly kind: "again"; readonly reason: string; readonly afterMs: number | null };

function tracesUrl(url: string): string {
  const base = url.replace(/\/+$/, "");
  return base.endsWith("/v1/traces") ? base : `${base}/v1/traces`;
}
