/** The Grafana dashboard: Grafana's own types, its grid, valid PromQL, and the exact JSON. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import type { GraphFieldConfig } from "@grafana/grafana-foundation-sdk/common";
import type {
  Dashboard,
  DashboardLink,
  Panel,
  RowPanel,
  VariableModel,
} from "@grafana/grafana-foundation-sdk/dashboard";
import type { Options as HeatmapOptions } from "@grafana/grafana-foundation-sdk/heatmap";
import type { Dataquery } from "@grafana/grafana-foundation-sdk/prometheus";
import type { Options as StatOptions } from "@grafana/grafana-foundation-sdk/stat";
import type { Options as LinesOptions } from "@grafana/grafana-foundation-sdk/timeseries";
import { parser } from "@prometheus-io/lezer-promql";
import {
  type GrafanaDashboardOptions,
  type GrafanaPanel,
  type GrafanaTarget,
  grafanaDashboard,
} from "./grafana.ts";

const usual: GrafanaDashboardOptions = {
  prefix: "dspy_",
  source: "service",
  errorRatePercent: { warning: 1, critical: 5 },
};
const variants: Readonly<Record<string, GrafanaDashboardOptions>> = {
  service: usual,
  monitor: {
    ...usual,
    source: "monitor",
    latencyP99Ms: 2_000,
    monitorUrl: "http://127.0.0.1:4318",
    workspaceUrl: "https://dbc-1234.cloud.databricks.com",
  },
  namespace: { ...usual, prefix: "my_app_" },
};

/** Grafana's type as JSON has it: words for its enums, and nothing that only its builders need. */
type Json<T> = 0 extends 1 & T
  ? unknown
  : T extends string
    ? `${T}`
    : T extends number
      ? number
      : T extends readonly (infer Element)[]
        ? readonly Json<Element>[]
        : T extends object
          ? { readonly [Key in keyof T as Key extends `_${string}` ? never : Key]: Json<T[Key]> }
          : T;

/** Compiles when a value has Grafana's fields with values that Grafana knows, and no other field. */
function are<Model>() {
  return <T extends Json<Model>>(
    values: readonly T[],
    ..._misnamed: Exclude<keyof T, keyof Model> extends never ? [] : [keyof T]
  ): void => assert.ok(values.length > 0);
}

/** Data links have fewer fields than the links that Grafana's type asks for; Grafana reads them so. */
type FieldDefaults = Omit<NonNullable<Panel["fieldConfig"]>["defaults"], "links">;

test("is what Grafana's own types say a dashboard is", () => {
  const { dashboard } = grafanaDashboard(usual);
  const { panels: _panels, ...rest } = dashboard;
  are<Omit<Dashboard, "panels">>()([rest]);
  are<DashboardLink>()(dashboard.links);
  are<VariableModel>()(dashboard.templating.list);
  are<RowPanel>()(dashboard.panels.filter((panel) => panel.type === "row"));

  const panels = panelsOf(usual);
  are<Omit<Panel, "targets" | "fieldConfig">>()(
    panels.map(({ targets: _, fieldConfig: __, ...frame }) => frame),
  );
  are<FieldDefaults>()(
    panels.map(
      ({
        fieldConfig: {
          defaults: { links: _, ...rest },
        },
      }) => rest,
    ),
  );
  are<Dataquery>()(targetsOf(usual));

  // And the check itself sees what is wrong.
  const [link] = dashboard.links;
  assert.ok(link);
  // @ts-expect-error: a field that Grafana doesn't know.
  are<DashboardLink>()([{ ...link, asDropDown: true }]);
  // @ts-expect-error: a value that Grafana doesn't know.
  are<DashboardLink>()([{ ...link, type: "page" }]);
});

/** Options are JSON of a kind for each panel, so Grafana's type of them is a table of values. */
const stat: Json<StatOptions> = {
  graphMode: "area",
  colorMode: "value",
  justifyMode: "auto",
  textMode: "value",
  wideLayout: true,
  showPercentChange: false,
  percentChangeColorMode: "standard",
  orientation: "auto",
  reduceOptions: { calcs: ["lastNotNull"], fields: "", values: false },
};
const lines: Json<LinesOptions> = {
  legend: {
    displayMode: "table",
    placement: "bottom",
    showLegend: true,
    calcs: ["mean", "max", "lastNotNull"],
    sortBy: "Max",
    sortDesc: true,
  },
  tooltip: { mode: "multi", sort: "desc" },
};
const custom: Json<Partial<GraphFieldConfig>> = {
  drawStyle: "line",
  lineWidth: 1,
  fillOpacity: 10,
  showPoints: "never",
  spanNulls: false,
  axisSoftMin: 0,
  thresholdsStyle: { mode: "line" },
};
const heatmap: Json<HeatmapOptions> = {
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
  yAxis: { unit: "s", axisPlacement: "left", reverse: false },
  legend: { show: true },
  tooltip: { mode: "single", yHistogram: true, showColorScale: true },
  exemplars: { color: "rgba(255,0,255,0.7)" },
  filterValues: { le: 1e-9 },
};

