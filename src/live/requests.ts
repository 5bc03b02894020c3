/** The requests of an agent: counted, and the last of them one by one. */
import type { ClosedTrace } from "../signals/closed-trace.ts";
import type { LoggedRequest } from "../signals/logged-request.ts";
import type { ModuleCall, Request } from "../signals/request.ts";
import { type CountedRequests, countRequest } from "./counted.ts";
import { PLACES_MAX } from "./places.ts";
import { type CallFigures, callFigures } from "./tally.ts";

/** Requests of one agent that are kept one by one. */
export const RECENT_MAX = 1_000;

export type RecentRequest = {
  readonly request: Request;
  readonly errorType: string | null;
  /** Where it failed, or where most of its time went. */
  readonly path: string | null;
};

type Requested = CountedRequests & {
  modelVersion: string | null;
  lastRequestMs: number | null;
  loggedShare: number | null;
  readonly recentLogged: LoggedRequest[];
  /** Oldest first. */
  readonly recent: RecentRequest[];
};

export function addRequests(
  agent: Requested,
  { requests, moduleCalls, errors }: ClosedTrace,
  nowMs: number,
): void {
  const cause = errors.find(({ handled }) => !handled);
  const slowest = slowestPath(moduleCalls);
  if (requests.length > 0) agent.loggedShare = null;
  for (const request of requests) {
    addRequest(agent, request, nowMs);
    const failure = request.errorClass ? cause : undefined;
    const errorType = failure?.type ?? null;
    agent.recent.push({ request, errorType, path: failure?.path ?? slowest });
    if (agent.recent.length > RECENT_MAX) agent.recent.shift();
  }
}

/** Nothing is known of what went on inside it. */
export function addLoggedRequest(agent: Requested, request: LoggedRequest, nowMs: number): void {
  const { timeMs } = request;
  agent.loggedShare = request.share ?? null;
  agent.recentLogged.push(request);
  if (agent.recentLogged.length > RECENT_MAX) agent.recentLogged.shift();
  agent.lastRequestMs = Math.max(agent.lastRequestMs ?? 0, Math.min(timeMs, nowMs));
  countRequest(agent, timeMs, nowMs, figuresOfLoggedRequest(request));
}

/** How many requests there were, where only a share of them is known; `null` where all are. */
export function estimatedRequests(
  { loggedShare }: Pick<Requested, "loggedShare">,
  requests: number,
): number | null {
  return loggedShare === null ? null : Math.round(requests / loggedShare);
}

export function figuresOfLoggedRequest(request: LoggedRequest): CallFigures {
  const { latencyMs, tokens, errorClass } = request;
  return callFigures({ latencyMs, tokens, errorClass });
}

function addRequest(agent: Requested, request: Request, nowMs: number): void {
  agent.modelVersion = request.modelVersion ?? agent.modelVersion;
  // A clock that is ahead does not make a request of tomorrow.
  agent.lastRequestMs = Math.max(agent.lastRequestMs ?? 0, Math.min(request.timeMs, nowMs));
  countRequest(agent, request.timeMs, nowMs, figuresOfRequest(request));
}

export function figuresOfRequest(request: Request): CallFigures {
  const { latencyMs, errorClass, cache, tokens, cost, cacheHits } = request;
  return callFigures({ latencyMs, errorClass, cache, tokens, cost, cacheHits });
}

/** Of as many paths as are kept apart at all; few requests have more than some, which are found soonest by searching. */
function slowestPath(calls: readonly ModuleCall[]): string | null {
  const paths: string[] = [];
  const ownMs: number[] = [];
  for (const { path, selfMs } of calls) {
    let place = paths.length - 1;
    while (place >= 0 && paths[place] !== path) place--;
    if (place >= 0) ownMs[place] = (ownMs[place] ?? 0) + selfMs;
    else if (paths.length < PLACES_MAX) {
      paths.push(path);
      ownMs.push(selfMs);
    }
  }
  let slowest = 0;
  for (let place = 1; place < paths.length; place++) {
    if ((ownMs[place] ?? 0) > (ownMs[slowest] ?? 0)) slowest = place;
  }
  return paths[slowest] ?? null;
}
