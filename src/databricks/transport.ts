/**
 * Sends one HTTP request to one workspace and brings back the answer, whole or as
 * it comes, or says why there is none. Every wait is bounded: each attempt, all of
 * them together, and the size of the answer. A request is repeated only when doing
 * it twice is harmless and its body can be had twice. A redirect is never followed,
 * since that would hand the token to whoever it points to.
 */
import type { Clock } from "../clock.ts";
import type { ErrorCode } from "../monitor-error.ts";
import { DatabricksError, type FailedCall } from "./databricks-error.ts";
import { type ByteSource, canBeSentAgain, sizeOf } from "./upload.ts";
import { wait } from "./wait.ts";

/** A list of values is sent as the parameter repeated. Text is sent as it is: who signed it did so byte by byte. */
export type Query = string | Readonly<Record<string, string | readonly string[]>>;

export type HttpRequest = {
  /** What is tried, as it reads after "cannot", such as `list the serving endpoints`. */
  readonly purpose: string;
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  readonly query?: Query | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | ByteSource | undefined;
  /** Whether sending it twice has the effect of sending it once. */
  readonly isIdempotent: boolean;
  /** Instead of the transport's own. */
  readonly timeoutMs?: number | undefined;
  /** Instead of the transport's own. */
  readonly totalTimeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
};

export type HttpAnswer = {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** How often it was asked for. */
  readonly attempts: number;
};

/** An answer with a good status, while its body is still to come. */
export type HttpStream = {
  readonly status: number;
  readonly headers: Headers;
  /** To be read once. Leaving the loop closes the connection. */
  readonly chunks: AsyncIterable<Uint8Array>;
};

export type StreamLimits = {
  /** For each wait for the next bytes, while somebody waits for them. */
  readonly idleTimeoutMs: number;
  /** Largest body. */
  readonly maxBytes: number;
};

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export type TransportOptions = {
  readonly host: string;
  readonly fetch: Fetch;
  readonly clock: Clock;
  /** From 0 to 1, as `Math.random`. */
  readonly random: () => number;
  /** For one attempt, from connecting to the last byte. */
  readonly timeoutMs: number;
  /** For all attempts and the waits between them. */
  readonly totalTimeoutMs: number;
};

export type Transport = {
  readonly host: string;
  /**
   * Resolves to the answer, whatever its status, once there is one that a retry
   * would not change.
   *
   * @throws DatabricksError `DATABRICKS_UNREACHABLE` without a whole answer in
   * time, `DATABRICKS_FAILED` for a redirect or an answer that is too large.
   * @throws whatever `signal` was aborted with.
   */
  send(request: HttpRequest): Promise<HttpAnswer>;
  /**
   * The same for a body that is read as it comes. The deadline of an attempt is
   * for the head of the answer only; what breaks off after it is not repeated. An
   * answer with another status than 2xx is brought whole.
   */
  open(request: HttpRequest, limits: StreamLimits): Promise<HttpAnswer | HttpStream>;
};

/** Attempts of an idempotent request, the first included. */
const ATTEMPTS_MAX = 4;
/** The wait before attempt n is random between 0 and this much times 2^(n-1). */
const RETRY_BASE_MS = 1000;
const RETRY_WAIT_MAX_MS = 20_000;
/** Longest wait that is taken from `Retry-After`. */
const RETRY_AFTER_MAX_MS = 300_000;
/** Added at random to `Retry-After`, so that those told the same do not return together. */
const RETRY_AFTER_JITTER_MS = 1000;
/** Largest answer. The largest documented one, a statement's inline result, is 25 MiB. */
export const ANSWER_MAX_BYTES = 32 * 1024 * 1024;

const RETRY_STATUSES = [429, 503, 504];
/** A connection that broke, or a name server that did not answer: both may work the next time. */
const RETRY_NETWORK_CODES = ["ECONNRESET", "EPIPE", "UND_ERR_SOCKET", "EAI_AGAIN", "TIMEOUT"];

export function createTransport(options: TransportOptions): Transport {
  return {
    host: options.host,
    async send(request) {
      const answer = await sendWithRetries(request, { options, limits: null });
      if ("chunks" in answer) throw new Error("a whole answer was asked for");
      return answer;
    },
    open: (request, limits) => sendWithRetries(request, { options, limits }),
  };
}

