import assert from "node:assert/strict";
import { test } from "node:test";
import type { Dashboard } from "@grafana/grafana-foundation-sdk/dashboard";
import { grafanaDashboard } from "./grafana.ts";

test("is what Grafana's own types say a dashboard is", () => {
  const { dashboard } = grafanaDashboard();
  const model: Pick<
    Partial<Dashboard>,
    "title" | "uid" | "refresh" | "editable" | "schemaVersion"
  > = dashboard;
  assert.equal(model.title, "DSPy Agent Monitoring");
});

test("panels stand side by side, each with an id and a query of its own", () => {
  const { panels } = grafanaDashboard().dashboard;
  const places = panels.map(({ gridPos: { x, y, w } }) => `${x}+${w},${y}`);
  assert.equal(new Set(places).size, panels.length);
  assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
  for (const { targets } of panels) {
    assert.ok(targets.length > 0);
    for (const { expr } of targets) assert.doesNotMatch(expr, /\$window/);
  }
});
