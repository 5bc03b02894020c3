/**
 * The live figures of every agent, folded from closed traces: requests, modules,
 * models, error groups. The same traces in the same order give the same figures,
 * so that replaying the journal restores them. No clock: the caller passes when
 * a trace was closed.
 */
import type { ClosedTrace } from "../signals/closed-trace.ts";
import { costUsdOf, noCost, unknownCost } from "../signals/cost.ts";
import type { ErrorEvent } from "../signals/error-event.ts";
import type { ModuleCall, PathSource, Request } from "../signals/request.ts";
import { ALL_RELEASES_MAX, type ReleaseSeen, Releases } from "./releases.ts";
import { COARSE_RETAINED_MS, FINE_RETAINED_MS, Sliced, type Slicing } from "./sliced.ts";
import { RunTally, Tally } from "./tally.ts";

/** Agents known by their telemetry alone; beyond this they are counted together as `other`. */
export const AGENTS_MAX = 200;
/** Agents that are watched beside those: more than a source watches, since some of them may be gone. */
export const WATCHED_MAX = 1_000;
/** Modules, tools and retrievers of one agent beyond this are counted together as `other`. */
export const PLACES_MAX = 200;
/** Models of one agent beyond this are counted together as `other`. */
export const MODELS_MAX = 50;
/** Error groups of one agent beyond this are counted together. */
export const GROUPS_MAX = 200;
/**
 * Places, models and error groups of all agents together. A place that is called
 * all day takes up to 0.5 MB, so these, and not those of one agent, bound the memory.
 */
export const ALL_PLACES_MAX = 2_000;
export const ALL_MODELS_MAX = 500;
export const ALL_GROUPS_MAX = 2_000;
/** Requests of one agent that are kept one by one. */
export const RECENT_MAX = 1_000;
/** A request that ends later than this after its arrival has a wrong clock: it is in no window. */
export const CLOCK_AHEAD_MAX_MS = 60_000;

const agentSlicing: Slicing = { fineSliceMs: 1_000, coarseSliceMs: 60_000 };
/** There are many more places than agents, so their slices are longer. */
const placeSlicing: Slicing = { fineSliceMs: 5_000, coarseSliceMs: 300_000 };

/**
 * Stretches of time that begin and end at whole multiples of this hold the same
 * calls for an agent and for its places.
 */
export function alignmentMs(fromMs: number, nowMs: number): number {
  return nowMs - fromMs <= FINE_RETAINED_MS ? placeSlicing.fineSliceMs : placeSlicing.coarseSliceMs;
}

/** Latencies that one slice keeps one by one; there are very many slices. */
const SLICE_SAMPLES_MAX = 32;

function newTally(use: "sum" | "slice"): Tally {
  return use === "sum" ? new Tally() : new Tally(SLICE_SAMPLES_MAX);
}

export type PlaceKind = "module" | "tool" | "retriever";

/** A module, tool or retriever of an agent. */
export type Place = {
  readonly path: string;
  readonly pathSource: PathSource;
  readonly kind: PlaceKind;
  readonly depth: number;
  readonly slices: Sliced<Tally>;
  run: RunTally;
  /** When a call of it was last taken. */
  lastSeenMs: number;
};

export type Model = {
  readonly model: string;
  readonly slices: Sliced<Tally>;
  run: RunTally;
  lastSeenMs: number;
};

export class GroupCount {
  count = 0;
  handled = 0;
  merge(other: GroupCount): void {
    this.count += other.count;
    this.handled += other.handled;
  }
}

/** Errors with the same cause. */
export type ErrorGroup = {
  readonly group: string;
  readonly first: ErrorEvent;
  last: ErrorEvent;
  readonly slices: Sliced<GroupCount>;
  run: GroupCount;
  readonly firstMs: number;
  lastMs: number;
  /** When it was last taken, whatever its own time says. */
  lastSeenMs: number;
};

export type RecentRequest = {
  readonly request: Request;
  readonly errorType: string | null;
  /** Where it failed, or where most of its time went. */
  readonly path: string | null;
};

