/**
 * The client for one Databricks workspace. It adds the token, and turns answers
 * into values and failures into a `DatabricksError` that says what was tried. One
 * file per API stands beside it and knows the paths and shapes: what is sent has
 * Databricks' own names, so that an example of its documentation can be used as it
 * is; what comes back is read into types of ours, where what is not known is `null`.
 */
import type { Clock } from "../clock.ts";
import type { ApiPath } from "./api-path.ts";
import type { Credentials, SignIn } from "./credentials.ts";
import { DatabricksError } from "./databricks-error.ts";
import { writeExactJson } from "./exact-json.ts";
import { createExternalLinks, type ExternalLinks } from "./external-links.ts";
import {
  type CallContext,
  type JsonAnswer,
  parseJson,
  statusError,
  unusableAnswer,
} from "./read-answer.ts";
import type { Secret } from "./secret.ts";
import { EVENT_MAX_CHARS, readEvents, type ServerSentEvent } from "./server-sent-events.ts";
import { createTokenSource } from "./token-source.ts";
import {
  createTransport,
  type Fetch,
  type HttpAnswer,
  type HttpRequest,
  type HttpStream,
  type Query,
} from "./transport.ts";
import { type ByteSource, canBeSentAgain, uploadTimeMs } from "./upload.ts";

/** What ends a call early. Every function of an API takes these. */
export type CallLimits = {
  /** For one attempt, from connecting to the last byte, where the client's own is not right. */
  readonly timeoutMs?: number | undefined;
  /** For all attempts and the waits between them. */
  readonly totalTimeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
};

export type CallOptions = CallLimits & {
  /** What is tried, as it reads after "cannot", such as `list the serving endpoints`. */
  readonly purpose: string;
  readonly query?: Query | undefined;
  /** What to grant, as a sentence, should the answer be 403. */
  readonly permission?: string;
  /** What is sent and must stand in no error, should the answer repeat it. */
  readonly secrets?: readonly Secret[];
};

export type TextOptions = CallOptions & {
  /** `text/plain` by default. */
  readonly accept?: string;
};

export type ChangeOptions = CallOptions & {
  /**
   * Whether doing it twice is harmless; only then is it retried. By default PUT and
   * DELETE are, POST and PATCH are not.
   */
  readonly isIdempotent?: boolean | undefined;
};

export type DeleteOptions = ChangeOptions & {
  /** Some of MLflow's calls say in JSON what to delete. */
  readonly body?: unknown;
};

export type BytesOptions = CallOptions & {
  /** Largest body. */
  readonly maxBytes: number;
  /** Longest wait for the next bytes. 30 s by default. */
  readonly idleTimeoutMs?: number;
  /** Such as `{ range: "bytes=0-99" }`. */
  readonly headers?: Readonly<Record<string, string>>;
};

export type EventsOptions = CallOptions & {
  /** Longest wait for the next bytes, the first of all included. 2 minutes by default. */
  readonly idleTimeoutMs?: number | undefined;
};

/**
 * Every call rejects with a `DatabricksError`, whose codes are
 * `DATABRICKS_UNAUTHENTICATED`, `DATABRICKS_FORBIDDEN`, `DATABRICKS_UNREACHABLE`
 * and `DATABRICKS_FAILED`, or with the reason of its aborted `signal`.
 *
 * Bodies are written, and answers read, with all digits: see `exact-json.ts`.
 */
export type DatabricksClient = {
  readonly host: string;
  /** Where the credentials come from, such as `environment` or `profile prod`. */
  readonly source: string;
  /** Of its deadlines; what waits between calls waits by it, too. */
  readonly clock: Clock;
  getJson(path: ApiPath, options: CallOptions): Promise<JsonAnswer>;
  getText(path: ApiPath, options: TextOptions): Promise<string>;
  /** Resolves once the head of the answer is there. What breaks off after it is not asked for again. */
  getBytes(path: ApiPath, options: BytesOptions): Promise<HttpStream>;
  head(path: ApiPath, options: CallOptions): Promise<Headers>;
  /** With an empty record, as the official clients send it, for what is told to happen. The answer may be empty. */
  post(path: ApiPath, options: ChangeOptions): Promise<void>;
  postJson(path: ApiPath, body: unknown, options: ChangeOptions): Promise<JsonAnswer>;
  /**
   * What an answer tells while it is being made. Nothing is sent before the first
   * event is asked for; leaving the loop ends the call. An answer that is not a
   * stream, but comes whole, is the only event.
   */
  postEvents(path: ApiPath, body: unknown, options: EventsOptions): AsyncIterable<ServerSentEvent>;
  /** Without a body, for what is made by its name alone. The answer may be empty. */
  put(path: ApiPath, options: ChangeOptions): Promise<void>;
  putJson(path: ApiPath, body: unknown, options: ChangeOptions): Promise<JsonAnswer>;
  /** Without a deadline of its own, one that leaves time for 256 KiB in each second. */
  putBytes(path: ApiPath, bytes: ByteSource, options: ChangeOptions): Promise<void>;
  patchJson(path: ApiPath, body: unknown, options: ChangeOptions): Promise<JsonAnswer>;
  /** What is gone after a broken connection is taken to be deleted. */
  delete(path: ApiPath, options: DeleteOptions): Promise<void>;
  /** Addresses elsewhere that Databricks signed. The token never goes there. */
  readonly external: ExternalLinks;
};

