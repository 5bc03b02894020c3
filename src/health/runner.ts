/** What runs one check: in process or in a worker thread. The manager knows no difference. */
import type { Finding } from "./read-result.ts";

export type Runner = {
  /**
   * Runs the check once. Never rejects and never throws; settles when the check
   * does, however late, and never if it never does.
   */
  start(signal: AbortSignal): Promise<Finding>;
  /**
   * Tells that the time of the run is up. Returns whether the check could be ended:
   * one that runs in process can only be asked to stop, through its signal.
   */
  giveUp(): boolean;
  /** Whether the check shares the event loop, and can block it. */
  readonly isInProcess: boolean;
  close(): Promise<void>;
};