/** What all agents together may still keep apart; what is beyond counts as `other`. */
type Room = { places: number; models: number; groups: number; releases: number };

export type Agent = {
  readonly endpoint: string;
  /** Shared by all agents. */
  readonly room: Room;
  readonly conventions: Set<string>;
  modelVersion: string | null;
  lastRequestMs: number | null;
  /** When telemetry of it was last taken; `null` before the first. */
  lastSeenMs: number | null;
  readonly slices: Sliced<Tally>;
  /** Since this run of the monitor began, whatever the time of the request. */
  run: RunTally;
  /** By kind and path. */
  readonly places: Map<string, Place>;
  /** The places in tree order. */
  readonly placesInOrder: Place[];
  readonly models: Map<string, Model>;
  readonly groups: Map<string, ErrorGroup>;
  /** Oldest first. */
  readonly recent: RecentRequest[];
  readonly releases: Releases;
};

export class Agents {
  readonly #agents = new Map<string, Agent>();
  /** Those of the agents that are there whether they send telemetry or not. */
  readonly #watched = new Set<string>();
  readonly #room: Room = {
    places: ALL_PLACES_MAX,
    models: ALL_MODELS_MAX,
    groups: ALL_GROUPS_MAX,
    releases: ALL_RELEASES_MAX,
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
    const isOld = ({ lastSeenMs }: { readonly lastSeenMs: number | null }) =>
      nowMs - (lastSeenMs ?? Number.NEGATIVE_INFINITY) > COARSE_RETAINED_MS;
    for (const [endpoint, agent] of this.#agents) {
      for (const kind of ["places", "models", "groups"] as const) {
        for (const [key, one] of agent[kind]) {
          if (!isOld(one)) continue;
          agent[kind].delete(key);
          this.#room[kind]++;
        }
      }
      // Whatever it held is older still, so it has given back all its room.
      if (isOld(agent)) agent.releases.clear();
      if (isOld(agent) && !this.#watched.has(endpoint)) this.#agents.delete(endpoint);
      const { places, placesInOrder } = agent;
      const stillThere = placesInOrder.filter((place) => places.get(placeKey(place)) === place);
      placesInOrder.splice(0, placesInOrder.length, ...stillThere);
    }
  }

  /** Starts the figures of a run anew; those of the windows stay. */
  beginRun(): void {
    for (const agent of this.#agents.values()) {
      agent.run = new RunTally();
      for (const counted of [...agent.places.values(), ...agent.models.values()]) {
        counted.run = new RunTally();
      }
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
    const found = {
      cause: trace.errors.find(({ handled }) => !handled),
      slowest: slowestPath(trace.moduleCalls),
    };
    for (const request of trace.requests) addRequest(agent, request, found, nowMs);
    const begun = addReleases(agent, trace);
    addCalls(agent, trace.moduleCalls, nowMs);
    for (const error of trace.errors) addError(agent, error, nowMs);
    return begun;
  }

  #agentOf(endpoint: string): Agent {
    const known = this.#agents.get(endpoint);
    if (known) return known;
    const byTelemetryAlone = this.#agents.size - this.#watched.size;
    if (byTelemetryAlone >= AGENTS_MAX && endpoint !== "other") return this.#agentOf("other");
    return this.#create(endpoint);
  }

  #create(endpoint: string): Agent {
    const agent: Agent = {
      endpoint,
      room: this.#room,
      conventions: new Set(),
      modelVersion: null,
      lastRequestMs: null,
      lastSeenMs: null,
      slices: new Sliced(newTally, agentSlicing),
      run: new RunTally(),
      places: new Map(),
      placesInOrder: [],
      models: new Map(),
      groups: new Map(),
      recent: [],
      releases: new Releases(this.#room),
    };
    this.#agents.set(endpoint, agent);
    return agent;
  }
}

type Counted = { readonly slices: Sliced<Tally>; run: RunTally; lastSeenMs: number | null };

