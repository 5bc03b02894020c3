/**
 * The AI/BI dashboard of one agent over the Delta tables of the history, which
 * Databricks' API calls Lakeview: the figures of `table-panels.ts` for a day and for a
 * month, what counts most as numbers, the rules as they stand, and what alerts said. Pure.
 *
 * Names stand in its queries as literals. The shape of the JSON follows dashboards that
 * Databricks publishes as examples (databricks/bundle-examples, October 2026).
 */
import { quotedTable, quotedText, type TablePlace } from "../../history/databricks-tables.ts";
import type { TableName } from "../../history/tables.ts";
import { type AlertThresholds, thresholdRules } from "../../rules/alert-thresholds.ts";
import { FAILED_SQL, ruleSql } from "../sql-alerts/sql-alerts.ts";
import { type TablePanel, tablePanels } from "../table-panels.ts";

export type AibiOptions = {
  readonly agentName: string;
  readonly endpointName: string;
  readonly place: TablePlace;
  readonly thresholds: AlertThresholds;
};

export type AibiDashboard = {
  readonly datasets: readonly AibiDataset[];
  readonly pages: readonly AibiPage[];
};

export type AibiDataset = {
  readonly name: string;
  readonly displayName: string;
  /** Joined they are the query. */
  readonly queryLines: readonly string[];
};

export type AibiPage = {
  readonly name: string;
  readonly displayName: string;
  readonly pageType: "PAGE_TYPE_CANVAS";
  readonly layout: readonly { readonly widget: Widget; readonly position: Position }[];
};

type Position = {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
};

type Widget = { readonly name: string } & (
  | { readonly multilineTextboxSpec: { readonly lines: readonly string[] } }
  | { readonly queries: readonly WidgetQuery[]; readonly spec: WidgetSpec }
);

type WidgetQuery = {
  readonly name: string;
  readonly query: {
    readonly datasetName: string;
    readonly fields: readonly { readonly name: string; readonly expression: string }[];
    readonly disaggregated: boolean;
  };
};

type WidgetSpec = {
  readonly version: number;
  readonly widgetType: "counter" | "line" | "bar" | "table";
  readonly encodings: Readonly<Record<string, unknown>>;
  readonly frame: {
    readonly showTitle: boolean;
    readonly title: string;
    readonly showDescription?: boolean;
    readonly description?: string;
  };
};

/** Columns of a page. */
const WIDTH = 6;
const HALF = WIDTH / 2;
const CHART_HEIGHT = 5;
const TABLE_HEIGHT = 5;
const COUNTER_HEIGHT = 2;

const spans = [
  { id: "day", title: "Last 24 hours", hours: 24, bucketSeconds: 900 },
  { id: "month", title: "Last 30 days", hours: 720, bucketSeconds: 21_600 },
] as const;
type Span = (typeof spans)[number];

export function aibiDashboard(options: AibiOptions): AibiDashboard {
  const panels = tablePanels(options.place);
  const [day] = spans;
  const named = (name: string, displayName: string, sql: string): AibiDataset => ({
    name,
    displayName,
    queryLines: sql.split("\n").map((line) => `${line}\n`),
  });
  return {
    datasets: [
      named("summary", "Summary", filled(summarySql(options), options, day)),
      named("rules", "Rules", rulesSql(options)),
      named("alerts", "Alerts", filled(alertsSql(options), options, day)),
      named("deployments", "Deployments", filled(deploymentsSql(options), options, day)),
      ...spans.flatMap((span) =>
        panels.map((panel) =>
          named(
            datasetOf(panel, span),
            `${panel.title}, ${span.title.toLowerCase()}`,
            filled(panel.sql, options, span),
          ),
        ),
      ),
    ],
    pages: spans.map((span) => ({
      name: span.id,
      displayName: span.title,
      pageType: "PAGE_TYPE_CANVAS",
      layout: stacked([
        [textbox(`${span.id}_title`, titleText(options))],
        ...(span.id === "day" ? [counters(), tables()] : []),
        panels.map((panel) => chart(panel, span)),
      ]),
    })),
  };
}