export type DatabricksClientOptions = {
  /** Without `signIn` nothing is: for a server that asks for none, such as an MLflow server. */
  readonly credentials: Omit<Credentials, "signIn"> & { readonly signIn: SignIn | null };
  readonly fetch: Fetch;
  readonly clock: Clock;
  /** From 0 to 1, as `Math.random`. */
  readonly random: () => number;
  /** For one attempt, from connecting to the last byte. 30 s by default. */
  readonly timeoutMs?: number;
  /** For all attempts of a call and the waits between them. 60 s by default. */
  readonly totalTimeoutMs?: number;
  /** Tells every failure in other words, for another server with the same API. */
  readonly inOtherWords?: (error: DatabricksError) => DatabricksError;
};

const DEFAULT_TIMEOUT_MS = 30_000;
const DEFAULT_TOTAL_TIMEOUT_MS = 60_000;
const DEFAULT_IDLE_TIMEOUT_MS = 30_000;
/** An agent may think before its first word. */
const DEFAULT_EVENTS_IDLE_TIMEOUT_MS = 120_000;
/** Databricks ends an execution after 597 s. */
const DEFAULT_EVENTS_TOTAL_TIMEOUT_MS = 600_000;
/** A download without a deadline of its own; the idle deadline ends it sooner when nothing comes. */
const DEFAULT_BYTES_TOTAL_TIMEOUT_MS = 3_600_000;
/** Largest stream of events. */
const EVENTS_MAX_BYTES = 64 * 1024 * 1024;

