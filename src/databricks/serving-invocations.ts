/**
 * Asks a served model or agent. That costs, and may do things in the world: nothing
 * here is sent twice unless the caller says that it may be.
 *
 * Source: databricks-sdk-py 0.156.0, `ServingEndpointsAPI.query`; for what agents take
 * and send, MLflow 3.17.2, `mlflow.types.responses`.
 */
import { apiPath } from "./api-path.ts";
import type { CallLimits, DatabricksClient } from "./client.ts";
import { textOf } from "./json-fields.ts";

/**
 * What is asked, in the form that the model takes: `{ messages }` for chat, `{ input }`
 * for an agent, `{ dataframe_records }`, `{ dataframe_split }`, `{ inputs }` or
 * `{ instances }` for other models.
 */
export type Invocation = Readonly<Record<string, unknown>>;

export type InvocationAnswer = {
  /** In the form that the model gives: `{ choices }`, `{ output }`, `{ predictions }` or `{ outputs }`. */
  readonly json: unknown;
  /** The served entity that answered. */
  readonly servedEntityName: string | null;
  /** By which Databricks knows the request. */
  readonly requestId: string | null;
};

export type InvocationEvent = {
  /** Such as `response.output_text.delta`; `message` where the endpoint names none. */
  readonly event: string;
  /** What it says as JSON; where it is none, the text. */
  readonly data: unknown;
};

export type InvocationOptions = CallLimits & {
  /** Whether asking twice is harmless; only then is a failed attempt repeated. */
  readonly isIdempotent?: boolean;
};

/** Databricks ends an execution after 597 s. */
const TIMEOUT_MS = 600_000;

export async function queryServingEndpoint(
  client: DatabricksClient,
  name: string,
  invocation: Invocation,
  options: InvocationOptions = {},
): Promise<InvocationAnswer> {
  const { json, headers } = await client.postJson(
    apiPath`/serving-endpoints/${name}/invocations`,
    invocation,
    { timeoutMs: TIMEOUT_MS, totalTimeoutMs: TIMEOUT_MS, ...options, ...asking(name) },
  );
  return {
    json,
    servedEntityName: textOf(headers.get("served-model-name")),
    requestId: textOf(headers.get("x-request-id")),
  };
}

/**
 * The same while the answer is being made. An endpoint that cannot stream answers as
 * a whole: that is the only event then. Leaving the loop ends the call.
 */
export async function* streamServingEndpoint(
  client: DatabricksClient,
  name: string,
  invocation: Invocation,
  options: CallLimits & { readonly idleTimeoutMs?: number } = {},
): AsyncGenerator<InvocationEvent, void, undefined> {
  const events = client.postEvents(
    apiPath`/serving-endpoints/${name}/invocations`,
    { ...invocation, stream: true },
    { ...options, ...asking(name) },
  );
  for await (const { event, data } of events) {
    // The end, as OpenAI's servers mark it.
    if (data === "[DONE]") return;
    yield { event, data: jsonOrText(data) };
  }
}

function asking(name: string) {
  return {
    purpose: `ask serving endpoint "${name}"`,
    permission: `Give the identity CAN QUERY on serving endpoint "${name}".`,
  };
}

function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