// ─── Queries ────────────────────────────────────────────────────────────────

const datasetOf = ({ id }: TablePanel, { id: span }: Span) => `${id}_${span}`;

/** Values in place of the markers. */
function filled(
  sql: string,
  { endpointName }: AibiOptions,
  { hours, bucketSeconds }: Span,
): string {
  return sql
    .replaceAll(":hours", String(hours))
    .replaceAll(":bucket", String(bucketSeconds))
    .replaceAll(":endpoint", () => quotedText(endpointName));
}

function about({ place }: AibiOptions, table: TableName): string {
  return `FROM ${quotedTable(place, table)}
WHERE endpoint_name = :endpoint`;
}

function summarySql(options: AibiOptions): string {
  return `SELECT COUNT(DISTINCT event_id) AS requests,
  ROUND(100.0D * COUNT(DISTINCT CASE WHEN ${FAILED_SQL} THEN event_id END) / NULLIF(COUNT(DISTINCT event_id), 0), 2) AS error_rate_percent,
  percentile_disc(0.99) WITHIN GROUP (ORDER BY latency_ms) AS latency_p99_ms,
  SUM(cost_usd) AS cost_usd
${about(options, "requests")}
  AND timestamp > timestamp_seconds(unix_seconds(current_timestamp()) - :hours * 3600)`;
}

function rulesSql({ endpointName, thresholds, place }: AibiOptions): string {
  const rules = thresholdRules(endpointName, thresholds).map(
    (rule) =>
      `SELECT '${rule.kind}' AS rule, CAST((${ruleSql(rule, place)}) AS DOUBLE) AS value, ${rule.threshold}D AS threshold, ${rule.windowSeconds} AS window_seconds`,
  );
  return `SELECT rule, CASE WHEN value > threshold THEN 'breached' ELSE 'ok' END AS state, value, threshold, window_seconds
FROM (
${rules.join("\nUNION ALL ")}
)
ORDER BY rule`;
}

function alertsSql(options: AibiOptions): string {
  return `SELECT timestamp AS time, rule_id, from_state, to_state, value, threshold, reason
${about(options, "alerts")}
ORDER BY time DESC LIMIT 50`;
}

function deploymentsSql(options: AibiOptions): string {
  return `SELECT timestamp AS time, from_version, to_version, release, outcome
${about(options, "deployments")}
ORDER BY time DESC LIMIT 50`;
}

// ─── Widgets ────────────────────────────────────────────────────────────────

type Sized = { readonly widget: Widget; readonly width: number; readonly height: number };

function titleText({ agentName, endpointName, place }: AibiOptions): readonly string[] {
  return [
    `# ${plain(agentName)}\n`,
    `Endpoint ${plain(endpointName)}, from ${plain(`${place.catalog}.${place.schema}.${place.prefix}`)}\\_…: what was exported, as of then.`,
  ];
}

