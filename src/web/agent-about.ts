/** What stands beside an agent's name: its version, who made its telemetry, and why it may be out of date. */
import type { AgentRow } from "./api.ts";

/** Only what asks for something to be done; a lost telemetry is the agent's state. */
const FRESHNESS: Partial<Record<AgentRow["freshness"], string>> = {
  late: "the workspace is late",
  denied: "the workspace may not be read",
  no_telemetry: "called, but sends no telemetry",
};

export function agentAbout({ modelVersion, conventions, freshness }: AgentRow): string[] {
  const version = modelVersion ? [`v${modelVersion.replace(/^v/, "")}`] : [];
  const makers = conventions.map((made) => (made === "none" ? "no telemetry" : made));
  const why = FRESHNESS[freshness];
  return [...version, ...makers, ...(why ? [why] : [])];
}
