/**
 * The AI/BI dashboard as data: it is whole in itself, nothing lies over another, and a
 * name is never code. What it says to SQL is tested where there are tables:
 * `test/deployed-alerts.test.ts`, `test/peers/notebook.test.ts`.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { defaultTablePlace } from "../../history/databricks-tables.ts";
import { defaultAlertThresholds } from "../../rules/alert-thresholds.ts";
import { aibiDashboard } from "./aibi.ts";

const options = {
  agentName: "qa_agent",
  endpointName: "prod-qa-agent",
  place: defaultTablePlace,
  thresholds: defaultAlertThresholds,
};
const dashboard = aibiDashboard(options);
const widgets = dashboard.pages.flatMap(({ layout }) => layout.map(({ widget }) => widget));

test("as it is", () => {
  const golden = new URL("golden/dashboard.lvdash.json", import.meta.url);
  const text = `${JSON.stringify(dashboard, null, 2)}\n`;
  if (process.env.UPDATE) writeFileSync(golden, text);
  assert.equal(text, readFileSync(golden, "utf8"));
});

test("each widget asks for columns of a dataset that is there, and draws no others", () => {
  const queries = new Map(
    dashboard.datasets.map(({ name, queryLines }) => [name, queryLines.join("")]),
  );
  const asked = new Set<string>();
  for (const widget of widgets) {
    if (!("queries" in widget)) continue;
    for (const { query } of widget.queries) {
      asked.add(query.datasetName);
      const sql = queries.get(query.datasetName) ?? "";
      for (const { name } of query.fields) {
        assert.match(sql, new RegExp(`\\bAS ${name}\\b|\\b${name}\\b`), `${widget.name}: ${name}`);
      }
      const drawn: readonly string[] = Array.from(
        JSON.stringify(widget.spec).matchAll(/"fieldName":"(\w+)"/g),
        ([, name = ""]) => name,
      );
      assert.deepEqual(new Set(drawn), new Set(query.fields.map(({ name }) => name)), widget.name);
    }
  }
  assert.deepEqual(asked, new Set(queries.keys()), "no dataset is left over");
});

test("names are unique, and no two widgets lie over each other", () => {
  const unique = (names: readonly string[]) => assert.equal(new Set(names).size, names.length);
  unique(widgets.map(({ name }) => name));
  unique(dashboard.datasets.map(({ name }) => name));
  for (const { layout } of dashboard.pages) {
    const cells = layout.flatMap(({ position: { x, y, width, height } }) =>
      Array.from({ length: width * height }, (_, cell) => {
        const [column, row] = [x + (cell % width), y + Math.floor(cell / width)];
        assert.ok(column < 6);
        return `${column} ${row}`;
      }),
    );
    unique(cells);
  }
});

test("a name is text in a query and in what is rendered, and never more", () => {
  const evil = "x' OR '1'='1\n# :hours [a](javascript:b)";
  const { datasets, pages } = aibiDashboard({ ...options, agentName: evil, endpointName: evil });
  for (const { queryLines } of datasets) {
    const sql = queryLines.join("");
    assert.ok(!sql.includes("'x' OR"), sql);
    assert.ok(sql.includes(":hours [a]") || !sql.includes("[a]"), "the name stays as it is");
  }
  const rendered = JSON.stringify(pages);
  assert.ok(!rendered.includes("[a](javascript"), rendered.slice(0, 500));
  assert.ok(!rendered.includes("\\n# "), "no heading of its own");
});
