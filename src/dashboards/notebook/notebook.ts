/**
 * The Databricks notebook of one agent, in six sections: health, performance, errors,
 * the endpoint, alerts, export. It runs from top to bottom on a cluster against the
 * tables of the history; what can't be had there is said in its place. Pure.
 *
 * It is kept as Jupyter JSON, whose cells nothing inside a cell can end. Names and
 * queries stand in it as Python literals of one line, and in no text that is rendered.
 */
import type { TablePlace } from "../../history/databricks-tables.ts";
import { fullTableName } from "../../history/databricks-tables.ts";
import { tableNames } from "../../history/tables.ts";
import { type AlertThresholds, thresholdRules } from "../../rules/alert-thresholds.ts";
import { ruleSql } from "../sql-alerts/sql-alerts.ts";
import { type TablePanelSection, tablePanels } from "../table-panels.ts";
import { type PythonValue, pythonLiteral } from "./python-text.ts";

export type NotebookOptions = {
  readonly agentName: string;
  readonly endpointName: string;
  readonly place: TablePlace;
  readonly thresholds: AlertThresholds;
  /** How far back the figures go. */
  readonly hours?: number | undefined;
};

export type Notebook = {
  readonly nbformat: 4;
  readonly nbformat_minor: 5;
  readonly metadata: {
    readonly kernelspec: {
      readonly name: string;
      readonly display_name: string;
      readonly language: string;
    };
    readonly language_info: { readonly name: string };
  };
  readonly cells: readonly NotebookCell[];
};

export type NotebookCell = {
  readonly id: string;
  readonly metadata: Readonly<Record<string, never>>;
  readonly source: readonly string[];
} & (
  | { readonly cell_type: "markdown" }
  | {
      readonly cell_type: "code";
      readonly execution_count: null;
      readonly outputs: readonly never[];
    }
);

const HOURS_DEFAULT = 24;
/** Points of a line. */
const POINTS = 144;

export function monitoringNotebook(options: NotebookOptions): Notebook {
  const { agentName, endpointName, place, thresholds, hours = HOURS_DEFAULT } = options;
  const panels = tablePanels(place);
  const rules = thresholdRules(endpointName, thresholds).map((rule) => ({
    rule: rule.kind,
    threshold: rule.threshold,
    window_seconds: rule.windowSeconds,
    min_requests: rule.minRequests,
    sql: ruleSql(rule, place),
  }));
  const tableOf = Object.fromEntries(tableNames.map((name) => [name, fullTableName(place, name)]));
  const drawn = (section: TablePanelSection) =>
    panels
      .filter((panel) => panel.section === section)
      .map(({ section: _, ...panel }) => code(`draw(${pythonLiteral(panel)})`));
  const constants: Readonly<Record<string, PythonValue>> = {
    AGENT: agentName,
    ENDPOINT: endpointName,
    HOURS: hours,
    BUCKET: Math.max(60, Math.ceil((hours * 3_600) / POINTS / 60) * 60),
    TABLES: tableOf,
    RULES: rules,
  };
  const cells = [
    markdown("# DSPy agent monitoring", "", TITLE),
    code(
      ...Object.entries(constants).map(([name, value]) => `${name} = ${pythonLiteral(value)}`),
      'print(f"Agent {AGENT!r}, endpoint {ENDPOINT!r}, the last {HOURS} hours")',
    ),
    code(SETTING),
    markdown("## 1. Health status overview", "", HEALTH_TEXT),
    code(HEALTH),
    code(HEALTH_HISTORY),
    markdown("## 2. Performance metrics", "", "Latency, throughput and token usage."),
    code(PERFORMANCE),
    ...drawn("performance"),
    markdown(
      "## 3. Error analysis",
      "",
      "Rates, and patterns: errors with the same cause are one.",
    ),
    ...drawn("errors"),
    code(ERRORS),
    markdown(
      "## 4. Endpoint metrics",
      "",
      "What the serving endpoint itself tells, minute by minute.",
    ),
    ...drawn("endpoint"),
    code(ENDPOINT),
    markdown("## 5. Alerts configuration", "", ALERTS_TEXT),
    code(ALERTS),
    code(ALERT_CHANGES),
    markdown("## 6. Data export", "", EXPORT_TEXT),
    code(EXPORT),
  ];
  return {
    nbformat: 4,
    nbformat_minor: 5,
    metadata: {
      kernelspec: { name: "python3", display_name: "Python 3", language: "python" },
      language_info: { name: "python" },
    },
    cells: cells.map((cell, at) => ({ id: `cell-${at + 1}`, ...cell })),
  };
}

