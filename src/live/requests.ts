/** The requests of an agent: counted, and the last of them one by one. */
import type { ClosedTrace } from "../signals/closed-trace.ts";
import { unknownCost } from "../signals/cost.ts";
import type { LoggedRequest } from "../signals/logged-request.ts";
import type { ModuleCall, Request } from "../signals/request.ts";
import { type CountedRequests, countRequest } from "./counted.ts";
import type { Tally } from "./tally.ts";

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
  countRequest(agent, timeMs, nowMs, (tally) => tallyLoggedRequest(tally, request));
}

/** How many requests there were, where only a share of them is known; `null` where all are. */
export function estimatedRequests(
  { loggedShare }: Pick<Requested, "loggedShare">,
  requests: number,
): number | null {
  return loggedShare === null ? null : Math.round(requests / loggedShare);
}

export function tallyLoggedRequest(
  tally: Tally,
  { latencyMs, tokens, errorClass }: LoggedRequest,
): void {
  tally.addLatency(latencyMs);
  tally.addUse({ tokens, cost: unknownCost, cacheHits: null });
  if (errorClass) tally.addFailed(errorClass);
}

function addRequest(agent: Requested, request: Request, nowMs: number): void {
  agent.modelVersion = request.modelVersion ?? agent.modelVersion;
  // A clock that is ahead does not make a request of tomorrow.
  agent.lastRequestMs = Math.max(agent.lastRequestMs ?? 0, Math.min(request.timeMs, nowMs));
  countRequest(agent, request.timeMs, nowMs, (tally) => tallyRequest(tally, request));
}

export function tallyRequest(tally: Tally, request: Request): void {
  tally.addLatency(request.latencyMs);
  tally.addCacheLatency(request.cache, request.latencyMs);
  tally.addUse(request);
  if (request.errorClass) tally.addFailed(request.errorClass);
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
