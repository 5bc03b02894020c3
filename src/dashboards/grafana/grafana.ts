/**
 * The list of panels as a Grafana dashboard: the JSON model that Grafana imports,
 * in the `{ dashboard }` that its API takes (`POST /api/dashboards/db`). Its shape
 * is checked against Grafana's own types in the test beside it.
 */
import {
  type MetricsSource,
  type Panel,
  type PanelQuery,
  type PanelUnit,
  panelSections,
} from "../panels.ts";

export type GrafanaDashboardOptions = {
  /** In front of every name, such as `dspy_`. */
  readonly prefix: string;
  readonly source: MetricsSource;
  readonly errorRatePercent: { readonly warning: number; readonly critical: number };
  readonly latencyP99Ms?: number | undefined;
  /** A line of an agent leads to its page in the monitor. */
  readonly monitorUrl?: string | undefined;
  /** A line of an agent leads to its endpoint in the Databricks workspace. */
  readonly workspaceUrl?: string | undefined;
};

export type GrafanaDashboard = {
  readonly dashboard: {
    readonly uid: string;
    readonly title: string;
    readonly description: string;
    readonly tags: readonly string[];
    readonly timezone: "browser";
    readonly schemaVersion: number;
    readonly editable: boolean;
    /** One crosshair for all panels. */
    readonly graphTooltip: 1;
    readonly refresh: string;
    readonly time: { readonly from: string; readonly to: string };
    readonly links: readonly GrafanaLink[];
    readonly templating: { readonly list: readonly GrafanaVariable[] };
    readonly annotations: { readonly list: readonly never[] };
    readonly panels: readonly (GrafanaRow | GrafanaPanel)[];
  };
};

export type GrafanaLink = {
  readonly title: string;
  readonly type: "link" | "dashboards";
  readonly icon: string;
  readonly tooltip: string;
  readonly url?: string;
  readonly tags: readonly string[];
  readonly asDropdown: boolean;
  readonly targetBlank: boolean;
  readonly includeVars: boolean;
  readonly keepTime: boolean;
};

type DataSource = { readonly type: "prometheus"; readonly uid: string };

type GrafanaChoice = {
  readonly text: string | readonly string[];
  readonly value: string | readonly string[];
};

export type GrafanaVariable =
  | {
      readonly type: "datasource";
      readonly name: string;
      readonly label: string;
      readonly query: "prometheus";
    }
  | {
      readonly type: "query";
      readonly name: string;
      readonly label: string;
      readonly description: string;
      readonly datasource: DataSource;
      readonly definition: string;
      readonly query: { readonly query: string; readonly refId: string };
      /** On every change of the time range. */
      readonly refresh: 2;
      /** By name, from A on. */
      readonly sort: 1;
      readonly multi: true;
      readonly includeAll: true;
      readonly allValue: string;
      readonly current: GrafanaChoice;
    };

export type GrafanaGridPos = {
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
};

export type GrafanaRow = {
  readonly type: "row";
  readonly id: number;
  readonly title: string;
  readonly collapsed: false;
  readonly gridPos: GrafanaGridPos;
  readonly panels: readonly never[];
};

export type GrafanaTarget = {
  readonly refId: string;
  readonly expr: string;
  readonly legendFormat: string;
  readonly datasource: DataSource;
  readonly editorMode: "code";
  readonly range: true;
  readonly format: "time_series" | "heatmap";
  readonly exemplar: boolean;
};

type GrafanaThreshold = { readonly color: string; readonly value: number | null };

export type GrafanaPanel = {
  readonly type: "stat" | "timeseries" | "heatmap";
  readonly id: number;
  readonly title: string;
  readonly description: string;
  readonly gridPos: GrafanaGridPos;
  readonly datasource: DataSource;
  readonly fieldConfig: {
    readonly defaults: {
      readonly unit: string;
      readonly min?: number;
      readonly max?: number;
      readonly noValue: string;
      readonly color: { readonly mode: "thresholds" | "palette-classic" };
      readonly thresholds: {
        readonly mode: "absolute";
        readonly steps: readonly GrafanaThreshold[];
      };
      readonly mappings: readonly {
        readonly type: "special";
        readonly options: {
          readonly match: "null+nan";
          readonly result: { readonly text: string };
        };
      }[];
      readonly links: readonly {
        readonly title: string;
        readonly url: string;
        readonly targetBlank: true;
      }[];
      readonly custom?: Readonly<Record<string, unknown>>;
    };
    readonly overrides: readonly never[];
  };
  readonly options: Readonly<Record<string, unknown>>;
  readonly targets: readonly GrafanaTarget[];
};

// biome-ignore lint/suspicious/noTemplateCurlyInString: this is Grafana's variable, filled in by Grafana.
const datasource: DataSource = { type: "prometheus", uid: "${datasource}" };
// biome-ignore lint/suspicious/noTemplateCurlyInString: likewise.
const ENDPOINT_OF_LINE = "${__field.labels.endpoint:percentencode}";

const GRID_WIDTH = 24;
const ROW_HEIGHT = 1;
const FIGURE_HEIGHT = 4;
const LINES_HEIGHT = 8;

