/** The answer of `GET /api/overview`. */
import type { Monitor } from "../../monitor.ts";
import { diagnose } from "../../rules/diagnose.ts";
import type { DataRow, Overview, Source } from "../../web/api.ts";
import type { Range } from "./range.ts";
import {
  agentRow,
  alertRows,
  changeRows,
  componentRows,
  errorGroupRows,
  lossFigures,
  notificationRows,
} from "./rows.ts";

/** What the server knows of the outside, beside the monitor. */
export type Surroundings = {
  readonly source: Source;
  /** What each polled source says of itself. */
  readonly sources: () => readonly DataRow[];
};

export function overview(monitor: Monitor, surroundings: Surroundings, range: Range): Overview {
  const { state } = monitor;
  const agents = [...state.agents.all()].sort((a, b) => a.endpoint.localeCompare(b.endpoint));
  const readings = agents.map((agent) => monitor.readingOf(agent));
  // A receiver may have a data directory from when a workspace was watched.
  const isWatched = surroundings.source.kind !== "receiver";
  return {
    asOfMs: range.nowMs,
    startedMs: monitor.startedMs,
    rangeSeconds: range.seconds,
    sliceSeconds: range.stepMs / 1000,
    source: surroundings.source,
    sentence: diagnose(
      readings,
      monitor.diagnoseOptions,
      isWatched ? monitor.workspaceCheck : null,
    ),
    agents: agents.map((agent) => agentRow(monitor, agent, range)),
    alerts: alertRows(monitor, null),
    changes: changeRows(state.changes, null),
    notifications: notificationRows(state.notifications.values(), null),
    errorGroups: errorGroupRows(agents, range),
    health: componentRows(state.components.values(), null),
    data: [tracesRow(monitor), journalRow(monitor, range.nowMs), ...surroundings.sources()],
    dropped: [...state.dropped].map(([reason, count]) => ({ reason, count })),
    ...lossFigures(agents, range),
  };
}

function tracesRow({ state }: Monitor): DataRow {
  return {
    name: "Traces",
    state: state.lastSpansMs === null ? "waiting" : "ok",
    asOfMs: state.lastSpansMs,
    message:
      state.lastSpansMs === null
        ? "No span has arrived yet."
        : `${state.spansTaken} spans taken, ${state.tracesClosed} traces closed, ${state.openTraces.traceCount} still arriving.`,
  };
}

function journalRow({ storeProblem }: Monitor, nowMs: number): DataRow {
  return {
    name: "Journal",
    state: storeProblem === null ? "ok" : "failing",
    asOfMs: nowMs,
    message: storeProblem ?? "What was acknowledged is on disk.",
  };
}
