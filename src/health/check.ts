/** What a health check is: a function that finds out how one thing is, within a time. */
import type { HealthStatus } from "./health-status.ts";

export type CheckContext = {
  /** Aborted when the time of the check is up: whatever waits for something should stop. */
  readonly signal: AbortSignal;
  /** The name under which the check is registered. */
  readonly name: string;
};

/** What a check found. Times out, throws or returns anything else: then it is `unknown`. */
export type CheckResult = {
  /** Only for readers of the code: a component goes by the name that it is registered under. */
  readonly name?: string | undefined;
  readonly status: HealthStatus;
  /** One sentence for people. */
  readonly message?: string | undefined;
  /** A word for programs, such as `cold` or `not_ready`. */
  readonly state?: string | null | undefined;
  /** What the status rests on. Kept are at most 32 values, each at most 300 characters long. */
  readonly evidence?: Evidence | undefined;
};

export type Evidence = Readonly<Record<string, string | number | boolean | null>>;

export type Check = (context: CheckContext) => CheckResult | Promise<CheckResult>;

/** A check in a file of its own, which runs in a worker thread and may even block. */
export type ModuleCheck = {
  /** Such as `new URL("./my-check.js", import.meta.url)`. */
  readonly module: URL;
  /** Which of its exports is the check. `default` by default. */
  readonly export?: string | undefined;
  readonly timeoutSeconds?: number | undefined;
  /** Memory of its JavaScript heap, in MiB. 128 by default. */
  readonly memoryMb?: number | undefined;
};

/** What a built-in check resolves to. It never rejects. */
export type ComponentResult = {
  readonly name: string;
  readonly status: HealthStatus;
  readonly state: string;
  readonly message: string;
  readonly latencyMs: number;
  readonly evidence: Evidence;
};
