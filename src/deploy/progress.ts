/** What is told while a deployment runs, and what one needs from the world. */
import type { Clock } from "../clock.ts";
import type { DatabricksClient } from "../databricks/client.ts";

export type StepName =
  | "validate"
  | "model version"
  | "upload"
  | "finalize"
  | "endpoint"
  | "inference table"
  | "wait"
  | "smoke request"
  | `monitoring: ${string}`
  | "export";

/** `unchanged`: it was so already. `planned`: a dry run would do it. */
export type StepOutcome = "done" | "unchanged" | "skipped" | "planned" | "failed";

export type StepResult = {
  readonly name: StepName;
  readonly outcome: StepOutcome;
  readonly durationMs: number;
  /** What was done, or what is to be done. */
  readonly detail: string;
};

export type DeployProgress = {
  readonly step: StepName;
  readonly state: "started" | "waiting" | StepOutcome;
  readonly message: string;
};

export type DeployContext = {
  readonly client: DatabricksClient;
  readonly clock: Clock;
  readonly onProgress: (progress: DeployProgress) => void;
  readonly signal?: AbortSignal | undefined;
  /** How often the state of something that takes minutes is asked for. */
  readonly pollMs: number;
  /** Longest wait for an endpoint to become ready. */
  readonly readyTimeoutMs: number;
};

/** The first look comes soon, the later ones every `pollMs`. */
const FIRST_POLL_MS = 250;

/** @param asked how often it was looked before. */
export function pauseBetweenPolls(asked: number, context: DeployContext): Promise<void> {
  return pause(Math.min(context.pollMs, FIRST_POLL_MS * 2 ** Math.min(asked, 20)), context);
}

/** Resolves after a while, or rejects with the reason of the aborted signal. */
export function pause(delayMs: number, { clock, signal }: DeployContext): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      cancel();
      reject(signal?.reason);
    };
    const cancel = clock.after(delayMs, () => {
      signal?.removeEventListener("abort", stop);
      resolve();
    });
    signal?.addEventListener("abort", stop, { once: true });
    if (signal?.aborted) stop();
  });
}
