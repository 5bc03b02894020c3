/** What stands beside an agent's name: its version, and who made its telemetry. */
import type { AgentRow } from "./api.ts";

export function agentAbout({ modelVersion, conventions }: AgentRow): string[] {
  const version = modelVersion ? [`v${modelVersion.replace(/^v/, "")}`] : [];
  const makers = conventions.map((made) => (made === "none" ? "no telemetry" : made));
  return [...version, ...makers];
}
