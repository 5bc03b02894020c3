/**
 * The rules that watch every endpoint unless it has thresholds of its own, and short
 * ones for the example workspace, where a fault should be told within seconds.
 */
import type { Rule } from "./rule.ts";

/** An export is as often as it is, whatever is watched. */
const exportLagging: Rule = {
  id: "export_lagging",
  kind: "export_lagging",
  endpoint: null,
  threshold: 0,
  windowSeconds: 60,
  minRequests: 0,
  holdSeconds: 30,
  keepFiringSeconds: 30,
};

export const defaultRules: readonly Rule[] = [
  {
    id: "latency_p99",
    kind: "latency_p99",
    endpoint: null,
    threshold: 5000,
    windowSeconds: 300,
    minRequests: 10,
    holdSeconds: 30,
    keepFiringSeconds: 120,
  },
  {
    id: "error_rate",
    kind: "error_rate",
    endpoint: null,
    threshold: 5,
    windowSeconds: 300,
    minRequests: 20,
    holdSeconds: 30,
    keepFiringSeconds: 120,
  },
  {
    id: "endpoint_not_ready",
    kind: "endpoint_not_ready",
    endpoint: null,
    threshold: 0,
    windowSeconds: 60,
    minRequests: 0,
    holdSeconds: 30,
    keepFiringSeconds: 60,
  },
  {
    id: "workspace_unreadable",
    kind: "workspace_unreadable",
    endpoint: null,
    threshold: 0,
    windowSeconds: 60,
    minRequests: 0,
    holdSeconds: 30,
    keepFiringSeconds: 30,
  },
  exportLagging,
];

export const exampleRules: readonly Rule[] = [
  {
    id: "latency_p99",
    kind: "latency_p99",
    endpoint: null,
    threshold: 1000,
    windowSeconds: 10,
    minRequests: 3,
    holdSeconds: 4,
    keepFiringSeconds: 5,
  },
  {
    id: "error_rate",
    kind: "error_rate",
    endpoint: null,
    threshold: 40,
    windowSeconds: 15,
    minRequests: 4,
    holdSeconds: 4,
    keepFiringSeconds: 5,
  },
  {
    id: "endpoint_not_ready",
    kind: "endpoint_not_ready",
    endpoint: null,
    threshold: 0,
    windowSeconds: 15,
    minRequests: 0,
    holdSeconds: 5,
    keepFiringSeconds: 5,
  },
  {
    id: "workspace_unreadable",
    kind: "workspace_unreadable",
    endpoint: null,
    threshold: 0,
    windowSeconds: 15,
    minRequests: 0,
    holdSeconds: 5,
    keepFiringSeconds: 5,
  },
  exportLagging,
];

/** Where no workspace is watched. A data directory from when one was may still say that it can't be read. */
export const receiverRules: readonly Rule[] = defaultRules.filter(
  ({ kind }) => kind !== "workspace_unreadable",
);
