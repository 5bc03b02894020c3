/**
 * One call of an agent while it lasts, and what is recorded of it. Each call is
 * recorded once, at its end, whichever comes first: complete, broken off, given
 * up, or left unread. A refusal is all said with its status, so it counts at its
 * headers. Time to headers and to first content are recorded when they happen.
 */
import { classOfStatus } from "../signals/error-class.ts";
import { type AnswerReader, answerKind, createAnswerReader } from "./answer-reader.ts";
import type { CallClock, CallErrors, CallMetrics, Guard, Labels, Outcome } from "./call-metrics.ts";

/**
 * How long, in milliseconds, an answer may wait for its reader. After that the
 * call is recorded as `unread`; the answer itself stays readable.
 */
export const UNREAD_AFTER_MS = 10_000;
/** The same for a refusal: its body has a code for the error, if the caller reads it. */
export const UNREAD_REFUSAL_AFTER_MS = 1_000;

export type CallMeasurement = {
  receiveHeaders(headers: {
    readonly status: number;
    readonly modelVersion: string | undefined;
    readonly contentType: string | null;
  }): void;
  /** The caller asks for the first piece of the body. */
  startReading(): void;
  receive(bytes: Uint8Array): void;
  end(): void;
  fail(error: unknown): void;
  /** The answer was a redirect, which the caller had said is an error. */
  refuseRedirect(): void;
  /** It was no call: `fetch` refused the caller's arguments. */
  forget(): void;
  /** The caller wants no more of the body. */
  cancel(): void;
  /** The caller let go of the answer, nobody knows when: its latency is that of the last thing that came. */
  drop(): void;
};

export type CallOptions = {
  readonly metrics: CallMetrics;
  readonly errors: CallErrors | undefined;
  readonly endpointName: string;
  readonly labels: Labels;
  readonly clock: CallClock;
  readonly guard: Guard;
  readonly signal: AbortSignal | null | undefined;
  readonly traceId: string | undefined;
  /** HEAD is answered with the headers of a body, and none. */
  readonly hasAnswerBody: boolean;
};

export function createCallMeasurement(options: CallOptions): CallMeasurement {
  const { metrics, errors, endpointName, clock, guard, signal } = options;
  const labels = { ...options.labels, endpoint: endpointName };
  const startedMs = clock.now();
  let lastMs = startedMs;
  let status: number | undefined;
  let modelVersion: string | undefined;
  let reader: AnswerReader | undefined;
  let sawContent = false;
  let isReading = false;
  let isCounted = false;
  let isDone = false;
  let stopWaiting = () => {};

  // An abort ends the measurement when it happens, not when the body is next read.
  const onAbort = () => guard.run(() => fail(signal?.reason));
  signal?.addEventListener("abort", onAbort, { once: true });

  function fail(error: unknown): void {
    if (signal?.aborted && !isTimeout(signal.reason)) finish(unlessComplete("aborted"));
    else if (signal?.aborted || isTimeout(error)) finish(unlessComplete("timeout"), { error });
    else finish(status === undefined ? "connection_failed" : "connection_lost", { error });
  }

  /** A client that stops after a stream's own last word has read the whole of it. */
  function unlessComplete(outcome: Outcome): Outcome {
    return reader?.hasFinished ? outcomeAtEnd() : outcome;
  }

  function outcomeAtEnd(): Outcome {
    if (!reader || !isSuccess(status)) return "completed";
    if (reader.hasFailed) return "stream_error";
    return isStream(reader) && reader.isEmpty ? "empty_stream" : "completed";
  }

  function noteContent(): void {
    if (sawContent || !reader?.hasContent || !isSuccess(status)) return;
    sawContent = true;
    const sinceMs = clock.now() - startedMs;
    guard.run(() => metrics.recordLatency("time_to_first_content_ms", sinceMs, { labels }));
  }

  function finish(
    outcome: Outcome,
    { atMs = clock.now(), error }: { readonly atMs?: number; readonly error?: unknown } = {},
  ): void {
    if (isDone) return;
    forget();
    count(outcome, atMs);
    recordTokens();
    const skipped = reader?.skippedLines ?? 0;
    if (skipped > 0) {
      guard.run(() =>
        metrics.incrementCounter("skipped_stream_line_total", { labels, value: skipped }),
      );
    }
    const kind = failureKind(outcome, status);
    if (kind !== undefined && errors) {
      const message = describe(outcome, status, reader?.failureCode);
      guard.run(() =>
        errors.trackAgentError(endpointName, kind, message, {
          ...(error === undefined ? {} : { error }),
          ...(status === undefined ? {} : { statusCode: status }),
          ...(modelVersion === undefined ? {} : { modelVersion }),
        }),
      );
    }
  }

  function forget(): void {
    isDone = true;
    stopWaiting();
    signal?.removeEventListener("abort", onAbort);
  }

  function count(outcome: Outcome, atMs: number): void {
    if (isCounted) return;
    isCounted = true;
    guard.run(() =>
      metrics.recordRequest(endpointName, {
        latencyMs: atMs - startedMs,
        statusCode: status,
        modelVersion,
        labels: { ...options.labels, side: "client", outcome },
        traceId: options.traceId,
      }),
    );
    if (outcome === "completed") return;
    const counted = { ...labels, outcome };
    guard.run(() => metrics.incrementCounter("unfinished_call_total", { labels: counted }));
  }

  /** Of a stream that broke off, what it had told so far. A refusal's usage says nothing. */
  function recordTokens(): void {
    if (!reader || !isSuccess(status)) return;
    for (const { input, output, model } of reader.tokens) {
      guard.run(() =>
        metrics.recordTokenUsage(endpointName, {
          inputTokens: input,
          outputTokens: output,
          model,
          labels: options.labels,
        }),
      );
    }
  }

  return {
    receiveHeaders(headers) {
      status = headers.status;
      modelVersion = headers.modelVersion;
      reader = createAnswerReader(
        options.hasAnswerBody ? answerKind(headers.contentType) : "opaque",
      );
      lastMs = clock.now();
      const sinceMs = lastMs - startedMs;
      guard.run(() => metrics.recordLatency("time_to_headers_ms", sinceMs, { labels }));
      if (isDone) return;
      if (isRefusal(status)) count("completed", lastMs);
      const waitMs = isRefusal(status) ? UNREAD_REFUSAL_AFTER_MS : UNREAD_AFTER_MS;
      stopWaiting = clock.after(waitMs, () => guard.run(() => finish("unread", { atMs: lastMs })));
    },
    startReading() {
      isReading = true;
      stopWaiting();
    },
    receive(bytes) {
      lastMs = clock.now();
      reader?.push(bytes);
      noteContent();
    },
    end() {
      reader?.end();
      noteContent();
      finish(outcomeAtEnd());
    },
    fail,
    refuseRedirect: () => finish("redirect_refused"),
    forget,
    cancel: () => finish(unlessComplete(isReading ? "aborted" : "unread")),
    drop: () => finish(unlessComplete(isReading ? "aborted" : "unread"), { atMs: lastMs }),
  };
}

