/** Something that answers an endpoint's requests, and how it is started: from recordings, or as a process. */
import { databricksError } from "../databricks-error.ts";
import type { EntityState } from "./endpoint.ts";

export type ServedEntity = {
  /** Answers are recorded, and no model runs. */
  readonly isRecorded: boolean;
  state(): EntityState;
  invoke(invocation: Invocation): Promise<Response>;
  /** What it wrote since it was ready. */
  logs(): string;
  close(): Promise<void>;
};

export type Invocation = {
  readonly body: Uint8Array;
  readonly contentType: string;
  readonly requestId: string;
  readonly signal: AbortSignal;
};

/** It could not be started; the message says why. */
export class StartError extends Error {}

/** What was served before a restart of the workspace and can't be served any more. */
export function serveFailed(message: string): ServedEntity {
  return {
    isRecorded: false,
    state: () => ({ deployment: "DEPLOYMENT_FAILED", message }),
    invoke: async ({ requestId }) => databricksError("TEMPORARILY_UNAVAILABLE", message, requestId),
    logs: () => `${message}\n`,
    close: async () => {},
  };
}
