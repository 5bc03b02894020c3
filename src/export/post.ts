/**
 * One HTTP request to a receiver of metrics, and what came of it. Bounded in time
 * and in the size of the answer. A redirect is not followed, since that would hand
 * the token to whoever it points to. Never throws, so that no header, and no token
 * in one, can get into an error.
 */
import type { Clock } from "../clock.ts";

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export type Outcome =
  | {
      readonly kind: "answer";
      readonly status: number;
      readonly retryAfterMs: number | null;
      readonly body: Uint8Array;
    }
  | { readonly kind: "redirect"; readonly status: number }
  | { readonly kind: "too_large" }
  /** `code` is the system's, such as `ECONNREFUSED`, or `TIMEOUT`. */
  | { readonly kind: "no_answer"; readonly code: string };

export type Request = {
  readonly method: "GET" | "POST";
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array<ArrayBuffer> | string;
};

export type SendOptions = {
  readonly fetch: Fetch;
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly answerMaxBytes: number;
  readonly signal?: AbortSignal;
};

/** Longest wait that is taken from `Retry-After`, in milliseconds. */
export const RETRY_AFTER_MAX_MS = 300_000;

export async function send(request: Request, options: SendOptions): Promise<Outcome> {
  const controller = new AbortController();
  const abort = () => controller.abort();
  let isLate = false;
  const cancelDeadline = options.clock.after(options.timeoutMs, () => {
    isLate = true;
    abort();
  });
  options.signal?.addEventListener("abort", abort, { once: true });
  if (options.signal?.aborted) abort();
  try {
    const { url, method, headers, body = null } = request;
    const response = await options.fetch(url, {
      method,
      headers,
      body,
      redirect: "manual",
      signal: controller.signal,
    });
    const { status } = response;
    if (status >= 300 && status < 400) {
      await response.body?.cancel();
      return { kind: "redirect", status };
    }
    const answer = await readBounded(response, options.answerMaxBytes);
    if (answer === null) return { kind: "too_large" };
    const retryAfterMs = retryAfterOf(response.headers, options.clock.now());
    return { kind: "answer", status, retryAfterMs, body: answer };
  } catch (error) {
    return { kind: "no_answer", code: isLate ? "TIMEOUT" : networkCodeOf(error) };
  } finally {
    cancelDeadline();
    options.signal?.removeEventListener("abort", abort);
  }
}

async function readBounded(response: Response, maxBytes: number): Promise<Uint8Array | null> {
  if (!response.body) return new Uint8Array(0);
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of response.body) {
    sizeBytes += chunk.byteLength;
    // Leaving the loop cancels the body, and with it the connection.
    if (sizeBytes > maxBytes) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Seconds or a date; `null` without one. */
function retryAfterOf(headers: Headers, nowMs: number): number | null {
  const text = headers.get("retry-after")?.trim() ?? "";
  if (text === "") return null;
  const waitMs = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - nowMs;
  return Number.isNaN(waitMs) ? null : Math.min(Math.max(0, waitMs), RETRY_AFTER_MAX_MS);
}

/** Node keeps the system's code some causes below the error of `fetch`. Its message is not read. */
function networkCodeOf(error: unknown): string {
  let current = error;
  for (let depth = 0; depth < 5 && current instanceof Error; depth++) {
    if ("code" in current && typeof current.code === "string") return current.code;
    current = current instanceof AggregateError ? current.errors[0] : current.cause;
  }
  return "unknown network failure";
}

/** Resolves after this time, or at once when `signal` is aborted. */
export function wait(
  delayMs: number,
  { clock, signal }: { readonly clock: Clock; readonly signal?: AbortSignal },
): Promise<void> {
  return new Promise((resolve) => {
    const finish = () => {
      cancel();
      signal?.removeEventListener("abort", finish);
      resolve();
    };
    const cancel = clock.after(delayMs, finish);
    signal?.addEventListener("abort", finish, { once: true });
    if (signal?.aborted) finish();
  });
}