/**
 * The model of Grafana 10 and 11; newer ones bring it up to date when they read it.
 *
 * Source: Grafana's `DashboardMigrator`.
 */
const SCHEMA_VERSION = 39;
const NOTHING = "–";

const unitOf: Readonly<Record<PanelUnit, string>> = {
  "requests/s": "reqps",
  "calls/s": "ops",
  percent: "percent",
  seconds: "s",
  "tokens/s": "suffix: tokens/s",
  "spans/s": "suffix: spans/s",
  "USD/h": "currencyUSD",
  count: "short",
  "yes or no": "bool_yes_no",
};

const queryOf: Readonly<Record<string, string>> = {
  $agents: 'job=~"$job",endpoint=~"$endpoint"',
  $jobs: 'job=~"$job"',
  $window: "$__rate_interval",
};

const titleOf: Readonly<Record<MetricsSource, string>> = {
  service: "DSPy Agent Monitoring",
  monitor: "DSPy Agent Monitoring: monitor",
};

export function grafanaDashboard(options: GrafanaDashboardOptions): GrafanaDashboard {
  const { prefix, source, errorRatePercent, latencyP99Ms } = options;
  const panels: (GrafanaRow | GrafanaPanel)[] = [];
  let y = 0;
  for (const section of panelSections({ prefix, source, errorRatePercent, latencyP99Ms })) {
    const gridPos = { x: 0, y, w: GRID_WIDTH, h: ROW_HEIGHT };
    const id = panels.length + 1;
    panels.push({
      type: "row",
      id,
      title: section.title,
      collapsed: false,
      gridPos,
      panels: [],
    });
    const places = placesOf(section.panels, y + ROW_HEIGHT);
    for (const [index, panel] of section.panels.entries()) {
      const place = places[index] ?? gridPos;
      panels.push(grafanaPanel(panel, { id: panels.length + 1, gridPos: place, options }));
      y = place.y + place.h;
    }
  }
  return {
    dashboard: {
      uid: uidOf(options),
      title: titleOf[source],
      description:
        "Agents on Databricks: requests, errors, latency and tokens. A service that calls an agent and a monitor that watches it both count the same calls: choose one job to see them once.",
      tags: ["dspy", "databricks"],
      timezone: "browser",
      schemaVersion: SCHEMA_VERSION,
      editable: true,
      graphTooltip: 1,
      refresh: "30s",
      time: { from: "now-1h", to: "now" },
      links: links(options),
      templating: { list: variables(prefix) },
      annotations: { list: [] },
      panels,
    },
  };
}

/** Figures share one line, lines stand two by two; the last one alone takes the whole width. */
function placesOf(panels: readonly Panel[], top: number): GrafanaGridPos[] {
  const isFigures = panels.every(({ shape }) => shape === "figure");
  const perLine = isFigures ? panels.length : 2;
  const height = isFigures ? FIGURE_HEIGHT : LINES_HEIGHT;
  return panels.map((_, index) => {
    const line = Math.floor(index / perLine);
    const inLine = Math.min(perLine, panels.length - line * perLine);
    const at = (column: number) => Math.floor((column * GRID_WIDTH) / inLine);
    const column = index % perLine;
    return { x: at(column), y: top + line * height, w: at(column + 1) - at(column), h: height };
  });
}

/** Two dashboards of one Grafana need two; the same one again takes the place of the old. */
function uidOf({ prefix, source }: GrafanaDashboardOptions): string {
  const parts = ["dspy-agent-monitoring"];
  if (source === "monitor") parts.push("monitor");
  if (prefix !== "dspy_") parts.push(prefix.replaceAll(/[^a-zA-Z0-9_-]/g, "_"));
  return parts.join("-").slice(0, UID_MAX_CHARS);
}

/** Source: Grafana's API refuses longer ones. */
const UID_MAX_CHARS = 40;

function links({ monitorUrl }: GrafanaDashboardOptions): GrafanaLink[] {
  const others: GrafanaLink = {
    title: "DSPy dashboards",
    type: "dashboards",
    icon: "external link",
    tooltip: "",
    tags: ["dspy"],
    asDropdown: true,
    targetBlank: false,
    includeVars: true,
    keepTime: true,
  };
  if (monitorUrl === undefined) return [others];
  const monitor: GrafanaLink = {
    ...others,
    title: "Monitor",
    type: "link",
    tooltip: "What is wrong now, and why",
    url: monitorUrl,
    tags: [],
    asDropdown: false,
    targetBlank: true,
    includeVars: false,
    keepTime: false,
  };
  return [monitor, others];
}

function variables(prefix: string): GrafanaVariable[] {
  const values = (
    name: string,
    { label, description, query }: Readonly<Record<"label" | "description" | "query", string>>,
  ): GrafanaVariable => ({
    type: "query",
    name,
    label,
    description,
    datasource,
    definition: query,
    query: { query, refId: `Variable-${name}` },
    refresh: 2,
    sort: 1,
    multi: true,
    includeAll: true,
    allValue: ".*",
    current: { text: ["All"], value: ["$__all"] },
  });
  return [
    { type: "datasource", name: "datasource", label: "Data source", query: "prometheus" },
    values("job", {
      label: "Job",
      description: "What Prometheus scrapes: services, the monitor.",
      query: `label_values(${prefix}request_total, job)`,
    }),
    values("endpoint", {
      label: "Agent",
      description: "Agents, by the name of their endpoint.",
      query: `label_values(${prefix}request_total{job=~"$job"}, endpoint)`,
    }),
  ];
}

