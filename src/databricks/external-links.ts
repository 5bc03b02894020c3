/**
 * Addresses outside the workspace that Databricks hands out: parts of a large
 * result, files of a trace, places to upload to. Their signature is their whole
 * permission and stands in the query, so no token goes there, and no error quotes it.
 */
import type { Clock } from "../clock.ts";
import { isLoopback } from "./credentials.ts";
import { DatabricksError } from "./databricks-error.ts";
import { parseExactJson } from "./exact-json.ts";
import {
  createTransport,
  type Fetch,
  type HttpAnswer,
  type HttpRequest,
  retryAfterMs,
} from "./transport.ts";
import { type ByteSource, uploadTimeMs } from "./upload.ts";

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
  getJson(link: ExternalLink, options: LinkOptions): Promise<unknown>;
  put(link: ExternalLink, bytes: ByteSource, options: LinkOptions): Promise<void>;
};

const TIMEOUT_MS = 30_000;
const TOTAL_TIMEOUT_MS = 60_000;

export function createExternalLinks(input: {
  readonly fetch: Fetch;
  readonly clock: Clock;
  readonly random: () => number;
}): ExternalLinks {
  async function send(
    link: ExternalLink,
    { purpose, signal }: LinkOptions,
    { method, bytes }: { readonly method: "GET" | "PUT"; readonly bytes?: ByteSource },
  ): Promise<Sent> {
    const url = new URL(link.url);
    const sendMs = uploadTimeMs(bytes);
    const transport = createTransport({
      fetch: input.fetch,
      clock: input.clock,
      random: input.random,
      host: url.origin,
      timeoutMs: TIMEOUT_MS + sendMs,
      totalTimeoutMs: TOTAL_TIMEOUT_MS + 2 * sendMs,
    });
    const request: HttpRequest = {
      purpose,
      method,
      path: url.pathname,
      query: url.search.slice(1),
      headers: link.headers ?? {},
      body: bytes,
      isIdempotent: true,
      signal,
    };
    const sent: Sent = { request, host: url.origin, answer: await transport.send(request) };
    if (sent.answer.status >= 200 && sent.answer.status < 300) return sent;
    throw failure(sent, {
      what: "",
      hint: "The storage behind the workspace refused it: check the network rules between here and it.",
    });
  }

  return {
    getText: async (link, options) => (await send(link, options, { method: "GET" })).answer.text,
    async getJson(link, options) {
      const sent = await send(link, options, { method: "GET" });
      try {
        return parseExactJson(sent.answer.text);
      } catch {
        // The parser's own error quotes the body, so it goes no further.
        throw failure(sent, {
          what: ", but it is not JSON",
          hint: "Check that no gateway answers in place of the storage behind the workspace.",
        });
      }
    },
    async put(link, bytes, options) {
      await send(link, options, { method: "PUT", bytes });
    },
  };
}

/** Whether it can be followed: over TLS, or to this machine, where a workspace for tests may run. */
export function isSafeLink(url: string | null): url is string {
  const parsed = URL.parse(url ?? "");
  const isHere = parsed !== null && isLoopback(parsed.hostname);
  return parsed?.protocol === "https:" || (parsed?.protocol === "http:" && isHere);
}

type Sent = { readonly request: HttpRequest; readonly host: string; readonly answer: HttpAnswer };

function failure(
  { request: { purpose, method, path }, host, answer }: Sent,
  { what, hint }: { readonly what: string; readonly hint: string },
): DatabricksError {
  return new DatabricksError(
    "DATABRICKS_FAILED",
    `cannot ${purpose}: ${method} ${path} on ${host} answered ${answer.status}${what}`,
    {
      hint,
      call: {
        method,
        path,
        host,
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