async function sendWithRetries(
  request: HttpRequest,
  call: { readonly options: TransportOptions; readonly limits: StreamLimits | null },
): Promise<HttpAnswer | HttpStream> {
  const { host, fetch, clock, random } = call.options;
  const timeoutMs = request.timeoutMs ?? call.options.timeoutMs;
  const totalTimeoutMs = request.totalTimeoutMs ?? call.options.totalTimeoutMs;
  const mayRepeat = request.isIdempotent && canBeSentAgain(request.body);
  const startMs = clock.now();
  const remainingMs = () => Math.max(0, totalTimeoutMs - (clock.now() - startMs));

  for (let attempt = 1; ; attempt++) {
    const attemptMs = Math.min(timeoutMs, remainingMs());
    const outcome = await sendOnce(request, {
      host,
      fetch,
      clock,
      attempt,
      attemptMs,
      remainingMs,
      limits: call.limits,
    });
    if (outcome.kind === "stream") return outcome.stream;

    const waitMs = waitBeforeRetry(outcome, { attempt, random });
    const mayRetry = mayRepeat && attempt < ATTEMPTS_MAX && waitMs !== null;
    if (mayRetry && waitMs < remainingMs()) {
      await wait(waitMs, { clock, signal: request.signal });
      continue;
    }
    if (outcome.kind === "answer") return outcome.answer;
    throw failure(outcome, {
      request,
      host,
      attempts: attempt,
      timeoutMs: attemptMs,
      hasBegun: false,
    });
  }
}

type Outcome =
  | { readonly kind: "answer"; readonly answer: HttpAnswer }
  | { readonly kind: "redirect"; readonly status: number; readonly target: string | null }
  | { readonly kind: "too-large"; readonly maxBytes: number }
  | { readonly kind: "no-answer"; readonly networkCode: string | null };

type Attempt = {
  readonly host: string;
  readonly fetch: Fetch;
  readonly clock: Clock;
  /** From 1. */
  readonly attempt: number;
  readonly attemptMs: number;
  readonly remainingMs: () => number;
  /** `null` for a whole answer. */
  readonly limits: StreamLimits | null;
};

async function sendOnce(
  request: HttpRequest,
  { host, fetch, clock, attempt, attemptMs, remainingMs, limits }: Attempt,
): Promise<Outcome | { readonly kind: "stream"; readonly stream: HttpStream }> {
  const { signal } = request;
  signal?.throwIfAborted();
  const ending = createEnding({ clock, signal });
  const upload = bodyOf(request);
  let isHandedOver = false;
  ending.afterMs(attemptMs);
  try {
    const response = await fetch(host + request.path + queryOf(request), {
      method: request.method,
      headers: { ...request.headers, ...upload.headers },
      ...upload.init,
      redirect: "manual",
      signal: ending.signal,
    });
    const { status, headers } = response;
    if (status >= 300 && status < 400) {
      await response.body?.cancel();
      const target = URL.parse(headers.get("location") ?? "", host);
      return { kind: "redirect", status, target: target?.origin ?? null };
    }
    if (limits && response.ok) {
      isHandedOver = true;
      ending.afterMs(Math.min(limits.idleTimeoutMs, remainingMs()));
      const chunks = chunksOf(response, { request, host, ending, limits, remainingMs });
      return { kind: "stream", stream: { status, headers, chunks } };
    }
    const text = await readBounded(response);
    if (text === null) return { kind: "too-large", maxBytes: ANSWER_MAX_BYTES };
    return { kind: "answer", answer: { status, headers, text, attempts: attempt } };
  } catch (error) {
    signal?.throwIfAborted();
    upload.throwIfUnreadable();
    return { kind: "no-answer", networkCode: ending.isLate() ? "TIMEOUT" : networkCodeOf(error) };
  } finally {
    if (!isHandedOver) ending.release();
  }
}

/** What can end an attempt: its caller, or a deadline, which is set anew with each call of `afterMs`. */
function createEnding(input: { readonly clock: Clock; readonly signal: AbortSignal | undefined }) {
  const controller = new AbortController();
  const stop = () => controller.abort();
  let isLate = false;
  let cancelDeadline = () => {};
  input.signal?.addEventListener("abort", stop);
  return {
    signal: controller.signal,
    isLate: () => isLate,
    afterMs(delayMs: number) {
      cancelDeadline();
      cancelDeadline = input.clock.after(delayMs, () => {
        isLate = true;
        controller.abort();
      });
    },
    never: () => cancelDeadline(),
    release() {
      cancelDeadline();
      input.signal?.removeEventListener("abort", stop);
    },
  };
}

