/** Results, and what they make of an alert. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { SqlResult } from "../sql/run.ts";
import type { AlertState, Evaluation } from "./alert.ts";
import { evaluate, isTold } from "./evaluate.ts";
import { fillTemplate } from "./template.ts";

const STRING = { kind: "primitive", name: "string" } as const;

function resultOf(...values: readonly (string | null)[]): SqlResult {
  return {
    columns: [
      { name: "p95", type: STRING },
      { name: "limit", type: STRING },
    ],
    rows: values.map((value) => [value, "10"]),
    isTruncated: false,
  };
}

type Source = Evaluation["source"];

function check(
  values: readonly (string | null)[],
  condition: Partial<Evaluation> & { readonly aggregation?: Source["aggregation"] },
  expected: readonly [state: AlertState, value: string | null],
) {
  const { aggregation, ...rest } = condition;
  const { state, value } = evaluate(resultOf(...values), {
    source: { name: "p95", ...(aggregation ? { aggregation } : {}) },
    comparison_operator: "GREATER_THAN",
    threshold: { value: { double_value: 5 } },
    ...rest,
  });
  assert.deepEqual([state, value], expected);
}

describe("a result is compared", () => {
  test("by its first row", () => check(["7", "1"], {}, ["TRIGGERED", "7"]));
  test("as a number, not as a text", () => check(["10"], {}, ["TRIGGERED", "10"]));
  test("with a threshold that is met, not exceeded", () => check(["5.0"], {}, ["OK", "5"]));
  test("with a threshold that is another column", () =>
    check(["11"], { threshold: { column: { name: "LIMIT" } } }, ["TRIGGERED", "11"]));
  test("as a text", () =>
    check(
      ["down"],
      { comparison_operator: "EQUAL", threshold: { value: { string_value: "down" } } },
      ["TRIGGERED", "down"],
    ));
  test("as a boolean", () =>
    check(["true"], { comparison_operator: "EQUAL", threshold: { value: { bool_value: true } } }, [
      "TRIGGERED",
      "true",
    ]));
  test("NULL breaches nothing", () => check([null], {}, ["OK", null]));
  test("unless it is asked for", () =>
    check([null], { comparison_operator: "IS_NULL" }, ["TRIGGERED", null]));
  test("nothing is UNKNOWN", () => check([], {}, ["UNKNOWN", null]));
  test("or what was said", () => check([], { empty_result_state: "OK" }, ["OK", null]));
  test("a column that is not there is an ERROR", () =>
    check(["1"], { source: { name: "nope" } }, ["ERROR", null]));

  const aggregated: readonly (readonly [NonNullable<Source["aggregation"]>, string])[] = [
    ["SUM", "16"],
    ["COUNT", "4"],
    ["COUNT_DISTINCT", "3"],
    ["AVG", "4"],
    ["MEDIAN", "3.5"],
    ["MIN", "1"],
    ["MAX", "8"],
  ];
  for (const [aggregation, value] of aggregated) {
    test(`${aggregation} of its rows, without NULLs`, () =>
      check(["1", "8", null, "3.5", "3.5"], { aggregation }, [
        Number(value) > 5 ? "TRIGGERED" : "OK",
        value,
      ]));
  }
});

describe("subscribers", () => {
  /** Each character is one evaluation, a minute apart: `T` breaches, `.` is OK, `E` fails. */
  function checkTold(
    notification: NonNullable<Evaluation["notification"]>,
    samples: string,
    expected: string,
  ) {
    const states: Readonly<Record<string, AlertState>> = { T: "TRIGGERED", ".": "OK", E: "ERROR" };
    let before: AlertState = "UNKNOWN";
    let lastNotifiedMs: number | null = null;
    const told = Array.from(samples, (sample, minute) => {
      const nowMs = minute * 60_000;
      const now = states[sample] ?? "UNKNOWN";
      const tells = isTold({ before, now, nowMs, lastNotifiedMs, notification });
      lastNotifiedMs = now === "OK" ? null : tells ? nowMs : lastNotifiedMs;
      before = now;
      return tells ? "!" : ".";
    });
    assert.equal(told.join(""), expected);
  }
  test("are told once per breach", () => checkTold({}, ".TTT.TT", ".!...!."));
  test("and of its end when they want", () => checkTold({ notify_on_ok: true }, ".TT..", ".!.!."));
  test("again after a while", () => checkTold({ retrigger_seconds: 120 }, "TTTTT", "!.!.!"));
  test("at every evaluation", () => checkTold({ retrigger_seconds: 1 }, "TTT", "!!!"));
  test("not of a query that fails", () => checkTold({ notify_on_ok: true }, "E.E", "..."));
});

test("templates are filled in", () => {
  const text =
    "{{ALERT_NAME}} is {{ ALERT_STATUS }}: {{{QUERY_RESULT_VALUE}}}{{UNKNOWN}}\n{{#QUERY_RESULT_ROWS}}[{{p95}}]{{/QUERY_RESULT_ROWS}}\n{{QUERY_RESULT_TABLE}}";
  const values = { ALERT_NAME: "p95", ALERT_STATUS: "TRIGGERED", QUERY_RESULT_VALUE: "7" };
  assert.equal(
    fillTemplate(text, values, resultOf("7", null)),
    "p95 is TRIGGERED: 7\n[7][]\np95 | limit\n7 | 10\n | 10",
  );
});
