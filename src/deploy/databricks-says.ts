/** What a failed call means for a deployment, by Databricks' codes and never by its words. */
import { DatabricksError, isAlreadyThere, isNotThere } from "../databricks/databricks-error.ts";

const QUOTA = ["RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED", "RESOURCE_LIMIT_EXCEEDED"];

/** Another update is in progress, or was meanwhile. */
export function isConflict(error: unknown): boolean {
  return error instanceof DatabricksError && error.call.status === 409 && !isAlreadyThere(error);
}

/** A limit of the workspace, which waiting does not move. */
export function isQuota(error: unknown): boolean {
  return (
    error instanceof DatabricksError &&
    QUOTA.includes(error.call.errorCode ?? "") &&
    error.call.retryAfterMs === null
  );
}

/** Whether the call may have had its effect all the same. */
export function mayHaveHappened(error: unknown): boolean {
  if (!(error instanceof DatabricksError)) return false;
  const { status } = error.call;
  return status === null || status >= 500 || status === 429;
}

export async function orNull<T>(call: Promise<T>): Promise<T | null> {
  try {
    return await call;
  } catch (error) {
    if (isNotThere(error)) return null;
    throw error;
  }
}

/** Somebody else may have been quicker, or an answer was lost. */
export async function unlessThere(call: Promise<unknown>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (!isAlreadyThere(error)) throw error;
  }
}
