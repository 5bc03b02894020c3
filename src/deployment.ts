/**
 * The public face of deployment with monitoring: what a program imports as
 * `dspy-databricks-agents/deployment`.
 */
import { readFile } from "node:fs/promises";
import { type AgentConfig, readAgentConfig } from "./config/agent-config.ts";
import { MonitorError } from "./monitor-error.ts";

export type { AgentConfig } from "./config/agent-config.ts";
export type { ErrorCode } from "./monitor-error.ts";
export { MonitorError } from "./monitor-error.ts";

/**
 * Reads `agent.yaml`.
 *
 * @param options.environment one of those under `environments:`, which is put over
 * the rest. Without one the rest counts as it is.
 * @throws MonitorError `CONFIG_INVALID`, with the file, the line and the column of
 * each mistake.
 */
export async function loadAgentConfig(
  path: string,
  { environment }: { readonly environment?: string | undefined } = {},
): Promise<AgentConfig> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? ` (${String(error.code)})` : "";
    throw new MonitorError("CONFIG_INVALID", `${path} could not be read${code}`, {
      hint: "check the path of agent.yaml and that this user may read it",
      cause: error,
    });
  }
  return readAgentConfig(text, { file: path, environment });
}
