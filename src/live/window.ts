/** The figures of one agent over a stretch of time, in the shape that a diagnosis reads. */
import type { ErrorClass } from "../signals/error-class.ts";
import type { Agent } from "./agents.ts";
import { alignmentMs } from "./counted.ts";
import { failedOfAgent, isFailureOfAgent } from "./failed-of-agent.ts";

export type AgentWindow = {
  readonly requests: number;
  /** Because of the agent. */
  readonly failed: number;
  readonly p50Ms: number | null;
  readonly p95Ms: number | null;
  readonly p99Ms: number | null;
  readonly meanMs: number | null;
  readonly modules: readonly {
    readonly program: string;
    readonly path: string;
    readonly calls: number;
    readonly selfMs: number;
    readonly lmMs: number;
  }[];
  readonly errors: readonly {
    readonly program: string;
    readonly path: string;
    readonly type: string;
    readonly errorClass: ErrorClass;
    readonly count: number;
  }[];
};

/**
 * The window is widened or, at an end in the past, cut to where requests and
 * modules can be compared: a module is not called more often than it was.
 */
export function windowOf(
  agent: Agent,
  wanted: { readonly fromMs: number; readonly toMs: number },
  nowMs: number,
): AgentWindow {
  // A slice may begin before what is still kept of the short ones.
  const unit = alignmentMs(wanted.fromMs - alignmentMs(wanted.fromMs, nowMs), nowMs);
  const align = (timeMs: number) => Math.floor(timeMs / unit) * unit;
  const fromMs = align(wanted.fromMs);
  const toMs = wanted.toMs >= nowMs ? nowMs + unit : align(wanted.toMs);
  const requests = agent.slices.over(fromMs, toMs, nowMs);
  const percentiles = requests.latencyMs.percentiles();
  return {
    requests: requests.calls,
    failed: failedOfAgent(requests),
    p50Ms: percentiles?.p50 ?? null,
    p95Ms: percentiles?.p95 ?? null,
    p99Ms: percentiles?.p99 ?? null,
    meanMs: requests.latencyMs.mean(),
    modules: agent.places.inOrder
      .map(({ program, path, slices }) => {
        const { calls, selfMs, lmMs } = slices.over(fromMs, toMs, nowMs).sum();
        return { program, path, calls, selfMs: selfMs.sum, lmMs };
      })
      .filter(({ calls }) => calls > 0),
    errors: [...agent.groups.values()]
      .map(({ last: { program, path, type, errorClass }, slices }) => {
        const { count, handled } = slices.over(fromMs, toMs, nowMs);
        return { program, path, type, errorClass, count: count - handled };
      })
      .filter(({ count, errorClass }) => count > 0 && isFailureOfAgent(errorClass)),
  };
}
