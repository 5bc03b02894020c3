/**
 * Sends one HTTP request to one workspace and brings back the whole answer, or
 * says why there is none. Every wait is bounded: each attempt, all of them
 * together, and the size of the answer. A request is repeated only when doing it
 * twice is harmless. A redirect is never followed, since that would hand the
 * token to whoever it points to.
 */
import type { Clock } from "../clock.ts";
import type { ErrorCode } from "../monitor-error.ts";
import { DatabricksError, type FailedCall } from "./databricks-error.ts";

/** A list of values is sent as the parameter repeated. Text is sent as it is: who signed it did so byte by byte. */
export type Query = string | Readonly<Record<string, string | readonly string[]>>;

export type HttpRequest = {
  /** What is tried, as it reads after "cannot", such as `list the serving endpoints`. */
  readonly purpose: string;
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  readonly query?: Query | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  /** Whether sending it twice has the effect of sending it once. */
  readonly isIdempotent: boolean;
  readonly signal?: AbortSignal | undefined;
};

export type HttpAnswer = {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
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
  return { host: options.host, send: (request) => sendWithRetries(request, options) };
}

async function sendWithRetries(request: HttpRequest, options: TransportOptions) {
  const { clock, random, timeoutMs, totalTimeoutMs } = options;
  const startMs = clock.now();
  const remainingMs = () => totalTimeoutMs - (clock.now() - startMs);

  for (let attempt = 1; ; attempt++) {
    const attemptMs = Math.max(0, Math.min(timeoutMs, remainingMs()));
    const outcome = await sendOnce(request, { ...options, timeoutMs: attemptMs });

    const waitMs = waitBeforeRetry(outcome, { attempt, random });
    const mayRetry = request.isIdempotent && attempt < ATTEMPTS_MAX && waitMs !== null;
    if (mayRetry && waitMs < remainingMs()) {
      await wait(waitMs, { clock, signal: request.signal });
      continue;
    }
    if (outcome.kind === "answer") return outcome.answer;
    throw failure(outcome, {
      request,
      host: options.host,
      attempts: attempt,
      timeoutMs: attemptMs,
    });
  }
}

type Outcome =
  | { readonly kind: "answer"; readonly answer: HttpAnswer }
  | { readonly kind: "redirect"; readonly status: number; readonly target: string | null }
  | { readonly kind: "too-large" }
  | { readonly kind: "no-answer"; readonly networkCode: string | null };

async function sendOnce(request: HttpRequest, options: TransportOptions): Promise<Outcome> {
  const { signal } = request;
  signal?.throwIfAborted();

  const controller = new AbortController();
  const stop = () => controller.abort();
  signal?.addEventListener("abort", stop);
  let isLate = false;
  const cancelDeadline = options.clock.after(options.timeoutMs, () => {
    isLate = true;
    controller.abort();
  });

  try {
    const response = await options.fetch(options.host + request.path + queryOf(request), {
      method: request.method,
      headers: { ...request.headers },
      body: request.body ?? null,
      redirect: "manual",
      signal: controller.signal,
    });
    if (response.status >= 300 && response.status < 400) {
      await response.body?.cancel();
      const target = URL.parse(response.headers.get("location") ?? "", options.host);
      return { kind: "redirect", status: response.status, target: target?.origin ?? null };
    }
    const text = await readBounded(response);
    if (text === null) return { kind: "too-large" };
    return { kind: "answer", answer: { status: response.status, headers: response.headers, text } };
  } catch (error) {
    signal?.throwIfAborted();
    return { kind: "no-answer", networkCode: isLate ? "TIMEOUT" : networkCodeOf(error) };
  } finally {
    cancelDeadline();
    signal?.removeEventListener("abort", stop);
  }
}

function queryOf({ query = "" }: HttpRequest): string {
  if (typeof query === "string") return query && `?${query}`;
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const one of [value].flat()) parameters.append(name, one);
  }
  return `?${parameters}`;
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

function wait(
  delayMs: number,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal | undefined },
): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      cancel();
      reject(signal?.reason);
    };
    const cancel = clock.after(delayMs, () => {
      signal?.removeEventListener("abort", stop);
      resolve();
    });
    signal?.addEventListener("abort", stop, { once: true });
    if (signal?.aborted) stop();
  });
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

function failure(
  outcome: Exclude<Outcome, { kind: "answer" }>,
  context: {
    readonly request: HttpRequest;
    readonly host: string;
    readonly attempts: number;
    readonly timeoutMs: number;
  },
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
  context: { readonly host: string; readonly attempts: number; readonly timeoutMs: number },
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
        what: `answered with more than ${ANSWER_MAX_BYTES / 1024 / 1024} MiB, the most that is read`,
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
  { host, timeoutMs }: { readonly host: string; readonly timeoutMs: number },
): { readonly what: string; readonly hint: string } {
  const route =
    "Check the network between here and the workspace: firewall, VPN or private link. Behind a proxy, set HTTPS_PROXY and NODE_USE_ENV_PROXY=1.";
  switch (networkCode) {
    case "TIMEOUT":
      return { what: `gave no whole answer within ${timeoutMs / 1000} s`, hint: route };
    case "ENOTFOUND":
      return {
        what: `found no such host (ENOTFOUND)`,
        hint: `Check the spelling of ${host}, and that its name can be resolved here.`,
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
