/**
 * The public face of the local workspace, for tests of programs that use Databricks:
 * what a test imports as `dspy-databricks-agents/testing`.
 */
import { systemClock } from "./clock.ts";
import type { LocalWorkspace, LocalWorkspaceOptions } from "./local-workspace/workspace.ts";
import { startLocalWorkspace as start } from "./local-workspace/workspace.ts";

export type { Behaviour } from "./local-workspace/core/behaviour.ts";
export type { Call } from "./local-workspace/core/call-log.ts";
export type { Fault } from "./local-workspace/core/faults.ts";
export type { LocalWorkspace } from "./local-workspace/workspace.ts";

export type StartOptions = Partial<LocalWorkspaceOptions>;

/**
 * Starts a Databricks workspace on a free port of 127.0.0.1, in a temporary directory
 * unless another is given, without the example agents unless they are asked for. Close
 * it when the test is done.
 *
 * @throws Error with code `EADDRINUSE` when the port is taken, or when another workspace
 * has the data directory.
 */
export function startLocalWorkspace(options: StartOptions = {}): Promise<LocalWorkspace> {
  return start({ otlpUrl: null, clock: systemClock, examples: false, ...options });
}