test("the options of each kind of panel are of Grafana's types", () => {
  const titled = (title: string) => {
    const found = panelsOf(usual).find((panel) => panel.title === title);
    assert.ok(found, title);
    return found;
  };
  assert.deepEqual(titled("Error rate").options, stat);
  assert.deepEqual(titled("Latencies").options, heatmap);
  assert.deepEqual(titled("Error rate by agent").options, lines);
  assert.deepEqual(titled("Error rate by agent").fieldConfig.defaults.custom, custom);
});

for (const [name, options] of Object.entries(variants)) {
  test(`${name}: panels stand in the grid without gap or overlap, each with an id of its own`, () => {
    const { panels } = grafanaDashboard(options).dashboard;
    assert.deepEqual(
      panels.map(({ id }) => id),
      panels.map((_, index) => index + 1),
    );
    const cells = new Set<string>();
    let area = 0;
    let bottom = 0;
    for (const { gridPos, title } of panels) {
      assert.ok(gridPos.x >= 0 && gridPos.x + gridPos.w <= 24, title);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) cells.add(`${x},${y}`);
      }
      area += gridPos.w * gridPos.h;
      bottom = Math.max(bottom, gridPos.y + gridPos.h);
    }
    assert.equal(cells.size, area, "no two panels share a cell");
    assert.equal(cells.size, 24 * bottom, "no cell is empty");
  });

  test(`${name}: every query is valid PromQL, and asks only for what the variables say`, () => {
    const known = new Set(["$__rate_interval", "$job", "$endpoint"]);
    for (const { expr } of targetsOf(options)) {
      for (const [variable] of expr.matchAll(/\$\w+/g)) assert.ok(known.has(variable), expr);
      assertPromql(expr.replaceAll("$__rate_interval", "5m"));
      for (const [, metric = ""] of expr.matchAll(/([\w:]+)\{/g)) {
        assert.ok(metric.startsWith(options.prefix), metric);
      }
      const selectors = expr.match(/\{[^}]*\}/g) ?? [];
      assert.ok(selectors.length > 0 && selectors.every((text) => /job=~"\$job"/.test(text)), expr);
    }
  });
}

for (const name of ["service", "monitor"]) {
  test(`${name}: the dashboard is as recorded`, () => {
    const actual = `${JSON.stringify(grafanaDashboard(variants[name] ?? usual), null, 2)}\n`;
    const url = new URL(`golden/${name}.json`, import.meta.url);
    if (process.env.UPDATE) writeFileSync(url, actual);
    assert.equal(actual, readFileSync(url, "utf8"));
  });
}

test("the check of PromQL sees what is no PromQL", () => {
  for (const wrong of ["sum by endpoint (x)", "rate(x[5m]", 'x{a=~"b}', "rate(x[$window])"]) {
    assert.throws(() => assertPromql(wrong), /is no PromQL/, wrong);
  }
});

test("lines of agents lead to the monitor and to the workspace, where they are known", () => {
  const linksOf = (options: GrafanaDashboardOptions) =>
    panelsOf(options)
      .filter(({ title }) => title === "Latency by agent")
      .flatMap(({ fieldConfig }) => fieldConfig.defaults.links.map(({ url }) => url));
  assert.deepEqual(linksOf(usual), []);
  assert.deepEqual(linksOf(variants.monitor ?? usual), [
    "http://127.0.0.1:4318/#/agents/$" + "{__field.labels.endpoint:percentencode}",
    "https://dbc-1234.cloud.databricks.com/ml/endpoints/$" +
      "{__field.labels.endpoint:percentencode}",
  ]);
});

test("dashboards of different metrics may stand in one Grafana", () => {
  const uids = Object.values(variants).map((options) => grafanaDashboard(options).dashboard.uid);
  assert.equal(new Set(uids).size, uids.length);
  const long = grafanaDashboard({ ...usual, prefix: `${"long_".repeat(20)}` }).dashboard.uid;
  assert.ok(long.length <= 40, "Grafana refuses longer ones");
});

function panelsOf(options: GrafanaDashboardOptions): GrafanaPanel[] {
  return grafanaDashboard(options).dashboard.panels.filter((panel) => panel.type !== "row");
}

function targetsOf(options: GrafanaDashboardOptions): GrafanaTarget[] {
  return panelsOf(options).flatMap(({ targets }) => targets);
}

function assertPromql(text: string): void {
  parser.parse(text).iterate({
    enter({ type, from }) {
      assert.ok(!type.isError, `${text} is no PromQL at ${text.slice(from)}`);
    },
  });
}