const isSuccess = (status: number | undefined) =>
  status !== undefined && status >= 200 && status < 300;

const isRefusal = (status: number) => status >= 400;

const isStream = ({ kind }: AnswerReader) => kind === "events" || kind === "json_lines";

const TIMEOUT_CODES: ReadonlySet<unknown> = new Set([
  "ETIMEDOUT",
  "UND_ERR_HEADERS_TIMEOUT",
  "UND_ERR_BODY_TIMEOUT",
  "UND_ERR_CONNECT_TIMEOUT",
]);

/** How many causes deep a timeout is looked for; `fetch` wraps its own once or twice. */
const CAUSES_MAX = 4;

function isTimeout(error: unknown): boolean {
  let current = error;
  for (let depth = 0; depth < CAUSES_MAX && current instanceof Error; depth++) {
    if (current.name === "TimeoutError") return true;
    if ("code" in current && TIMEOUT_CODES.has(current.code)) return true;
    current = current.cause;
  }
  return false;
}

/** Outcomes that are no failure of the agent: the caller decided so. */
const CALLERS_CHOICE: ReadonlySet<Outcome> = new Set([
  "completed",
  "aborted",
  "unread",
  "redirect_refused",
]);

/** Undefined when nothing failed. The words are those of `ErrorClass` where it has one. */
function failureKind(outcome: Outcome, status: number | undefined): string | undefined {
  const refusal = status === undefined ? null : classOfStatus(status);
  if (refusal !== null) return refusal;
  return CALLERS_CHOICE.has(outcome) ? undefined : outcome;
}

const SAYINGS: Readonly<Partial<Record<Outcome, string>>> = {
  empty_stream: "The stream ended without content",
  stream_error: "The stream reported a failure",
  timeout: "The answer took too long",
  connection_failed: "No answer came from the agent",
  connection_lost: "The answer broke off",
};

/** Never the answer's own text, which may quote the question. */
function describe(outcome: Outcome, status: number | undefined, code: string | undefined): string {
  const said =
    status !== undefined && status >= 400
      ? `The agent answered ${status}`
      : (SAYINGS[outcome] ?? outcome);
  return code === undefined ? said : `${said} (${code})`;
}
