/** The SQL alerts of one agent: their bodies, and what their queries say of rows. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { createTableSql, defaultTablePlace } from "../../history/databricks-tables.ts";
import { openTestEngine, type TestEngine } from "../../local-workspace/sql/test-engine.ts";
import {
  type AlertThresholds,
  defaultAlertThresholds,
  type ThresholdRuleKind,
  thresholdRules,
} from "../../rules/alert-thresholds.ts";
import { ruleSql, sqlAlert } from "./sql-alerts.ts";

const thresholds: AlertThresholds = {
  ...defaultAlertThresholds,
  latencyP99ThresholdMs: 1_000,
  latencyThresholdCount: 3,
  errorThresholdCount: 4,
};
const place = defaultTablePlace;

test("bodies for the Alerts API", () => {
  const golden = new URL("golden/alerts.json", import.meta.url);
  const alerts = thresholdRules("prod-qa", thresholds).map((rule) =>
    sqlAlert(rule, {
      place,
      warehouseId: "w1",
      parentPath: "/Workspace/Shared/dspy-databricks",
      destinationIds: ["d1"],
    }),
  );
  const text = `${JSON.stringify(alerts, null, 2)}\n`;
  if (process.env.UPDATE) writeFileSync(golden, text);
  assert.equal(text, readFileSync(golden, "utf8"));
});

test("a name stays a text of the query, whatever it holds", () => {
  const [rule] = thresholdRules("a' OR '1'='1\\' -- \n", thresholds);
  assert.ok(rule);
  assert.match(ruleSql(rule, place), /endpoint_name = 'a\\' OR \\'1\\'=\\'1\\\\\\' -- \\n'\n/);
});

describe("what a query says", () => {
  let engine: TestEngine;

  before(async () => {
    engine = openTestEngine();
    await engine.run("CREATE CATALOG ml");
    await engine.run("CREATE SCHEMA ml.monitoring");
    await engine.run(createTableSql(place, "metrics"));
    await engine.run(createTableSql(place, "requests"));
  });
  after(() => engine.close());

  type Given = {
    readonly latencyMs?: number;
    readonly errorClass?: string;
    readonly agoS?: number;
    readonly endpoint?: string;
    readonly id?: string;
  };

  /** Rows of requests at the time of the engine's clock → the number, `nothing` without a row. */
  async function check(kind: ThresholdRuleKind, requests: readonly Given[], expected: string) {
    for (const table of ["metrics", "requests"] as const) {
      await engine.run(`TRUNCATE TABLE ml.monitoring.agent_monitoring_${table}`);
    }
    const rows = requests.map((request, at) => {
      const {
        latencyMs = 10,
        errorClass,
        agoS = 10,
        endpoint = "prod-qa",
        id = `e${at}`,
      } = request;
      const what = `'${id}', current_date(), current_timestamp() - INTERVAL ${agoS} SECONDS, '${endpoint}'`;
      const failed = errorClass === undefined ? "NULL" : `'${errorClass}'`;
      return {
        metrics: `(${what}, 'request_latency_ms', ${latencyMs})`,
        requests: `(${what}, ${latencyMs}, ${failed})`,
      };
    });
    const common = "event_id, event_date, timestamp, endpoint_name";
    if (rows.length > 0) {
      await engine.run(`INSERT INTO ml.monitoring.agent_monitoring_metrics (${common}, metric_name, value)
        VALUES ${rows.map((row) => row.metrics).join(", ")}`);
      await engine.run(`INSERT INTO ml.monitoring.agent_monitoring_requests (${common}, latency_ms, error_class)
        VALUES ${rows.map((row) => row.requests).join(", ")}`);
    }
    const rule = thresholdRules("prod-qa", thresholds).find((one) => one.kind === kind);
    assert.ok(rule);
    const [row = "nothing"] = await engine.rows(ruleSql(rule, place));
    assert.equal(row, expected);
  }

  const slow = { latencyMs: 1_500 };
  const failed = { errorClass: "timeout" };

  test("p99 of the window", () => check("latency_p99", [{ latencyMs: 10 }, slow], "1500.0"));
  test("p99 of nothing", () => check("latency_p99", [], "nothing"));
  test("p99 without what is older than the window, or another agent's", () =>
    check("latency_p99", [{}, { ...slow, agoS: 301 }, { ...slow, endpoint: "other" }], "10.0"));
  test("three slow requests are not more than three", () =>
    check("slow_requests", [slow, slow, slow, {}], "nothing"));
  test("four are", () => check("slow_requests", [slow, slow, slow, slow, {}], "4"));
  test("a request that was loaded twice counts once", () =>
    check("slow_requests", [slow, slow, slow, { ...slow, id: "e0" }], "nothing"));
  test("the share of failures", () => check("error_rate", [failed, {}, {}, {}], "25.0"));
  test("of too few requests it is not told", () =>
    check("error_rate", [failed, {}, {}], "nothing"));
  test("of none it is not told, and nothing is divided by it", () =>
    check("error_rate", [], "nothing"));
  test("what the endpoint refused did not fail because of the agent", () =>
    check(
      "error_rate",
      [failed, { errorClass: "throttled" }, { errorClass: "client" }, {}],
      "25.0",
    ));
});