async function* chunksOf(
  response: Response,
  {
    request,
    host,
    ending,
    limits: { idleTimeoutMs, maxBytes },
    remainingMs,
  }: {
    readonly request: HttpRequest;
    readonly host: string;
    readonly ending: ReturnType<typeof createEnding>;
    readonly limits: StreamLimits;
    readonly remainingMs: () => number;
  },
): AsyncGenerator<Uint8Array, void, undefined> {
  let waitMs = 0;
  const fail = (outcome: Exclude<Outcome, { kind: "answer" }>) =>
    failure(outcome, { request, host, attempts: 1, timeoutMs: waitMs, hasBegun: true });
  const reader = response.body?.getReader();
  let sizeBytes = 0;
  try {
    for (;;) {
      waitMs = Math.min(idleTimeoutMs, remainingMs());
      ending.afterMs(waitMs);
      const read = await reader?.read().catch((error) => {
        request.signal?.throwIfAborted();
        const networkCode = ending.isLate() ? "TIMEOUT" : networkCodeOf(error);
        throw fail({ kind: "no-answer", networkCode });
      });
      // Whoever reads may take as long as it likes over what it has got.
      ending.never();
      if (!read || read.done) return;
      sizeBytes += read.value.byteLength;
      if (sizeBytes > maxBytes) throw fail({ kind: "too-large", maxBytes });
      yield read.value;
    }
  } finally {
    ending.release();
    // An error of the connection has been told already, and a whole body has none to cancel.
    await reader?.cancel().catch(() => {});
  }
}

/** The body as `fetch` takes it. What can't be read here is told as it is, not as a failure of the network. */
function bodyOf({ body }: HttpRequest): {
  readonly init: RequestInit;
  readonly headers: Readonly<Record<string, string>>;
  throwIfUnreadable(): void;
} {
  if (body === undefined || typeof body === "string") {
    return { init: { body: body ?? null }, headers: {}, throwIfUnreadable: () => {} };
  }
  if (body instanceof Uint8Array) {
    // The cast: `fetch` takes shared memory too, only its type does not.
    const init = { body: body as Uint8Array<ArrayBuffer> };
    return { init, headers: {}, throwIfUnreadable: () => {} };
  }
  let unreadable: { readonly error: unknown } | null = null;
  async function* chunks(source: Exclude<ByteSource, Uint8Array>) {
    try {
      yield* source.open();
    } catch (error) {
      unreadable = { error };
      throw error;
    }
  }
  return {
    init: { body: ReadableStream.from(chunks(body)), duplex: "half" },
    // Otherwise it goes out in chunks without a length, which storage refuses.
    headers: { "content-length": String(sizeOf(body)) },
    throwIfUnreadable() {
      if (unreadable) throw unreadable.error;
    },
  };
}

function queryOf({ query = "" }: HttpRequest): string {
  if (typeof query === "string") return query && `?${query}`;
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const one of [value].flat()) parameters.append(name, one);
  }
  return parameters.size > 0 ? `?${parameters}` : "";
}