function count(counted: Counted, timeMs: number, nowMs: number, change: (tally: Tally) => void) {
  counted.lastSeenMs = nowMs;
  change(counted.run);
  if (timeMs <= nowMs + CLOCK_AHEAD_MAX_MS) counted.slices.add(timeMs, nowMs, change);
}

/** What its trace tells of a request beside itself. */
type Found = { readonly cause: ErrorEvent | undefined; readonly slowest: string | null };

function addRequest(agent: Agent, request: Request, found: Found, nowMs: number): void {
  agent.modelVersion = request.modelVersion ?? agent.modelVersion;
  // A clock that is ahead does not make a request of tomorrow.
  agent.lastRequestMs = Math.max(agent.lastRequestMs ?? 0, Math.min(request.timeMs, nowMs));
  count(agent, request.timeMs, nowMs, (tally) => {
    tally.addLatency(request.latencyMs);
    tally.addCacheLatency(request.cache, request.latencyMs);
    tally.addUse(request);
    if (request.errorClass) {
      tally.failed++;
      tally.addFailed(request.errorClass, 1);
    }
  });
  const cause = request.errorClass ? found.cause : undefined;
  agent.recent.push({
    request,
    errorType: cause?.type ?? null,
    path: cause?.path ?? found.slowest,
  });
  if (agent.recent.length > RECENT_MAX) agent.recent.shift();
}

function addReleases(
  { releases }: Agent,
  { requests, moduleCalls }: ClosedTrace,
): readonly ReleaseSeen[] {
  const wasThereOne = releases.size > 0;
  const begun: ReleaseSeen[] = [];
  for (const request of requests) {
    const release = releases.of(request);
    if (wasThereOne && release?.requests === 0) begun.push(release);
    release?.add(request);
  }
  const [first] = requests;
  const release = first && releases.of(first);
  for (const { path, predictorHash } of release ? moduleCalls : []) {
    if (predictorHash !== null) release?.addPredictor(path, predictorHash);
  }
  return begun;
}

function slowestPath(calls: readonly ModuleCall[]): string | null {
  const ownMs = new Map<string, number>();
  for (const { path, selfMs } of calls) ownMs.set(path, (ownMs.get(path) ?? 0) + selfMs);
  let slowest: string | null = null;
  for (const [path, ms] of ownMs) {
    if (slowest === null || ms > (ownMs.get(slowest) ?? 0)) slowest = path;
  }
  return slowest;
}

function isPlace(kind: ModuleCall["kind"]): kind is PlaceKind {
  return kind === "module" || kind === "tool" || kind === "retriever";
}

function addCalls(agent: Agent, calls: readonly ModuleCall[], nowMs: number): void {
  // Where model calls tell their tokens, a module without model calls used none: 0, not unknown.
  const tokensTold = calls.some(({ kind, tokens }) => kind === "lm" && tokens !== null);
  const costTold = calls.some(({ kind, cost }) => kind === "lm" && costUsdOf(cost) !== null);
  const cacheTold = calls.some(({ kind, cache }) => kind === "lm" && cache !== "unknown");
  const nothingUsed = {
    tokens: tokensTold ? { input: 0, output: 0 } : null,
    cost: costTold ? noCost : unknownCost,
    cacheHits: cacheTold ? 0 : null,
  };
  const places = new Map<string, Place>();
  for (const call of calls) {
    const above = places.get(call.parentSpanId ?? "");
    if (!isPlace(call.kind)) {
      if (above) {
        places.set(call.spanId, above);
        addInnerCall(above, call, nowMs);
      }
      if (call.kind === "lm") addLmCall(agent, call, nowMs);
      continue;
    }
    const place = placeOf(agent, { ...call, kind: call.kind }, above);
    places.set(call.spanId, place);
    count(place, call.timeMs, nowMs, (tally) => {
      tally.addLatency(call.latencyMs);
      tally.ownMs += call.selfMs;
      tally.addUse(nothingUsed);
      if (call.errorClass) {
        tally.failed++;
        tally.addFailed(call.errorClass, 1);
      }
    });
  }
}

