/**
 * The live figures of every agent, folded from closed traces: requests, modules,
 * models, error groups. The same traces in the same order give the same figures,
 * so that replaying the journal restores them. No clock: the caller passes when
 * a trace was closed.
 */
import type { ClosedTrace } from "../signals/closed-trace.ts";
import type { LoggedRequest } from "../signals/logged-request.ts";
import { agentSlicing, type CountedRequests, newTally } from "./counted.ts";
import {
  ALL_GROUPS_MAX,
  addErrors,
  type ErrorGroups,
  GroupCount,
  newErrorGroups,
} from "./error-groups.ts";
import { isForgotten, type Room } from "./kept.ts";
import { ALL_MODELS_MAX, addLmCalls, type Models, newModels } from "./models.ts";
import { ALL_PLACES_MAX, Places } from "./places.ts";
import { ALL_RELEASES_MAX, addReleases, type ReleaseSeen, Releases } from "./releases.ts";
import { addLoggedRequest, addRequests, type RecentRequest } from "./requests.ts";
import { Sliced } from "./sliced.ts";
import { RunTally } from "./tally.ts";
import { TelemetryLoss } from "./telemetry-loss.ts";

/** Agents known by their telemetry alone; beyond this they are counted together as `other`. */
export const AGENTS_MAX = 200;
/** Agents that are watched beside those: more than a source watches, since some of them may be gone. */
export const WATCHED_MAX = 1_000;

export type Agent = CountedRequests & {
  readonly endpoint: string;
  readonly conventions: Set<string>;
  modelVersion: string | null;
  lastRequestMs: number | null;
  readonly places: Places;
  readonly models: Models;
  readonly groups: ErrorGroups;
  /** Oldest first. */
  readonly recent: RecentRequest[];
  /** Those that only the log of the endpoint tells, in the order in which they were read. */
  readonly recentLogged: LoggedRequest[];
  /** The share of its requests that the endpoint logs, where nothing else tells them; `null`: all. */
  loggedShare: number | null;
  readonly releases: Releases;
  /** By when the traces closed. */
  readonly loss: { readonly slices: Sliced<TelemetryLoss>; run: TelemetryLoss };
};

const newLoss = () => new TelemetryLoss();

export class Agents {
  readonly #agents = new Map<string, Agent>();
  /** Those of the agents that are there whether they send telemetry or not. */
  readonly #watched = new Set<string>();
  /** What all agents together may still keep apart. */
  readonly #room = {
    places: { left: ALL_PLACES_MAX },
    models: { left: ALL_MODELS_MAX },
    groups: { left: ALL_GROUPS_MAX },
    releases: { left: ALL_RELEASES_MAX },
  };

  all(): readonly Agent[] {
    return [...this.#agents.values()];
  }

  get(endpoint: string): Agent | undefined {
    return this.#agents.get(endpoint);
  }

  /** Makes an agent known before its first request, and keeps it without any. */
  watch(endpoint: string): void {
    if (this.#watched.has(endpoint) || this.#watched.size >= WATCHED_MAX) return;
    this.#watched.add(endpoint);
    if (!this.#agents.has(endpoint)) this.#create(endpoint);
  }

  unwatch(endpoint: string): void {
    this.#watched.delete(endpoint);
  }

  /**
   * Forgets what no window shows any more, so that what comes and goes – an agent
   * for each pull request, an error of last week – leaves room for what comes.
   */
  forget(nowMs: number): void {
    for (const [endpoint, { places, models, groups, releases, lastSeenMs }] of this.#agents) {
      for (const kept of [places, models, groups]) kept.forget(nowMs);
      if (!isForgotten(lastSeenMs, nowMs)) continue;
      // Whatever it held is older still, so it has given back all its room.
      releases.clear();
      if (!this.#watched.has(endpoint)) this.#agents.delete(endpoint);
    }
  }

  /** Starts the figures of a run anew; those of the windows stay. */
  beginRun(): void {
    for (const agent of this.#agents.values()) {
      agent.run = new RunTally();
      agent.loss.run = newLoss();
      agent.places.beginRun();
      for (const model of agent.models.values()) model.run = new RunTally();
      for (const group of agent.groups.values()) group.run = new GroupCount();
    }
  }

  /**
   * Returns the releases of the agent that this trace is the first of, where there was one before.
   *
   * @param nowMs when the trace was closed.
   */
  add(trace: ClosedTrace, nowMs: number): readonly ReleaseSeen[] {
    const agent = this.#agentOf(trace.endpoint);
    agent.lastSeenMs = nowMs;
    agent.conventions.add(trace.convention);
    agent.loss.run.add(trace);
    agent.loss.slices.add(nowMs, nowMs, (slice) => slice.add(trace));
    addRequests(agent, trace, nowMs);
    agent.places.add(trace, nowMs);
    addLmCalls(agent.models, trace.moduleCalls, nowMs);
    addErrors(agent.groups, trace.errors, nowMs);
    return addReleases(agent.releases, trace);
  }

  /** @param nowMs when it was read. */
  addLogged(request: LoggedRequest, nowMs: number): void {
    addLoggedRequest(this.#agentOf(request.endpoint), request, nowMs);
  }

  #agentOf(endpoint: string): Agent {
    const known = this.#agents.get(endpoint);
    if (known) return known;
    const byTelemetryAlone = this.#agents.size - this.#watched.size;
    if (byTelemetryAlone >= AGENTS_MAX && endpoint !== "other") return this.#agentOf("other");
    return this.#create(endpoint);
  }

  #create(endpoint: string): Agent {
    const agent = newAgent(endpoint, this.#room);
    this.#agents.set(endpoint, agent);
    return agent;
  }
}

/** An agent of which nothing was seen. */
export function newAgent(endpoint: string, room: AgentRoom = noRoom()): Agent {
  return {
    endpoint,
    conventions: new Set(),
    modelVersion: null,
    lastRequestMs: null,
    lastSeenMs: null,
    slices: new Sliced(newTally, agentSlicing),
    run: new RunTally(),
    places: new Places(room.places),
    models: newModels(room.models),
    groups: newErrorGroups(room.groups),
    recent: [],
    recentLogged: [],
    loggedShare: null,
    releases: new Releases(room.releases),
    loss: { slices: new Sliced(newLoss, agentSlicing), run: newLoss() },
  };
}

type AgentRoom = Readonly<Record<"places" | "models" | "groups" | "releases", Room>>;

function noRoom(): AgentRoom {
  return { places: { left: 0 }, models: { left: 0 }, groups: { left: 0 }, releases: { left: 0 } };
}
