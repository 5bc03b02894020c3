/** The answer of `GET /api/overview`. */
import type { Monitor } from "../../monitor/monitor.ts";
import { diagnose } from "../../rules/diagnose.ts";
import type { Summaries } from "../../summaries/summaries.ts";
import type { DataRow, ExportRow, FiguresFrom, Overview, Source } from "../../web/api.ts";
import { exportDataRow } from "./exports.ts";
import { type AgentFigures, liveFigures, summedFigures } from "./figures.ts";
import { fromLive, fromSummaries, readOrNull } from "./figures-from.ts";
import { type Forwarded, forwardingDataRow, forwardingRows } from "./forwarding.ts";
import { type Range, summarisedRangeOf } from "./range.ts";
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
  /** Of the history; left out where none is kept. */
  readonly summaries?: Summaries | undefined;
  /** What goes on to another receiver. Left out, nothing does. */
  readonly forwarding?: (() => readonly Forwarded[]) | undefined;
  /** How each export of the history stands; left out, there is none. */
  readonly exports?: () => readonly ExportRow[];
};

/** @param name of the range. @param range as the live figures tell it. */
export async function overview(
  monitor: Monitor,
  surroundings: Surroundings,
  { name, range }: { readonly name: string; readonly range: Range },
): Promise<Overview> {
  const { state } = monitor;
  const live = [...state.agents.all()];
  const known = await figuresOf(monitor, surroundings, { name, range });
  const agents = known.agents.toSorted((a, b) => a.agent.endpoint.localeCompare(b.agent.endpoint));
  const readings = live
    .toSorted((a, b) => a.endpoint.localeCompare(b.endpoint))
    .map((agent) => monitor.alerting.readingOf(agent));
  const forwarded = surroundings.forwarding?.() ?? [];
  // A receiver may have a data directory from when a workspace was watched.
  const isWatched = surroundings.source.kind !== "receiver";
  return {
    asOfMs: range.nowMs,
    startedMs: monitor.startedMs,
    rangeSeconds: range.seconds,
    sliceSeconds: known.range.stepMs / 1000,
    figures: known.figures,
    source: surroundings.source,
    sentence: diagnose(
      readings,
      monitor.alerting.diagnoseOptions,
      isWatched ? monitor.alerting.workspaceCheck : null,
    ),
    agents: agents.map((agent) =>
      agentRow(monitor, agent, { ...known.range, sinceMs: known.figures.sinceMs }),
    ),
    alerts: alertRows(monitor, null),
    changes: changeRows(state.changes, null),
    notifications: notificationRows(state.notifications.values(), null),
    errorGroups: errorGroupRows(agents, known.range.steps),
    health: componentRows(state.components.values(), null),
    data: [
      tracesRow(monitor),
      journalRow(monitor, range.nowMs),
      ...surroundings.sources(),
      ...forwarded.map((lane) => forwardingDataRow(lane, range.nowMs)),
      ...(surroundings.exports?.() ?? []).map((one) =>
        exportDataRow(one, monitor.alerting.diagnoseOptions.formatTime),
      ),
    ],
    forwarding: forwardingRows(forwarded, range.nowMs),
    dropped: [...state.dropped].map(([reason, count]) => ({ reason, count })),
    ...lossFigures(agents),
  };
}

type Known = {
  readonly agents: readonly AgentFigures[];
  readonly range: Range;
  readonly figures: FiguresFrom;
};

async function figuresOf(
  monitor: Monitor,
  { summaries }: Surroundings,
  { name, range }: { readonly name: string; readonly range: Range },
): Promise<Known> {
  const { agents } = monitor.state;
  const long = summarisedRangeOf(name, range.nowMs, "list");
  const read = long && (await readOrNull(summaries, null, long));
  if (!read) {
    const live = agents.all().map((agent) => liveFigures(agent, range));
    return { agents: live, range, figures: fromLive(monitor) };
  }
  const summed = read.agents.map((told) => summedFigures(told, agents.get(told.agent)));
  const told = new Set(read.agents.map(({ agent }) => agent));
  // Those that are watched, or were seen in the last minute, without a summary yet.
  const others = agents.all().filter(({ endpoint }) => !told.has(endpoint));
  const unsummed = others.map((agent) => liveFigures(agent, long));
  return { agents: [...summed, ...unsummed], range: long, figures: fromSummaries(read, monitor) };
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