type NewCell =
  | Omit<Extract<NotebookCell, { cell_type: "markdown" }>, "id">
  | Omit<Extract<NotebookCell, { cell_type: "code" }>, "id">;

function markdown(...lines: readonly string[]): NewCell {
  return { cell_type: "markdown", metadata: {}, source: sourceOf(lines) };
}

function code(...lines: readonly string[]): NewCell {
  return {
    cell_type: "code",
    execution_count: null,
    metadata: {},
    outputs: [],
    source: sourceOf(lines),
  };
}

/** Jupyter keeps a line break at the end of each line but the last. */
function sourceOf(lines: readonly string[]): readonly string[] {
  return lines
    .join("\n")
    .split("\n")
    .map((line, at, all) => (at < all.length - 1 ? `${line}\n` : line));
}

// ─── What stands in the cells ───────────────────────────────────────────────

const TITLE = `Made by dspy-databricks-agents from the Delta tables that the monitor's history is exported to. Run all cells;
change \`HOURS\` in the next one to look further back.`;

const SETTING = `import re

import matplotlib.pyplot as plt


def literal(value):
    """A value as SQL takes it."""
    if isinstance(value, (int, float)):
        return str(value)
    return "'" + value.replace("\\\\", "\\\\\\\\").replace("'", "\\\\'") + "'"


def filled(sql, parameters):
    """The query with values in place of its markers, such as :endpoint."""
    return re.sub(r":(\\w+)\\b", lambda marker: literal(parameters[marker[1]]) if marker[1] in parameters else marker[0], sql)


def ask(sql, **parameters):
    """Rows of a query; None, and the reason, where it can't be asked."""
    try:
        return spark.sql(filled(sql, parameters)).collect()
    except Exception as error:
        print(f"This can't be told: {type(error).__name__}: {str(error).splitlines()[0][:300]}")
        return None


RECENT = (
    "endpoint_name = :endpoint AND timestamp > "
    "timestamp_seconds(unix_seconds(current_timestamp()) - :hours * 3600)"
)


def quoted(table):
    """The name of a table as SQL takes it."""
    return ".".join("\`" + part.replace("\`", "\`\`") + "\`" for part in TABLES[table].split("."))


def show(rows):
    """Rows as a table, in Databricks and elsewhere."""
    if rows is None:
        return
    if not rows:
        print("Nothing in this time.")
        return
    names = rows[0].__fields__
    cells = [[("" if value is None else str(value)) for value in row] for row in rows]
    widths = [max(len(text) for text in column) for column in zip(names, *cells)]
    for line in [names, *cells]:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip())


def draw(panel):
    """One figure, or a sentence where there is nothing to draw."""
    rows = ask(panel["sql"], endpoint=ENDPOINT, hours=HOURS, bucket=BUCKET)
    if rows is None:
        return
    rows = [row for row in rows if row["value"] is not None]
    if not rows:
        print(f"{panel['title']}: nothing in the last {HOURS} hours.")
        return
    figure, axes = plt.subplots(figsize=(11, 3.2))
    if panel["shape"] == "bars":
        names = [str(row["name"]).replace("$", "\\\\$") for row in reversed(rows)]
        axes.barh(names, [float(row["value"]) for row in reversed(rows)])
        axes.set_xlabel(panel["unit"])
    else:
        lines = {}
        for row in rows:
            line = row["line"] if "line" in row.__fields__ else ""
            lines.setdefault(line, []).append((row["time"], float(row["value"])))
        for line, points in lines.items():
            times, values = zip(*points)
            axes.plot(times, values, label=line or None, marker="." if len(points) < 60 else None)
        if any(lines):
            axes.legend(loc="upper left")
        axes.set_ylim(bottom=0)
        axes.set_ylabel(panel["unit"])
        figure.autofmt_xdate()
    axes.set_title(f"{panel['title']}: {panel['description']}", loc="left", fontsize=10)
    figure.tight_layout()
    plt.show()`;

const HEALTH_TEXT = `The endpoint and its model are asked now, as whoever runs the notebook. Below is what the health checks said.`;

const HEALTH = `def live_health():
    from databricks.sdk import WorkspaceClient

    endpoint = WorkspaceClient().serving_endpoints.get(ENDPOINT)
    state = endpoint.state
    told = lambda value: getattr(value, "value", None) or "not told"
    print(f"Ready          {told(state.ready) if state else 'not told'}")
    print(f"Config update  {told(state.config_update) if state else 'not told'}")
    entities = (endpoint.config.served_entities if endpoint.config else None) or []
    for entity in entities:
        deployment = told(entity.state.deployment) if entity.state else "not told"
        print(f"Serves         {entity.entity_name} version {entity.entity_version}: {deployment}")


try:
    live_health()
except Exception as error:
    print(f"The workspace could not be asked from here ({type(error).__name__}).")
    print("In Databricks it is asked as you; elsewhere set DATABRICKS_HOST and DATABRICKS_TOKEN")
    print("and install databricks-sdk.")`;

