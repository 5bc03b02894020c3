/** Finds a place of an agent, for tests. */
import type { Agent } from "./agents.ts";
import type { Place } from "./places.ts";

export function placeOf(agent: Pick<Agent, "places"> | undefined, path: string): Place | undefined {
  return agent?.places.inOrder.find((place) => place.path === path);
}
