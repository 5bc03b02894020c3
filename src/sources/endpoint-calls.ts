/** What the polls of states and of metrics have in common: how they ask, and how they deliver. */
import type { DatabricksError } from "../databricks/databricks-error.ts";
import type { HealthResult } from "../signals/health-result.ts";
import type { Sample } from "../signals/sample.ts";

export type EndpointBatch = {
  readonly samples: readonly Sample[];
  readonly health: readonly HealthResult[];
  /** What was left out, by reason. */
  readonly dropped: ReadonlyMap<string, number>;
};

/** Rejects when the batch was not taken. */
export type Deliver = (batch: EndpointBatch) => Promise<void>;

export const CONCURRENT_CALLS_MAX = 4;
/** After so many endpoints that failed one after another, it is not the endpoints. */
export const SWEEP_FAILURES_MAX = 5;

/** The next endpoint would be answered the same. */
export function concernsAll({ code, call: { status } }: DatabricksError): boolean {
  return code === "DATABRICKS_UNAUTHENTICATED" || status === 429;
}

export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
