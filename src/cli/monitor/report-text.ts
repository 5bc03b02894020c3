/** The final report for people: one table of agents, one of their modules, one of errors, then alerts. */
import { formatDurationMs } from "../../rules/format-quantity.ts";
import { tellApart } from "../../signals/tell-apart.ts";
import type { AgentReport, Figures, Report } from "./report.ts";

/** Modules that are shown; `--output json` has all. */
export const MODULES_MAX = 50;

/** Characters of a message; the rest stands in `--output json`. */
const MESSAGE_MAX_CHARS = 80;

export function reportText(report: Report): string {
  const lines = tellApart(report.errorGroups.map(({ message }) => message));
  const sections = [
    report.agents.length === 0 ? "No agent sent telemetry.\n" : "",
    table(
      ["AGENT", "REQUESTS", "FAILED", ...figureNames, "CACHE HITS"],
      report.agents.map((agent) => [
        agent.endpoint,
        agent.requestsEstimated === null ? String(agent.requests) : `≈${agent.requestsEstimated}`,
        String(agent.failed),
        ...figureCells(agent),
        agent.cacheHits === null ? "–" : String(agent.cacheHits),
      ]),
    ),
    report.agents.map(costText).join(""),
    modulesText(report),
    table(
      ["ERROR", "CLASS", "IN", "AGENT", "COUNT", "HANDLED", "MESSAGE"],
      report.errorGroups.map(({ type, errorClass, path, endpoint, count, handled }, index) => [
        type,
        errorClass,
        path,
        endpoint,
        String(count),
        String(handled),
        messageCell(lines[index] ?? ""),
      ]),
    ),
    report.alerts.map(({ from, to, reason }) => `${from} → ${to}: ${reason}\n`).join(""),
    `${notificationsText(report)} ${droppedText(report)}\n`,
  ];
  return sections.filter((section) => section !== "").join("\n");
}

function messageCell(line: string): string {
  return line.length > MESSAGE_MAX_CHARS ? `${line.slice(0, MESSAGE_MAX_CHARS - 1)}…` : line;
}

const figureNames = ["P50", "P95", "P99", "TOKENS IN", "OUT", "COST"];

function figureCells({ latencyMs, tokens, costUsd }: Figures): string[] {
  return [
    ...(["p50", "p95", "p99"] as const).map((p) =>
      latencyMs ? formatDurationMs(latencyMs[p]) : "–",
    ),
    tokens ? String(tokens.input) : "–",
    tokens ? String(tokens.output) : "–",
    costUsd === null ? "–" : `$${costUsd.toPrecision(3)}`,
  ];
}

function modulesText({ agents }: Report): string {
  const modules = agents.flatMap(({ endpoint, modules }) => {
    const hasSeveralPrograms = new Set(modules.map(({ program }) => program)).size > 1;
    return modules.map((module) => {
      const { program, path } = module;
      return { endpoint, module, name: hasSeveralPrograms ? `${program} ${path}` : path };
    });
  });
  const shown = table(
    ["MODULE", "KIND", "AGENT", "CALLS", "FAILED", ...figureNames],
    modules
      .slice(0, MODULES_MAX)
      .map(({ endpoint, module, name }) => [
        name,
        module.kind,
        endpoint,
        String(module.calls),
        String(module.errors),
        ...figureCells(module),
      ]),
  );
  const more = modules.length - MODULES_MAX;
  return more > 0 ? `${shown}and ${more} more modules, which --output json lists\n` : shown;
}

function notificationsText({ notifications }: Report): string {
  if (notifications === 0) return "No notification was sent.";
  return `${notifications} notification${notifications === 1 ? "" : "s"} sent.`;
}

/** A cost that is not the whole, or not told by the agent itself, says so. */
function costText({ endpoint, costSource, unpricedCalls, unpricedModels }: AgentReport): string {
  const source = {
    told: "",
    price_book: `${endpoint}: the cost is from the price book, as the telemetry tells none.\n`,
    both: `${endpoint}: part of the cost is from the price book, where the telemetry tells none.\n`,
  }[costSource ?? "told"];
  const calls = unpricedCalls === 1 ? "1 model call" : `${unpricedCalls} model calls`;
  return unpricedCalls === 0
    ? source
    : `${source}${endpoint}: ${calls} had no price (${unpricedModels.join(", ")}); the cost is of the others.\n`;
}

function droppedText({ dropped, telemetry }: Report): string {
  const reasons = Object.entries(dropped).map(([reason, count]) => `${count} ${reason}`);
  const what = reasons.length === 0 ? "Nothing was dropped." : `Dropped: ${reasons.join(", ")}.`;
  return telemetry === "recorded"
    ? `${what} Telemetry: recorded from real DSPy programs, sent again with present times.`
    : what;
}

/** The first column to the left, numbers to the right. Empty without rows. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return "";
  const lines = [head, ...rows];
  const widths = head.map((_, column) =>
    Math.max(...lines.map((line) => (line[column] ?? "").length)),
  );
  const isNumber = head.map((_, column) => rows.every((row) => /^[–≈$\d]/.test(row[column] ?? "")));
  return lines
    .map((line) =>
      line
        .map((cell, column) =>
          isNumber[column] ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
        )
        .join("  ")
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join("");
}
