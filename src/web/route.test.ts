import assert from "node:assert/strict";
import { test } from "node:test";
import type { ReleaseFilter } from "./api.ts";
import { apiPath, type ChartId, parseRoute, type Route, routeHref } from "./route.ts";

const overview = (range: Route["range"]): Route => ({ view: "overview", range });
const agent = (
  endpoint: string,
  range: Route["range"],
  chart: ChartId | null = null,
  of: Partial<ReleaseFilter> = {},
): Route => ({
  view: "agent",
  endpoint,
  range,
  chart,
  of: { release: null, modelVersion: null, ...of },
});

const cases: [what: string, hash: string, route: Route][] = [
  ["no hash is the overview", "", overview("5m")],
  ["a lone hash is the overview", "#", overview("5m")],
  ["the overview keeps its range", "#/?range=6h", overview("6h")],
  ["an agent and its range", "#/agents/support-rag?range=15m", agent("support-rag", "15m")],
  ["an agent without range", "#/agents/support-rag", agent("support-rag", "5m")],
  ["an agent whose name needs escapes", "#/agents/a%2Fb%20c?range=1h", agent("a/b c", "1h")],
  ["a chart that is open large", "#/agents/a?range=1h&chart=cost", agent("a", "1h", "cost")],
  [
    "the modules of one release",
    "#/agents/a?range=1h&release=7c1f2d0%20(version%203)",
    agent("a", "1h", null, { release: "7c1f2d0 (version 3)" }),
  ],
  [
    "the modules of one version of the model",
    "#/agents/a?range=1h&modelVersion=3",
    agent("a", "1h", null, { modelVersion: "3" }),
  ],
  ["an unknown chart is none", "#/agents/a?range=1h&chart=x", agent("a", "1h")],
  ["an unknown range is five minutes", "#/?range=7y", overview("5m")],
  ["an unknown place is the overview", "#/nowhere?range=1h", overview("1h")],
  ["a broken escape is the overview", "#/agents/%E0%A4?range=1h", overview("1h")],
];

for (const [what, hash, route] of cases) {
  test(what, () => assert.deepEqual(parseRoute(hash), route));
}

test("a link leads back to the view that made it", () => {
  for (const [, , route] of cases) assert.deepEqual(parseRoute(routeHref(route)), route);
});

test("an open chart is asked for like its agent", () =>
  assert.equal(apiPath(agent("a", "5m", "cost")), apiPath(agent("a", "5m"))));

test("the API is asked relative to the page", () => {
  assert.equal(apiPath(overview("1h")), "api/overview?range=1h");
  assert.equal(apiPath(agent("a/b", "5m")), "api/agents/a%2Fb?range=5m");
  assert.equal(
    apiPath(agent("a", "5m", null, { release: "r 1", modelVersion: "3" })),
    "api/agents/a?range=5m&release=r%201&modelVersion=3",
  );
});