const HEALTH_HISTORY = `show(ask(
    "SELECT component, max_by(status, timestamp) AS status, max_by(state, timestamp) AS state, "
    "max(timestamp) AS since, max_by(message, timestamp) AS message "
    f"FROM {quoted('health')} WHERE endpoint_name = :endpoint OR endpoint_name IS NULL "
    "GROUP BY component ORDER BY component",
    endpoint=ENDPOINT,
))`;

const PERFORMANCE = `show(ask(
    "SELECT COUNT(*) AS requests, "
    "percentile_disc(0.5) WITHIN GROUP (ORDER BY latency_ms) AS p50_ms, "
    "percentile_disc(0.95) WITHIN GROUP (ORDER BY latency_ms) AS p95_ms, "
    "percentile_disc(0.99) WITHIN GROUP (ORDER BY latency_ms) AS p99_ms, "
    "SUM(input_tokens) AS input_tokens, SUM(output_tokens) AS output_tokens, "
    "ROUND(SUM(cost_usd), 4) AS cost_usd "
    f"FROM (SELECT DISTINCT event_id, timestamp, latency_ms, input_tokens, output_tokens, cost_usd, endpoint_name FROM {quoted('requests')}) "
    f"WHERE {RECENT}",
    endpoint=ENDPOINT, hours=HOURS,
))`;

const ERRORS = `show(ask(
    "SELECT COUNT(DISTINCT event_id) AS errors, any_value(error_type) AS type, any_value(error_class) AS class, "
    "min(timestamp) AS first_seen, max(timestamp) AS last_seen, any_value(left(message, 120)) AS example "
    f"FROM {quoted('errors')} WHERE {RECENT} GROUP BY group_id ORDER BY errors DESC LIMIT 20",
    endpoint=ENDPOINT, hours=HOURS,
))`;

const ENDPOINT = `show(ask(
    "SELECT metric_name, max_by(value, timestamp) AS last, min(value) AS min, max(value) AS max, max(timestamp) AS as_of "
    f"FROM {quoted('metrics')} WHERE {RECENT} AND source = 'endpoint_metrics' "
    "GROUP BY metric_name ORDER BY metric_name",
    endpoint=ENDPOINT, hours=HOURS,
))`;

const ALERTS_TEXT = `The rules of this agent, each compared now as its SQL alert compares it. A value that is not told means that there is
nothing to judge: too few requests, or no more slow ones than are allowed.`;

const ALERTS = `for rule in RULES:
    rows = ask(rule["sql"])
    value = rows[0][0] if rows else None
    state = "not told" if value is None else ("above" if value > rule["threshold"] else "within")
    print(f"{rule['rule']:14} {state:9} {'' if value is None else round(float(value), 2)!s:>10}"
          f"  limit {rule['threshold']} over {rule['window_seconds']} s")`;

const ALERT_CHANGES = `show(ask(
    "SELECT timestamp, rule_id, from_state, to_state, value, threshold, left(reason, 120) AS reason "
    f"FROM {quoted('alerts')} WHERE {RECENT} ORDER BY timestamp DESC LIMIT 50",
    endpoint=ENDPOINT, hours=HOURS,
))`;

const EXPORT_TEXT = `Rows by table, and how fresh they are. Set \`EXPORT_TO\` to a folder of a volume to write the agent's rows there as Parquet.`;

const EXPORT = `EXPORT_TO = None  # such as "/Volumes/ml/monitoring/exports/qa"

for name in TABLES:
    for row in ask(
        f"SELECT COUNT(*) AS rows, max(timestamp) AS newest FROM {quoted(name)} WHERE endpoint_name = :endpoint",
        endpoint=ENDPOINT,
    ) or []:
        print(f"{name:14} {row['rows']:>10} rows, the newest {row['newest'] or 'never'}")

if EXPORT_TO:
    for name in TABLES:
        recent = filled(RECENT, {"endpoint": ENDPOINT, "hours": HOURS})
        rows = spark.sql(f"SELECT * FROM {quoted(name)} WHERE {recent}")
        rows.write.mode("overwrite").parquet(f"{EXPORT_TO}/{name}")
        print(f"Wrote {EXPORT_TO}/{name}")`;
