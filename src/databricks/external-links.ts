/**
 * Addresses outside the workspace that Databricks hands out: parts of a large
 * result, files of a trace, places to upload to. Their signature is their whole
 * permission and stands in the query, so no token goes there, and no error quotes it.
 */
import type { Clock } from "../clock.ts";
import { isLoopback } from "./credentials.ts";
import { DatabricksError } from "./databricks-error.ts";
import { createTransport, type Fetch, type HttpRequest, retryAfterMs } from "./transport.ts";
import { type ByteSource, sizeOf } from "./upload.ts";

export type ExternalLink = {
  readonly url: string;
  /** What Databricks says must go along. */
  readonly headers?: Readonly<Record<string, string>>;
};

type LinkOptions = {
  readonly purpose: string;
  readonly signal?: AbortSignal | undefined;
};

/** Every call rejects with a `DatabricksError`, or with the reason of its aborted `signal`. */
export type ExternalLinks = {
  getText(link: ExternalLink, options: LinkOptions): Promise<string>;
  put(link: ExternalLink, bytes: ByteSource, options: LinkOptions): Promise<void>;
};

const TIMEOUT_MS = 30_000;
const TOTAL_TIMEOUT_MS = 60_000;
/** A slower upload is given up. */
const UPLOAD_MIN_BYTES_PER_S = 256 * 1024;

export function createExternalLinks(input: {
  readonly fetch: Fetch;
  readonly clock: Clock;
  readonly random: () => number;
}): ExternalLinks {
  async function send(
    link: ExternalLink,
    { purpose, signal }: LinkOptions,
    { method, body }: Pick<HttpRequest, "method" | "body">,
  ): Promise<string> {
    const url = new URL(link.url);
    const sizeBytes = typeof body === "object" ? sizeOf(body) : 0;
    const sendMs = Math.ceil(sizeBytes / UPLOAD_MIN_BYTES_PER_S) * 1000;
    const transport = createTransport({
      fetch: input.fetch,
      clock: input.clock,
      random: input.random,
      host: url.origin,
      timeoutMs: TIMEOUT_MS + sendMs,
      totalTimeoutMs: TOTAL_TIMEOUT_MS + 2 * sendMs,
    });
    const answer = await transport.send({
      purpose,
      method,
      path: url.pathname,
      query: url.search.slice(1),
      headers: link.headers ?? {},
      body,
      isIdempotent: true,
      signal,
    });
    if (answer.status >= 200 && answer.status < 300) return answer.text;
    throw new DatabricksError(
      "DATABRICKS_FAILED",
      `cannot ${purpose}: ${method} ${url.pathname} on ${url.origin} answered ${answer.status}`,
      {
        hint: "The storage behind the workspace refused it: check the network rules between here and it.",
        call: {
          method,
          path: url.pathname,
          host: url.origin,
          status: answer.status,
          errorCode: null,
          details: [],
          requestId: null,
          retryAfterMs: retryAfterMs(answer.headers),
          networkCode: null,
        },
      },
    );
  }

  return {
    getText: (link, options) => send(link, options, { method: "GET" }),
    async put(link, bytes, options) {
      await send(link, options, { method: "PUT", body: bytes });
    },
  };
}

/** Whether it can be followed: over TLS, or to this machine, where a workspace for tests may run. */
export function isSafeLink(url: string | null): url is string {
  const parsed = URL.parse(url ?? "");
  return (
    parsed?.protocol === "https:" || (parsed?.protocol === "http:" && isLoopback(parsed.hostname))
  );
}
