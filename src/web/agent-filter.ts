/** Which agents the filter lets through: every word must stand in the name, the state or the source. */
import type { AgentRow } from "./api.ts";

export function filterAgents(agents: readonly AgentRow[], filter: string): AgentRow[] {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  return agents.filter((agent) => {
    const text = [agent.endpoint, agent.word, agent.status, ...agent.conventions]
      .join(" ")
      .toLowerCase();
    return words.every((word) => text.includes(word));
  });
}