function grafanaPanel(
  panel: Panel,
  {
    id,
    gridPos,
    options,
  }: {
    readonly id: number;
    readonly gridPos: GrafanaGridPos;
    readonly options: GrafanaDashboardOptions;
  },
): GrafanaPanel {
  const { title, description, shape, unit, queries } = panel;
  const view = viewOf(panel);
  return {
    id,
    type: view.type,
    title,
    description,
    gridPos,
    datasource,
    fieldConfig: {
      defaults: {
        unit: unitOf[unit],
        min: 0,
        ...(unit === "percent" ? { max: 100 } : {}),
        noValue: NOTHING,
        color: { mode: shape === "figure" ? "thresholds" : "palette-classic" },
        thresholds: { mode: "absolute", steps: thresholdSteps(panel) },
        mappings: [{ type: "special", options: { match: "null+nan", result: { text: NOTHING } } }],
        links: panel.isByAgent ? agentLinks(options) : [],
        ...(view.custom ? { custom: view.custom } : {}),
      },
      overrides: [],
    },
    options: view.options,
    targets: queries.map((query, index) => target(query, { index, panel })),
  };
}

function target(
  { promql, legend }: PanelQuery,
  { index, panel }: { readonly index: number; readonly panel: Panel },
): GrafanaTarget {
  return {
    refId: String.fromCharCode(65 + index),
    expr: promql.replaceAll(/\$\w+/g, (name) => queryOf[name] ?? name),
    legendFormat: legend === "" ? panel.title : legend,
    datasource,
    editorMode: "code",
    range: true,
    format: panel.shape === "heatmap" ? "heatmap" : "time_series",
    exemplar: panel.shape === "lines" && panel.unit === "seconds",
  };
}

function thresholdSteps({ thresholds = {} }: Panel): GrafanaThreshold[] {
  const { warning, critical } = thresholds;
  return [
    { color: "green", value: null },
    ...(warning === undefined ? [] : [{ color: "orange", value: warning }]),
    ...(critical === undefined ? [] : [{ color: "red", value: critical }]),
  ];
}

function agentLinks({ monitorUrl, workspaceUrl }: GrafanaDashboardOptions) {
  const link = (title: string, url: string) => ({ title, url, targetBlank: true }) as const;
  return [
    ...(monitorUrl === undefined
      ? []
      : [link("Open in the monitor", `${monitorUrl}/#/agents/${ENDPOINT_OF_LINE}`)]),
    ...(workspaceUrl === undefined
      ? []
      : [link("Open in Databricks", `${workspaceUrl}/ml/endpoints/${ENDPOINT_OF_LINE}`)]),
  ];
}

/** What only one kind of panel has. */
function viewOf({ shape, thresholds, unit }: Panel): Pick<GrafanaPanel, "type" | "options"> & {
  readonly custom?: Readonly<Record<string, unknown>>;
} {
  switch (shape) {
    case "figure":
      return {
        type: "stat",
        options: {
          graphMode: "area",
          colorMode: thresholds === undefined ? "none" : "value",
          justifyMode: "auto",
          textMode: "value",
          wideLayout: true,
          showPercentChange: false,
          percentChangeColorMode: "standard",
          orientation: "auto",
          reduceOptions: { calcs: ["lastNotNull"], fields: "", values: false },
        },
      };
    case "lines":
      return {
        type: "timeseries",
        options: {
          legend: {
            displayMode: "table",
            placement: "bottom",
            showLegend: true,
            calcs: ["mean", "max", "lastNotNull"],
            sortBy: "Max",
            sortDesc: true,
          },
          tooltip: { mode: "multi", sort: "desc" },
        },
        custom: {
          drawStyle: "line",
          lineWidth: 1,
          fillOpacity: 10,
          showPoints: "never",
          spanNulls: false,
          axisSoftMin: 0,
          thresholdsStyle: { mode: thresholds === undefined ? "off" : "line" },
        },
      };
    case "heatmap":
      return {
        type: "heatmap",
        options: {
          calculate: false,
          color: {
            mode: "scheme",
            scheme: "Oranges",
            fill: "dark-orange",
            scale: "exponential",
            exponent: 0.5,
            steps: 64,
            reverse: false,
          },
          rowsFrame: { layout: "auto" },
          showValue: "never",
          cellGap: 1,
          cellValues: { unit: "short" },
          yAxis: { unit: unitOf[unit], axisPlacement: "left", reverse: false },
          legend: { show: true },
          tooltip: { mode: "single", yHistogram: true, showColorScale: true },
          exemplars: { color: "rgba(255,0,255,0.7)" },
          filterValues: { le: 1e-9 },
        },
      };
  }
}