/** A name in Markdown is no markup. */
function plain(name: string): string {
  return name
    .replaceAll(/\s+/g, " ")
    .replaceAll(/[\\`*_{}[\]()<>#+!|~-]/g, (character) => `\\${character}`);
}

function textbox(name: string, lines: readonly string[]): Sized {
  return { widget: { name, multilineTextboxSpec: { lines } }, width: WIDTH, height: 1 };
}

function counters(): readonly Sized[] {
  const counter = (field: string, title: string, width: number): Sized => ({
    widget: {
      name: `summary_${field}`,
      queries: [queryOf("summary", [field])],
      spec: {
        version: 2,
        widgetType: "counter",
        encodings: { value: { fieldName: field, displayName: title } },
        frame: { showTitle: true, title },
      },
    },
    width,
    height: COUNTER_HEIGHT,
  });
  return [
    counter("requests", "Requests", 2),
    counter("error_rate_percent", "Error rate, %", 2),
    counter("latency_p99_ms", "Latency p99, ms", 1),
    counter("cost_usd", "Cost, $", 1),
  ];
}

function tables(): readonly Sized[] {
  return [
    table("rules", "Rules as they stand now", [
      "rule",
      "state",
      "value",
      "threshold",
      "window_seconds",
    ]),
    table("alerts", "What alerts of the monitor said last", [
      "time",
      "rule_id",
      "from_state",
      "to_state",
      "value",
      "threshold",
      "reason",
    ]),
    table("deployments", "Releases", ["time", "from_version", "to_version", "release", "outcome"]),
  ];
}

const columnTypes: Readonly<Record<string, "datetime" | "float">> = {
  time: "datetime",
  value: "float",
  threshold: "float",
  window_seconds: "float",
};

function table(dataset: string, title: string, columns: readonly string[]): Sized {
  return {
    widget: {
      name: `${dataset}_table`,
      queries: [queryOf(dataset, columns)],
      spec: {
        version: 1,
        widgetType: "table",
        encodings: {
          columns: columns.map((fieldName, index) => {
            const type = columnTypes[fieldName] ?? "string";
            return {
              fieldName,
              title: fieldName.replaceAll("_", " "),
              type,
              displayAs: type === "float" ? "number" : type,
              order: 100_000 + index,
              visible: true,
              alignContent: type === "float" ? "right" : "left",
            };
          }),
        },
        frame: { showTitle: true, title },
      },
    },
    width: dataset === "alerts" ? WIDTH : HALF,
    height: TABLE_HEIGHT,
  };
}

function chart(panel: TablePanel, span: Span): Sized {
  const { id, title, description, shape, unit, sql } = panel;
  const dataset = datasetOf(panel, span);
  const value = { fieldName: "value", scale: { type: "quantitative" }, displayName: unit };
  const hasLines = /\bAS line\b/.test(sql);
  const fields =
    shape === "bars" ? ["name", "value"] : ["time", "value", ...(hasLines ? ["line"] : [])];
  return {
    widget: {
      name: `${id}_${span.id}_chart`,
      queries: [queryOf(dataset, fields)],
      spec: {
        version: 3,
        widgetType: shape === "bars" ? "bar" : "line",
        encodings:
          shape === "bars"
            ? {
                x: value,
                y: {
                  fieldName: "name",
                  scale: { type: "categorical", sort: { by: "x-reversed" } },
                  displayName: " ",
                },
              }
            : {
                x: { fieldName: "time", scale: { type: "temporal" }, displayName: " " },
                y: value,
                ...(hasLines && {
                  color: { fieldName: "line", scale: { type: "categorical" }, displayName: " " },
                }),
              },
        frame: {
          showTitle: true,
          title: `${title}, ${unit}`,
          showDescription: true,
          description,
        },
      },
    },
    width: HALF,
    height: CHART_HEIGHT,
  };
}

/** Rows as the dataset gives them. */
function queryOf(datasetName: string, fields: readonly string[]): WidgetQuery {
  return {
    name: "main_query",
    query: {
      datasetName,
      fields: fields.map((name) => ({ name, expression: `\`${name}\`` })),
      disaggregated: true,
    },
  };
}

/** Each group begins a row of its own; within it they stand side by side as far as there is room. */
function stacked(groups: readonly (readonly Sized[])[]): AibiPage["layout"] {
  const placed: { readonly widget: Widget; readonly position: Position }[] = [];
  let y = 0;
  for (const group of groups) {
    let x = 0;
    let rowHeight = 0;
    for (const { widget, width, height } of group) {
      if (x + width > WIDTH) {
        y += rowHeight;
        x = 0;
        rowHeight = 0;
      }
      placed.push({ widget, position: { x, y, width, height } });
      x += width;
      rowHeight = Math.max(rowHeight, height);
    }
    y += rowHeight;
  }
  return placed;
}
