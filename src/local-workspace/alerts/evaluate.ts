/**
 * What a query's result makes of an alert, and whether its subscribers are told.
 * Pure: no clock and no I/O.
 *
 * Source: databricks-sdk-py 0.156.0, `AlertV2Evaluation`. Without `empty_result_state`
 * an empty result is UNKNOWN, and NULL breaches nothing: both are assumed.
 */
import type { SqlResult } from "../sql/run.ts";
import type { AlertColumn, AlertState, Evaluation } from "./alert.ts";

export type Outcome = {
  readonly state: AlertState;
  /** What was compared; as text, for templates. */
  readonly value: string | null;
  readonly threshold: string | null;
  /** Why it is ERROR. */
  readonly error?: string;
};

type Value = number | string | boolean | null;

export function evaluate(result: SqlResult, evaluation: Evaluation): Outcome {
  const { source, threshold, comparison_operator: operator } = evaluation;
  if (result.rows.length === 0) {
    return { state: evaluation.empty_result_state ?? "UNKNOWN", value: null, threshold: null };
  }
  const value = columnValue(result, source);
  const limit = threshold?.column
    ? columnValue(result, threshold.column)
    : constantOf(threshold?.value);
  const missing =
    value === undefined ? source : limit === undefined ? threshold?.column : undefined;
  if (value === undefined || limit === undefined) {
    const error = `The query's result has no column '${missing?.name ?? ""}'.`;
    return { state: "ERROR", value: null, threshold: null, error };
  }
  const isBreached = compare(value, limit, operator);
  return { state: isBreached ? "TRIGGERED" : "OK", value: asText(value), threshold: asText(limit) };
}

export type Telling = {
  readonly before: AlertState;
  readonly now: AlertState;
  readonly nowMs: number;
  readonly lastNotifiedMs: number | null;
  readonly notification: Evaluation["notification"];
};

/** Once per breach, again after `retrigger_seconds`, and at its end when that is wanted. */
export function isTold({ before, now, nowMs, lastNotifiedMs, notification }: Telling): boolean {
  const { notify_on_ok: tellsOk = false, retrigger_seconds: againS = 0 } = notification ?? {};
  if (now === "OK") return tellsOk && before === "TRIGGERED";
  if (now !== "TRIGGERED") return false;
  if (before !== "TRIGGERED" || lastNotifiedMs === null) return true;
  // 1 is documented as "at every evaluation", however close they are.
  return againS === 1 || (againS > 0 && nowMs - lastNotifiedMs >= againS * 1000);
}

/** `undefined`: there is no such column. */
function columnValue({ columns, rows }: SqlResult, { name, aggregation }: AlertColumn) {
  const index = columns.findIndex((one) => one.name.toLowerCase() === name.toLowerCase());
  if (index === -1) return undefined;
  const values = rows.map((row) => row[index] ?? null);
  const [first = null] = values;
  return aggregation ? aggregate(values, aggregation) : parse(first);
}

const isNumber = (text: string) => text.trim() !== "" && Number.isFinite(Number(text));

function parse(text: string | null): Value {
  if (text === null) return null;
  if (text === "true" || text === "false") return text === "true";
  return isNumber(text) ? Number(text) : text;
}

function aggregate(
  all: readonly (string | null)[],
  aggregation: NonNullable<AlertColumn["aggregation"]>,
): Value {
  const values = all.filter((value) => value !== null);
  if (aggregation === "COUNT") return values.length;
  if (aggregation === "COUNT_DISTINCT") return new Set(values).size;
  if (values.length === 0) return null;
  const areNumbers = values.every(isNumber);
  if (!areNumbers) {
    const sorted = values.toSorted();
    if (aggregation === "MIN") return sorted[0] ?? null;
    return aggregation === "MAX" ? (sorted.at(-1) ?? null) : null;
  }
  const numbers = values.map(Number).toSorted((a, b) => a - b);
  const count = numbers.length;
  const sum = numbers.reduce((total, each) => total + each, 0);
  switch (aggregation) {
    case "SUM":
      return sum;
    case "AVG":
      return sum / count;
    case "MIN":
      return numbers[0] ?? null;
    case "MAX":
      return numbers.at(-1) ?? null;
    case "MEDIAN": {
      const [low, high] = [numbers[Math.floor((count - 1) / 2)], numbers[Math.floor(count / 2)]];
      return ((low ?? 0) + (high ?? 0)) / 2;
    }
    case "STDDEV": {
      if (count < 2) return null;
      const squares = numbers.reduce((total, each) => total + (each - sum / count) ** 2, 0);
      return Math.sqrt(squares / (count - 1));
    }
  }
}

function constantOf(value: NonNullable<Evaluation["threshold"]>["value"]): Value {
  return value?.double_value ?? value?.string_value ?? value?.bool_value ?? null;
}

function compare(value: Value, limit: Value, operator: Evaluation["comparison_operator"]): boolean {
  if (operator === "IS_NULL") return value === null;
  if (operator === "IS_NOT_NULL") return value !== null;
  if (value === null || limit === null) return false;
  const number = asNumber(limit);
  const [left, right] =
    typeof value === "number" && typeof number === "number"
      ? [value, number]
      : [String(value), String(limit)];
  switch (operator) {
    case "LESS_THAN":
      return left < right;
    case "LESS_THAN_OR_EQUAL":
      return left <= right;
    case "GREATER_THAN":
      return left > right;
    case "GREATER_THAN_OR_EQUAL":
      return left >= right;
    case "EQUAL":
      return left === right;
    case "NOT_EQUAL":
      return left !== right;
  }
}

function asNumber(value: Value): Value {
  return typeof value === "string" && isNumber(value) ? Number(value) : value;
}

function asText(value: Value): string | null {
  return value === null ? null : String(value);
}
