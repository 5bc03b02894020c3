/**
 * The client for one Databricks workspace. It adds the token, and turns answers
 * into values and failures into a `DatabricksError` that says what was tried. One
 * file per API stands beside it and knows the paths and shapes.
 */
import type { Clock } from "../clock.ts";
import type { ApiPath } from "./api-path.ts";
import type { Credentials, SignIn } from "./credentials.ts";
import { type CallContext, type JsonAnswer, parseJson, statusError } from "./read-answer.ts";
import { createTokenSource } from "./token-source.ts";
import {
  createTransport,
  type Fetch,
  type HttpAnswer,
  type HttpRequest,
  type Query,
} from "./transport.ts";

export type CallOptions = {
  /** What is tried, as it reads after "cannot", such as `list the serving endpoints`. */
  readonly purpose: string;
  readonly query?: Query;
  /** What to grant, as a sentence, should the answer be 403. */
  readonly permission?: string;
  readonly signal?: AbortSignal | undefined;
};

export type TextOptions = CallOptions & {
  /** `text/plain` by default. */
  readonly accept?: string;
};

export type PostOptions = CallOptions & {
  /** Whether doing it twice is harmless; only then is it retried. By default it is not. */
  readonly isIdempotent?: boolean;
};

/**
 * Every call rejects with a `DatabricksError`, whose codes are
 * `DATABRICKS_UNAUTHENTICATED`, `DATABRICKS_FORBIDDEN`, `DATABRICKS_UNREACHABLE`
 * and `DATABRICKS_FAILED`, or with the reason of its aborted `signal`.
 */
export type DatabricksClient = {
  readonly host: string;
  /** Where the credentials come from, such as `environment` or `profile prod`. */
  readonly source: string;
  getJson(path: ApiPath, options: CallOptions): Promise<JsonAnswer>;
  getText(path: ApiPath, options: TextOptions): Promise<string>;
  postJson(path: ApiPath, body: unknown, options: PostOptions): Promise<JsonAnswer>;
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
};

const DEFAULT_TIMEOUT_MS = 30_000;
const DEFAULT_TOTAL_TIMEOUT_MS = 60_000;

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

  async function call(
    request: HttpRequest,
    { permission }: CallOptions,
  ): Promise<{ answer: HttpAnswer; context: CallContext }> {
    const send = async () => {
      const token = await tokens.token();
      const headers = {
        ...request.headers,
        ...(token && { authorization: `Bearer ${token.reveal()}` }),
        "user-agent": "dspy-databricks-agents",
      };
      return { token, answer: await transport.send({ ...request, headers }) };
    };

    let { token, answer } = await send();
    // A refused call was not done, so any may be repeated with a new token, once.
    if (answer.status === 401 && token && tokens.refused(token)) ({ token, answer } = await send());

    const context: CallContext = { host, source, secrets: tokens.secrets, permission };
    if (answer.status < 200 || answer.status >= 300)
      throw statusError(answer, { request, context });
    return { answer, context };
  }

  async function json(request: HttpRequest, options: CallOptions): Promise<JsonAnswer> {
    const { answer, context } = await call(request, options);
    return parseJson(answer, { request, context });
  }

  return {
    host,
    source,
    getJson: (path, options) =>
      json(get(path, { ...options, accept: "application/json" }), options),
    async getText(path, options) {
      const { answer } = await call(get(path, { accept: "text/plain", ...options }), options);
      return answer.text;
    },
    postJson: (path, body, options) =>
      json(
        {
          purpose: options.purpose,
          method: "POST",
          path,
          query: options.query,
          headers: { accept: "application/json", "content-type": "application/json" },
          body: JSON.stringify(body),
          isIdempotent: options.isIdempotent ?? false,
          signal: options.signal,
        },
        options,
      ),
  };
}

function get(path: ApiPath, options: TextOptions & { readonly accept: string }): HttpRequest {
  return {
    purpose: options.purpose,
    method: "GET",
    path,
    query: options.query,
    headers: { accept: options.accept },
    isIdempotent: true,
    signal: options.signal,
  };
}
