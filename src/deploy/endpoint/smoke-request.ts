/** Asks what was just deployed one question, so that a broken agent is found by us and not by a user. */
import { DatabricksError } from "../../databricks/databricks-error.ts";
import type { ServingEndpoint } from "../../databricks/serving-endpoints.ts";
import { queryServingEndpoint } from "../../databricks/serving-invocations.ts";
import { MonitorError } from "../../monitor-error.ts";
import { foreignLine } from "../../signals/foreign-line.ts";
import type { DeployContext } from "../progress.ts";

/** An agent may think; nobody waits longer than that for an answer to a greeting. */
const SMOKE_TIMEOUT_MS = 180_000;

/** Longest message of a request that failed. */
const MESSAGE_MAX_CHARS = 1_000;

export type SmokeOutcome =
  | { readonly kind: "answered" }
  /** There is no telling how such a model is asked. */
  | { readonly kind: "not-asked"; readonly reason: string };

/** @throws MonitorError `SMOKE_REQUEST_FAILED` when the agent answers with an error, or not at all. */
export async function sendSmokeRequest(
  { client, signal }: DeployContext,
  { name, task }: ServingEndpoint,
  question: string,
): Promise<SmokeOutcome> {
  const message = { role: "user", content: question };
  const invocation = /^agent\/v\d+\/responses$/.test(task ?? "")
    ? { input: [message] }
    : /\/chat$/.test(task ?? "")
      ? { messages: [message] }
      : null;
  if (invocation === null) {
    return {
      kind: "not-asked",
      reason: `its task is ${task ?? "not told"}, which says not how it is asked`,
    };
  }
  try {
    await queryServingEndpoint(client, name, invocation, {
      timeoutMs: SMOKE_TIMEOUT_MS,
      totalTimeoutMs: SMOKE_TIMEOUT_MS,
      signal,
      // It is asked for nothing but an answer.
      isIdempotent: true,
    });
    return { kind: "answered" };
  } catch (error) {
    if (!isTheAgentsFault(error)) throw error;
    const message = foreignLine(error.message, { maxChars: MESSAGE_MAX_CHARS });
    throw new MonitorError("SMOKE_REQUEST_FAILED", message, {
      hint: "Ask the agent the same question on your machine, and look at the endpoint's logs; deployment.smoke_request sets another question, false asks none.",
      cause: error,
    });
  }
}

/** Who may not ask, is throttled or has no connection has learned nothing about the agent. */
function isTheAgentsFault(error: unknown): error is DatabricksError {
  if (!(error instanceof DatabricksError)) return false;
  const { status, networkCode } = error.call;
  if (error.code === "DATABRICKS_FAILED") return status !== 429;
  return networkCode === "TIMEOUT";
}
