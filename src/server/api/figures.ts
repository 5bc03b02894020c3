/**
 * What agents did over a range, wherever that is known from: the live figures, or the
 * summaries of the history. Rows of the JSON API are made of these alone.
 */
import { type Agent, newAgent } from "../../live/agents.ts";
import type { ReleaseName } from "../../live/by-release.ts";
import type { Place } from "../../live/places.ts";
import type { Tally } from "../../live/tally.ts";
import { TelemetryLoss } from "../../live/telemetry-loss.ts";
import type { AgentSummaries } from "../../summaries/read-summaries.ts";
import type { ErrorCause } from "../../summaries/summary.ts";
import type { Range } from "./range.ts";

/** One agent in a list. */
export type AgentFigures = {
  readonly agent: Agent;
  readonly requests: Tally;
  readonly loss: TelemetryLoss;
  /** By step of the range. */
  readonly traffic: readonly number[];
  readonly trafficFailed: readonly number[];
  readonly groups: readonly GroupFigures[];
};

export type GroupFigures = {
  readonly group: string;
  readonly last: ErrorCause;
  readonly count: number;
  readonly handled: number;
  readonly firstMs: number;
  readonly lastMs: number;
  readonly trend: readonly number[];
};

/** One agent alone. */
export type AgentDetails = AgentFigures & {
  /** As long before; `null` where nothing is known. */
  readonly before: Tally | null;
  readonly steps: readonly (Tally | null)[];
  readonly places: readonly { readonly place: PlaceOf; readonly calls: Tally }[];
  readonly models: readonly { readonly model: string; readonly calls: Tally }[];
};

type PlaceOf = Pick<Place, "program" | "path" | "pathSource" | "kind" | "depth">;
type IsWanted = (name: ReleaseName) => boolean;

export function liveFigures(agent: Agent, range: Range): AgentFigures {
  const { fromMs, toMs, nowMs, chartFromMs, stepMs, steps } = range;
  const slices = agent.slices.series(chartFromMs, stepMs, steps, nowMs);
  return {
    agent,
    requests: agent.slices.over(fromMs, toMs, nowMs),
    loss: agent.loss.slices.over(fromMs, toMs, nowMs),
    traffic: slices.map((slice) => slice?.calls ?? 0),
    trafficFailed: slices.map((slice) => slice?.failed ?? 0),
    groups: [...agent.groups.values()].flatMap(({ group, last, firstMs, lastMs, slices }) => {
      const { count, handled } = slices.over(fromMs, toMs, nowMs);
      if (count === 0) return [];
      const counted = slices.series(chartFromMs, stepMs, steps, nowMs);
      const trend = counted.map((slice) => slice?.count ?? 0);
      return [{ group, last, count, handled, firstMs, lastMs, trend }];
    }),
  };
}

export function liveDetails(agent: Agent, range: Range, isWanted: IsWanted): AgentDetails {
  const { seconds, fromMs, toMs, nowMs, chartFromMs, stepMs, steps } = range;
  const before = agent.slices.over(fromMs - seconds * 1000, fromMs, nowMs);
  return {
    ...liveFigures(agent, range),
    before: before.calls === 0 ? null : before,
    steps: agent.slices.series(chartFromMs, stepMs, steps, nowMs),
    places: agent.places.inOrder.map((place) => ({
      place,
      calls: place.slices.over(fromMs, toMs, nowMs).sum(isWanted),
    })),
    models: [...agent.models.values()].map(({ model, slices }) => ({
      model,
      calls: slices.over(fromMs, toMs, nowMs).sum(isWanted),
    })),
  };
}

/** @param live the agent as it is known now; one that has been silent for a day is not. */
export function summedFigures(
  { agent: endpoint, total, groups, traffic, trafficFailed }: AgentSummaries,
  live: Agent | undefined,
): AgentFigures {
  const { requests, loss } = total;
  return {
    agent: live ?? silentAgent(endpoint, total),
    requests,
    loss,
    traffic,
    trafficFailed,
    groups,
  };
}

export function summedDetails(
  summaries: AgentSummaries,
  live: Agent | undefined,
  { isWanted, beforeIsWhole }: { readonly isWanted: IsWanted; readonly beforeIsWhole: boolean },
): AgentDetails {
  const { total, before, steps } = summaries;
  return {
    ...summedFigures(summaries, live),
    // A week beside the three days that were watched before it would show a rise.
    before: before && beforeIsWhole && before.requests.calls > 0 ? before.requests : null,
    steps: steps.map((step) => step?.requests ?? null),
    places: total.places.map((place) => ({ place, calls: place.calls.sum(isWanted) })),
    models: Array.from(total.models, ([model, calls]) => ({ model, calls: calls.sum(isWanted) })),
  };
}

function silentAgent(
  endpoint: string,
  { modelVersion, lastRequestMs, conventions }: AgentSummaries["total"],
): Agent {
  return { ...newAgent(endpoint), modelVersion, lastRequestMs, conventions: new Set(conventions) };
}

export function sumOfLoss(agents: readonly AgentFigures[]): TelemetryLoss {
  const sum = new TelemetryLoss();
  for (const { loss } of agents) sum.merge(loss);
  return sum;
}