function useOf({ tokens, cost, cache }: ModuleCall) {
  return { tokens, cost, cacheHits: cache === "unknown" ? null : cache === "hit" ? 1 : 0 };
}

/** A model, adapter or embedding call counts where it was made. */
function addInnerCall(place: Place, call: ModuleCall, nowMs: number): void {
  count(place, call.timeMs, nowMs, (tally) => {
    tally.ownMs += call.selfMs;
    if (call.kind !== "lm") return;
    tally.lmMs += call.latencyMs;
    tally.addUse(useOf(call));
  });
}

function addLmCall(agent: Agent, call: ModuleCall, nowMs: number): void {
  const named = call.model ?? "unknown";
  const hasRoom = agent.models.size < MODELS_MAX && agent.room.models > 0;
  const full = !hasRoom && !agent.models.has(named);
  const model = full ? "other" : named;
  let counted = agent.models.get(model);
  if (!counted) {
    counted = {
      model,
      slices: new Sliced(newTally, placeSlicing),
      run: new RunTally(),
      lastSeenMs: nowMs,
    };
    agent.models.set(model, counted);
    agent.room.models--;
  }
  count(counted, call.timeMs, nowMs, (tally) => {
    tally.addLatency(call.latencyMs);
    tally.addUse(useOf(call));
    if (call.errorClass) {
      tally.failed++;
      tally.addFailed(call.errorClass, 1);
    }
  });
}

function placeKey({ kind, path }: Pick<Place, "kind" | "path">): string {
  return `${kind} ${path}`;
}

function placeOf(
  agent: Agent,
  call: Pick<ModuleCall, "path" | "pathSource"> & { readonly kind: PlaceKind },
  above: Place | undefined,
): Place {
  const key = placeKey(call);
  const known = agent.places.get(key);
  if (known) return known;
  const hasRoom = agent.places.size < PLACES_MAX && agent.room.places > 0;
  if (!hasRoom && call.path !== "other") {
    return placeOf(agent, { path: "other", pathSource: "span", kind: "module" }, undefined);
  }
  const place: Place = {
    path: call.path,
    pathSource: call.pathSource,
    kind: call.kind,
    depth: above ? above.depth + 1 : 0,
    slices: new Sliced(newTally, placeSlicing),
    run: new RunTally(),
    lastSeenMs: Number.NEGATIVE_INFINITY, // counting the call tells
  };
  agent.places.set(key, place);
  agent.room.places--;
  // The last inside its caller; without one, the last of all.
  const ordered = agent.placesInOrder;
  let index = above ? ordered.indexOf(above) + 1 : ordered.length;
  while (index < ordered.length && above && (ordered[index]?.depth ?? 0) > above.depth) index++;
  ordered.splice(index, 0, place);
  return place;
}

function addError(agent: Agent, error: ErrorEvent, nowMs: number): void {
  const hasRoom = agent.groups.size < GROUPS_MAX && agent.room.groups > 0;
  const full = !hasRoom && !agent.groups.has(error.group);
  const shown: ErrorEvent = full
    ? {
        ...error,
        group: "other",
        type: "other",
        path: "other",
        message: "more groups than are kept apart",
      }
    : error;
  let group = agent.groups.get(shown.group);
  if (!group) {
    group = {
      group: shown.group,
      first: shown,
      last: shown,
      slices: new Sliced(() => new GroupCount(), agentSlicing),
      run: new GroupCount(),
      firstMs: error.timeMs,
      lastMs: error.timeMs,
      lastSeenMs: nowMs,
    };
    agent.groups.set(shown.group, group);
    agent.room.groups--;
  }
  group.lastSeenMs = nowMs;
  if (error.timeMs >= group.lastMs) {
    group.last = shown;
    group.lastMs = error.timeMs;
  }
  const change = (slice: GroupCount) => {
    slice.count++;
    if (error.handled) slice.handled++;
  };
  change(group.run);
  if (error.timeMs <= nowMs + CLOCK_AHEAD_MAX_MS) group.slices.add(error.timeMs, nowMs, change);
}
