/** For `workers.test.ts`: what a worker is told to record, and where its tally has what. */
import type { MetricsHandle } from "./metrics-collector.ts";

export type WorkerTask = {
  readonly metrics: MetricsHandle;
  /** Calls that returned: requests by agent, tokens, latencies. */
  readonly tally: SharedArrayBuffer;
  readonly seed: number;
  /** Infinite for one that is to be terminated. */
  readonly records: number;
  readonly agents: number;
  /** Whether it only records, as fast as it can, `long` latencies of 1 000 ms and `short` ones of 1. */
  readonly spins?: boolean;
  /** Whether it gives its place back itself. */
  readonly closes: boolean;
};

export const TALLY_TOKENS = 0;
export const TALLY_LATENCIES = 1;
export const TALLY_REJECTED = 2;
export const TALLY_AGENTS = 3;
