/**
 * The list of panels as a Grafana dashboard: the JSON model that Grafana imports.
 * Its shape is checked against Grafana's own types in the test beside it.
 */
import { type Panel, type PanelUnit, panels } from "../panels.ts";

export type GrafanaDashboard = {
  readonly dashboard: {
    readonly title: string;
    readonly uid: string;
    readonly tags: readonly string[];
    readonly schemaVersion: number;
    readonly editable: boolean;
    readonly refresh: string;
    readonly time: { readonly from: string; readonly to: string };
    readonly templating: { readonly list: readonly GrafanaVariable[] };
    readonly panels: readonly GrafanaPanel[];
  };
};

export type GrafanaVariable = {
  readonly name: string;
  readonly label: string;
  readonly type: "datasource";
  readonly query: string;
};

export type GrafanaPanel = {
  readonly id: number;
  readonly type: "timeseries";
  readonly title: string;
  readonly description: string;
  readonly gridPos: {
    readonly x: number;
    readonly y: number;
    readonly w: number;
    readonly h: number;
  };
  readonly datasource: { readonly type: string; readonly uid: string };
  readonly fieldConfig: {
    readonly defaults: { readonly unit: string; readonly min: number };
    readonly overrides: readonly never[];
  };
  readonly targets: readonly {
    readonly refId: string;
    readonly expr: string;
    readonly legendFormat: string;
    readonly datasource: { readonly type: string; readonly uid: string };
  }[];
};

// biome-ignore lint/suspicious/noTemplateCurlyInString: this is Grafana's variable, filled in by Grafana.
const datasource = { type: "prometheus", uid: "${datasource}" };
/** Grafana's grid is 24 wide; two panels stand side by side. */
const PANEL_WIDTH = 12;
const PANEL_HEIGHT = 8;

const unitOf: Readonly<Record<PanelUnit, string>> = {
  "requests/s": "reqps",
  percent: "percent",
  seconds: "s",
  "tokens/s": "cps",
  count: "short",
};

export function grafanaDashboard(): GrafanaDashboard {
  return {
    dashboard: {
      title: "DSPy Agent Monitoring",
      uid: "dspy-agent-monitoring",
      tags: ["dspy", "databricks"],
      schemaVersion: 39,
      editable: true,
      refresh: "30s",
      time: { from: "now-1h", to: "now" },
      templating: {
        list: [
          { name: "datasource", label: "Data source", type: "datasource", query: "prometheus" },
        ],
      },
      panels: panels.map(grafanaPanel),
    },
  };
}

function grafanaPanel({ title, description, unit, queries }: Panel, index: number): GrafanaPanel {
  return {
    id: index + 1,
    type: "timeseries",
    title,
    description,
    gridPos: {
      x: (index % 2) * PANEL_WIDTH,
      y: Math.floor(index / 2) * PANEL_HEIGHT,
      w: PANEL_WIDTH,
      h: PANEL_HEIGHT,
    },
    datasource,
    fieldConfig: { defaults: { unit: unitOf[unit], min: 0 }, overrides: [] },
    targets: queries.map(({ promql, legend }, query) => ({
      refId: String.fromCharCode(65 + query),
      expr: promql.replaceAll("$window", "$__rate_interval"),
      legendFormat: legend,
      datasource,
    })),
  };
}