/** The text of a body, or `null` once it is larger than allowed. Counts unpacked bytes as they come. */
async function readBounded(response: Response): Promise<string | null> {
  if (!response.body) return "";
  const decoder = new TextDecoder();
  let text = "";
  let sizeBytes = 0;
  for await (const chunk of response.body) {
    sizeBytes += chunk.byteLength;
    // Leaving the loop cancels the body, and with it the connection.
    if (sizeBytes > ANSWER_MAX_BYTES) return null;
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

/** `null` when another attempt would bring nothing. */
function waitBeforeRetry(
  outcome: Outcome,
  { attempt, random }: { readonly attempt: number; readonly random: () => number },
): number | null {
  switch (outcome.kind) {
    case "redirect":
    case "too-large":
      return null;
    case "no-answer":
      if (!RETRY_NETWORK_CODES.includes(outcome.networkCode ?? "")) return null;
      break;
    case "answer": {
      if (!RETRY_STATUSES.includes(outcome.answer.status)) return null;
      const askedMs = retryAfterMs(outcome.answer.headers);
      if (askedMs !== null) return askedMs + random() * RETRY_AFTER_JITTER_MS;
    }
  }
  return random() * Math.min(RETRY_WAIT_MAX_MS, RETRY_BASE_MS * 2 ** (attempt - 1));
}

/** `Retry-After` in whole seconds, as Databricks sends it; `null` without one. */
export function retryAfterMs(headers: Headers): number | null {
  const seconds = headers.get("retry-after")?.trim() ?? "";
  return /^\d{1,9}$/.test(seconds) ? Math.min(Number(seconds) * 1000, RETRY_AFTER_MAX_MS) : null;
}

/** The system's code for what went wrong, which Node keeps some causes below the error of `fetch`. */
function networkCodeOf(error: unknown): string | null {
  let current = error;
  for (let depth = 0; depth < 5 && current instanceof Error; depth++) {
    if ("code" in current && typeof current.code === "string") return current.code;
    current = current instanceof AggregateError ? current.errors[0] : current.cause;
  }
  return null;
}

type FailureContext = {
  readonly host: string;
  readonly attempts: number;
  readonly timeoutMs: number;
  /** Whether a part of the answer had come. */
  readonly hasBegun: boolean;
};

function failure(
  outcome: Exclude<Outcome, { kind: "answer" }>,
  context: FailureContext & { readonly request: HttpRequest },
): DatabricksError {
  const { request, host } = context;
  const call: FailedCall = {
    method: request.method,
    path: request.path,
    host,
    status: outcome.kind === "redirect" ? outcome.status : null,
    errorCode: null,
    details: [],
    requestId: null,
    retryAfterMs: null,
    networkCode: outcome.kind === "no-answer" ? outcome.networkCode : null,
  };
  const { code, what, hint } = explain(outcome, context);
  const message = `cannot ${request.purpose}: ${request.method} ${request.path} on ${host} ${what}`;
  return new DatabricksError(code, message, { hint, call });
}

function explain(
  outcome: Exclude<Outcome, { kind: "answer" }>,
  context: FailureContext,
): { readonly code: ErrorCode; readonly what: string; readonly hint: string } {
  switch (outcome.kind) {
    case "redirect":
      return {
        code: "DATABRICKS_FAILED",
        what: `answered ${outcome.status}, a redirect to ${outcome.target ?? "nowhere"}, which is not followed so that the token stays here`,
        hint: "Check that the host is the address of the workspace itself, without a sign-in page or gateway in front of it.",
      };
    case "too-large":
      return {
        code: "DATABRICKS_FAILED",
        what: `answered with more than ${outcome.maxBytes / 1024 / 1024} MiB, the most that is read`,
        hint: "Ask for less at once, or check that the host is a Databricks workspace.",
      };
    case "no-answer": {
      const tries = context.attempts === 1 ? "" : `, at the last of ${context.attempts} attempts`;
      const { what, hint } = explainNetwork(outcome.networkCode, context);
      return { code: "DATABRICKS_UNREACHABLE", what: `${what}${tries}`, hint };
    }
  }
}

function explainNetwork(
  networkCode: string | null,
  { host, timeoutMs, hasBegun }: FailureContext,
): { readonly what: string; readonly hint: string } {
  const route =
    "Check the network between here and the workspace: firewall, VPN or private link. Behind a proxy, set HTTPS_PROXY and NODE_USE_ENV_PROXY=1.";
  switch (networkCode) {
    case "TIMEOUT": {
      const what = hasBegun ? "did not go on with its answer for" : "gave no whole answer within";
      return { what: `${what} ${Number((timeoutMs / 1000).toFixed(1))} s`, hint: route };
    }
    case "ENOTFOUND":
      return {
        what: `found no such host (ENOTFOUND)`,
        hint: `Check the spelling of ${host}, and that its name can be resolved here.`,
      };
    case "UND_ERR_REQ_CONTENT_LENGTH_MISMATCH":
      return {
        what: "could not be sent: there is more or less of it than its size says",
        hint: "Nothing may write to a file while it is uploaded; then try again.",
      };
    case "ECONNREFUSED":
      return {
        what: "was refused by the host (ECONNREFUSED)",
        hint: `Check that ${host} is the address of the workspace. ${route}`,
      };
    case "ECONNRESET":
    case "EPIPE":
    case "UND_ERR_SOCKET":
      return {
        what: `lost the connection before the answer was whole (${networkCode})`,
        hint: route,
      };
    default:
      if (networkCode !== null && /CERT|TLS|SSL|SIGNATURE|EPROTO/.test(networkCode)) {
        return {
          what: `could not be sent: the TLS certificate of the host is not trusted (${networkCode})`,
          hint: "Where a proxy replaces certificates, set NODE_EXTRA_CA_CERTS to the file of its authority. Nothing was sent.",
        };
      }
      return { what: `got no answer (${networkCode ?? "unknown network error"})`, hint: route };
  }
}