export function createDatabricksClient(options: DatabricksClientOptions): DatabricksClient {
  const { credentials, clock } = options;
  const { host, source } = credentials;
  const transport = createTransport({
    host,
    fetch: options.fetch,
    clock,
    random: options.random,
    timeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
    totalTimeoutMs: options.totalTimeoutMs ?? DEFAULT_TOTAL_TIMEOUT_MS,
  });
  const tokens = createTokenSource({ signIn: credentials.signIn, source, transport, clock });

  async function withToken<Answer extends HttpAnswer | HttpStream>(
    request: HttpRequest,
    send: (request: HttpRequest) => Promise<Answer>,
  ): Promise<Answer> {
    const sendSigned = async () => {
      const token = await tokens.token();
      const headers = {
        ...request.headers,
        ...(token && { authorization: `Bearer ${token.reveal()}` }),
        "user-agent": "dspy-databricks-agents",
      };
      const answer = await send({ ...request, headers }).catch((error) => {
        throw error instanceof DatabricksError ? (options.inOtherWords?.(error) ?? error) : error;
      });
      return { token, answer };
    };

    const { token, answer } = await sendSigned();
    // A refused call was not done, so any may be repeated with a new token, once.
    const mayRepeat = answer.status === 401 && canBeSentAgain(request.body);
    if (mayRepeat && token && tokens.refused(token)) return (await sendSigned()).answer;
    return answer;
  }

  const contextOf = ({ permission, secrets = [] }: CallOptions): CallContext => ({
    host,
    source,
    secrets: () => [...tokens.secrets(), ...secrets],
    permission,
    inOtherWords: options.inOtherWords,
  });
  const isGood = ({ status }: HttpAnswer | HttpStream) => status >= 200 && status < 300;

  async function whole(request: HttpRequest, options: CallOptions): Promise<HttpAnswer> {
    const answer = await withToken(request, transport.send);
    if (isGood(answer)) return answer;
    throw statusError(answer, { request, context: contextOf(options) });
  }

  async function stream(
    request: HttpRequest,
    options: CallOptions & { readonly idleTimeoutMs: number; readonly maxBytes: number },
  ): Promise<HttpStream> {
    const answer = await withToken(request, (signed) => transport.open(signed, options));
    if ("chunks" in answer) return answer;
    throw statusError(answer, { request, context: contextOf(options) });
  }

  async function json(request: HttpRequest, options: CallOptions): Promise<JsonAnswer> {
    const answer = await whole(request, options);
    return parseJson(answer, { request, context: contextOf(options) });
  }

  /** For calls whose success is all there is to know; but a sign-in page is no success. */
  async function done(request: HttpRequest, options: CallOptions): Promise<void> {
    const answer = await whole(request, options);
    if (answer.text !== "") parseJson(answer, { request, context: contextOf(options) });
  }

  async function* events(path: ApiPath, body: unknown, options: EventsOptions) {
    const idleTimeoutMs = options.idleTimeoutMs ?? DEFAULT_EVENTS_IDLE_TIMEOUT_MS;
    const request: HttpRequest = {
      ...requestOf("POST", path, {
        timeoutMs: idleTimeoutMs,
        totalTimeoutMs: DEFAULT_EVENTS_TOTAL_TIMEOUT_MS,
        ...options,
      }),
      headers: {
        accept: "text/event-stream, application/json;q=0.5",
        "content-type": "application/json",
      },
      body: writeExactJson(body),
      isIdempotent: false,
    };
    const answer = await stream(request, { ...options, idleTimeoutMs, maxBytes: EVENTS_MAX_BYTES });
    const unusable = (what: string) =>
      unusableAnswer(what, answer, { request, context: contextOf(options) });
    const type = answer.headers.get("content-type") ?? "";
    if (/^text\/event-stream\b/i.test(type)) {
      const tooLong = () =>
        unusable(`has an event of more than ${EVENT_MAX_CHARS / 1024 / 1024} Mi characters`);
      yield* readEvents(answer.chunks, { tooLong });
      return;
    }
    if (!/\bjson\b/i.test(type)) throw unusable(`is neither a stream of events nor JSON`);
    yield { event: "message", data: await textOfChunks(answer.chunks), id: null };
  }

  return {
    host,
    source,
    clock,
    getJson: (path, options) =>
      json(get(path, { ...options, accept: "application/json" }), options),
    async getText(path, options) {
      const answer = await whole(get(path, { accept: "text/plain", ...options }), options);
      return answer.text;
    },
    getBytes: (path, options) =>
      stream(
        {
          ...get(path, {
            totalTimeoutMs: DEFAULT_BYTES_TOTAL_TIMEOUT_MS,
            ...options,
            accept: "application/octet-stream",
          }),
          headers: { accept: "application/octet-stream", ...options.headers },
        },
        { ...options, idleTimeoutMs: options.idleTimeoutMs ?? DEFAULT_IDLE_TIMEOUT_MS },
      ),
    async head(path, options) {
      return (await whole(requestOf("HEAD", path, options), options)).headers;
    },
    postJson: (path, body, options) => json(withBody("POST", path, body, options), options),
    post: (path, options) => done(withBody("POST", path, {}, options), options),
    postEvents: events,
    put: (path, options) => done(requestOf("PUT", path, options), options),
    putJson: (path, body, options) => json(withBody("PUT", path, body, options), options),
    putBytes: (path, bytes, options) => {
      const request = requestOf("PUT", path, { ...uploadTimeouts(bytes), ...options });
      const headers = { ...request.headers, "content-type": "application/octet-stream" };
      return done({ ...request, headers, body: bytes }, options);
    },
    patchJson: (path, body, options) => json(withBody("PATCH", path, body, options), options),
    async delete(path, options) {
      const request =
        options.body === undefined
          ? requestOf("DELETE", path, options)
          : withBody("DELETE", path, options.body, options);
      const answer = await withToken(request, transport.send);
      if (answer.status === 404 && answer.attempts > 1) return;
      if (!isGood(answer)) throw statusError(answer, { request, context: contextOf(options) });
    },
    external: createExternalLinks(options),
  };
}

function requestOf(
  method: HttpRequest["method"],
  path: ApiPath,
  options: ChangeOptions,
): HttpRequest {
  return {
    purpose: options.purpose,
    method,
    path,
    query: options.query,
    headers: { accept: "application/json" },
    isIdempotent: options.isIdempotent ?? (method !== "POST" && method !== "PATCH"),
    timeoutMs: options.timeoutMs,
    totalTimeoutMs: options.totalTimeoutMs,
    signal: options.signal,
  };
}

function get(path: ApiPath, options: TextOptions & { readonly accept: string }): HttpRequest {
  return { ...requestOf("GET", path, options), headers: { accept: options.accept } };
}

function withBody(
  method: HttpRequest["method"],
  path: ApiPath,
  body: unknown,
  options: ChangeOptions,
): HttpRequest {
  return {
    ...requestOf(method, path, options),
    headers: { accept: "application/json", "content-type": "application/json" },
    body: writeExactJson(body),
  };
}

function uploadTimeouts(bytes: ByteSource) {
  const sendMs = uploadTimeMs(bytes);
  return {
    timeoutMs: DEFAULT_TIMEOUT_MS + sendMs,
    totalTimeoutMs: DEFAULT_TOTAL_TIMEOUT_MS + 2 * sendMs,
  };
}

async function textOfChunks(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of chunks) text += decoder.decode(chunk, { stream: true });
  return text + decoder.decode();
}
