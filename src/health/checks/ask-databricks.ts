/**
 * What the built-in checks of Databricks have in common: they ask once, and what
 * they are told or refused becomes a result. They never reject. What is not there is
 * unhealthy; what could not be found out is unknown, with what to do about it.
 */
import { DatabricksError } from "../../databricks/databricks-error.ts";
import { MonitorError } from "../../monitor-error.ts";
import type { ComponentResult, Evidence } from "../check.ts";
import type { HealthStatus } from "../health-status.ts";
import { describe } from "../read-result.ts";

export type Verdict = {
  readonly status: HealthStatus;
  readonly state: string;
  readonly message: string;
  readonly evidence?: Evidence;
};

export async function askDatabricks(
  name: string,
  ask: () => Promise<Verdict>,
): Promise<ComponentResult> {
  const startedMs = performance.now();
  const { status, state, message, evidence = {} } = await ask().catch(verdictOfFailure);
  return { name, status, state, message, latencyMs: performance.now() - startedMs, evidence };
}

function verdictOfFailure(error: unknown): Verdict {
  if (!(error instanceof MonitorError)) {
    // Most of all, the reason of a signal: whoever waited no longer does.
    return {
      status: "unknown",
      state: "ended",
      message: `It was not found out: ${describe(error)}.`,
    };
  }
  const message = `${capitalized(error.message).replace(/\.$/, "")}. ${error.hint}`;
  if (!(error instanceof DatabricksError)) return { status: "unknown", state: "failed", message };

  const evidence = { httpStatus: error.call.status, errorCode: error.call.errorCode };
  if (error.call.status === 404)
    return { status: "unhealthy", state: "not_found", message, evidence };
  return { status: "unknown", state: stateOf(error), message, evidence };
}

function stateOf({ code }: DatabricksError): string {
  if (code === "DATABRICKS_UNAUTHENTICATED" || code === "DATABRICKS_FORBIDDEN") return "denied";
  return code === "DATABRICKS_UNREACHABLE" ? "unreachable" : "failed";
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
