/**
 * The functions of Databricks SQL that the local workspace has, each with what it
 * is in DuckDB. A function that is not here is refused by name: the same name often
 * means something else in DuckDB (`concat` skips NULLs, `weekday` counts from
 * Sunday, `regexp_replace` replaces once), and a wrong answer is worse than none.
 *
 * That each gives what Spark gives is shown by `test/peers/sql-on-spark.test.ts`.
 */

import {
  call,
  cast,
  constantInteger,
  constantText,
  integer,
  isNode,
  type Node,
  text,
  withAlias,
} from "./duckdb-tree.ts";
import { jsonStructure } from "./json-structure.ts";
import { unsupported } from "./sql-error.ts";
import { strftimeFormat } from "./time-format.ts";

/** DuckDB's name for the same, or the call rebuilt from its arguments. */
export type FunctionRule = string | ((args: readonly Node[], call: Node) => Node);

/** Marks a call until its rule is applied, so that no translator on the way knows the name. */
export const MARK = "dbx_";

/** Grammar rather than functions: translated as they stand. */
export const grammar = new Set(
  `cast try_cast extract trim position coalesce nullif row_number rank dense_rank percent_rank
  cume_dist ntile lag lead nth_value first_value last_value explode posexplode percentile_cont
  percentile_disc current_timestamp current_date grouping range`.split(/\s+/),
);

/** What depends on who asks, where and when: `translate.ts` puts the value in. */
export const contextFunctions = new Set([
  "now",
  "curdate",
  "current_user",
  "session_user",
  "user",
  "current_catalog",
  "current_schema",
  "current_database",
  "current_timezone",
]);

const same = (names: string) =>
  names
    .trim()
    .split(/\s+/)
    .map((name) => [name, name] as const);

export const functions: ReadonlyMap<string, FunctionRule> = new Map<string, FunctionRule>([
  ...same(`count sum avg min max any_value stddev stddev_samp stddev_pop variance var_samp var_pop
    corr covar_pop covar_samp count_if bool_and bool_or approx_count_distinct
    greatest least abs round exp log2 sin cos tan asin acos atan atan2 degrees radians pi cbrt
    length lower upper repeat translate left right ascii chr md5 split_part concat_ws
    hex unhex levenshtein contains last_day make_date
    map_keys map_values map_entries map_from_entries flatten map_concat first last`),
  [
    "count",
    (args, node) =>
      isStar(args)
        ? { ...node, ...call("count_star"), filter: node.filter ?? null, alias: node.alias }
        : { ...node, function_name: "count" },
  ],
  ["mean", "avg"],
  ["std", "stddev"],
  ["every", "bool_and"],
  ["some", "bool_or"],
  ["any", "bool_or"],
  ["try_sum", "sum"],
  ["try_avg", "avg"],
  ["max_by", "arg_max_null"],
  ["min_by", "arg_min_null"],
  [
    "median",
    ([x], node) => rename(node, "quantile_cont", [double(x), cast(text("0.5"), "DOUBLE")]),
  ],
  ["percentile", ([x, p], node) => rename(node, "quantile_cont", [double(x), need(p)])],
  // Exact where Databricks approximates: the value of that rank.
  ["percentile_approx", ([x, p], node) => rename(node, "quantile_disc", [need(x), need(p)])],
  ["approx_percentile", ([x, p], node) => rename(node, "quantile_disc", [need(x), need(p)])],
  ["collect_list", collect(false)],
  ["array_agg", collect(false)],
  ["collect_set", collect(true)],
  ["listagg", "string_agg"],
  ["string_agg", "string_agg"],

  ["concat", (args) => args.reduce((left, right) => call("||", left, right))],
  ["char_length", "length"],
  ["character_length", "length"],
  ["len", "length"],
  ["lcase", "lower"],
  ["ucase", "upper"],
  ["char", "chr"],
  ["startswith", "starts_with"],
  ["endswith", "ends_with"],
  ["uuid", "uuid"],
  ["rand", "random"],
  ["random", "random"],
  ["pow", "power"],
  ["power", "power"],
  ["sequence", "generate_series"],
  ["array_join", "array_to_string"],
  ["array_max", "list_max"],
  ["array_min", "list_min"],
  ["array_contains", "list_contains"],
  ["transform", "list_transform"],
  ["filter", "list_filter"],
  [
    "aggregate",
    ([list, start, merge]) => call("list_reduce", need(list), need(merge), need(start)),
  ],
  ["reduce", ([list, start, merge]) => call("list_reduce", need(list), need(merge), need(start))],
  ["array", (args) => call("list_value", ...args)],
  [
    "map",
    (args) =>
      call(
        "map",
        call("list_value", ...every2nd(args, 0)),
        call("list_value", ...every2nd(args, 1)),
      ),
  ],
  ["map_from_arrays", "map"],
  ["named_struct", namedStruct],
  ["struct", struct],
  ["element_at", ([from, at]) => elementAt(need(from), need(at))],
  ["try_element_at", ([from, at]) => elementAt(need(from), need(at))],
  ["try_variant_get", ([value, path, type]) => variantText(need(value), path, type)],
  ["get", ([list, at]) => call("list_extract", need(list), call("+", need(at), integer(1)))],
  ["from_json", ([json, schema]) => fromJson(need(json), schema)],
  [
    "date_format",
    ([time, format]) =>
      call("strftime", timestamp(time), text(strftimeFormat(constantOf(format, "date_format")))),
  ],
  ["date", ([time]) => cast(timestamp(time), "DATE")],
  ["timestamp", ([time]) => timestamp(time)],
  ["to_timestamp", (args) => parseTime(args, "to_timestamp")],
  ["to_date", (args) => cast(parseTime(args, "to_date"), "DATE")],
  [
    "from_unixtime",
    ([seconds, format]) =>
      call(
        "strftime",
        timestamp(call("to_timestamp", need(seconds))),
        text(strftimeFormat(format ? constantOf(format, "from_unixtime") : "yyyy-MM-dd HH:mm:ss")),
      ),
  ],
  ["date_add", (args) => addTime(args, 1)],
  ["dateadd", (args) => addTime(args, 1)],
  ["timestampadd", (args) => addTime(args, 1)],
  ["date_sub", (args) => addTime(args, -1)],
  ["date_diff", diffTime],
  ["datediff", diffTime],
  ["timestampdiff", diffTime],
  ["window", ([time, width, step, start]) => tumblingWindow(need(time), width, step ?? start)],
  ["sha2", ([value, bits]) => sha2(need(value), bits)],
]);

function divideByZero(errorClass: string): string {
  return `[${errorClass}] Division by zero. Use try_divide to tolerate divisor being 0 and return NULL instead. SQLSTATE: 22012`;
}

/** Written in DuckDB's SQL: name, and overloads. */
const macros: Readonly<Record<string, string>> = {
  if: "(c, a, b) AS CASE WHEN c THEN a ELSE b END",
  iff: "(c, a, b) AS CASE WHEN c THEN a ELSE b END",
  nvl: "(a, b) AS coalesce(a, b)",
  ifnull: "(a, b) AS coalesce(a, b)",
  nvl2: "(a, b, c) AS CASE WHEN a IS NOT NULL THEN b ELSE c END",
  isnull: "(a) AS a IS NULL",
  isnotnull: "(a) AS a IS NOT NULL",
  zeroifnull: "(a) AS coalesce(a, 0)",
  nullifzero: "(a) AS CASE WHEN a = 0 THEN NULL ELSE a END",
  isnan: "(a) AS coalesce(isnan(CAST(a AS DOUBLE)), false)",
  nanvl: "(a, b) AS CASE WHEN isnan(a) THEN b ELSE a END",
  ceil: "(x) AS CAST(ceil(x) AS BIGINT)",
  ceiling: "(x) AS CAST(ceil(x) AS BIGINT)",
  floor: "(x) AS CAST(floor(x) AS BIGINT)",
  sqrt: "(x) AS CASE WHEN x < 0 THEN CAST('NaN' AS DOUBLE) ELSE sqrt(x) END",
  ln: "(x) AS CASE WHEN x > 0 THEN ln(x) END",
  log10: "(x) AS CASE WHEN x > 0 THEN log10(x) END",
  log: "(x) AS CASE WHEN x > 0 THEN ln(x) END, (b, x) AS CASE WHEN x > 0 AND b > 0 THEN ln(x) / ln(b) END",
  sign: "(x) AS CAST(sign(x) AS DOUBLE)",
  signum: "(x) AS CAST(sign(x) AS DOUBLE)",
  mod: `(a, b) AS CASE WHEN b = 0 THEN error('${divideByZero("REMAINDER_BY_ZERO")}') ELSE a % b END`,
  pmod: "(a, b) AS ((a % b) + b) % b",
  try_divide: "(a, b) AS CASE WHEN b = 0 THEN NULL ELSE a / b END",
  substring:
    "(s, p) AS substring(s, CASE WHEN p = 0 THEN 1 ELSE p END), (s, p, n) AS substring(s, CASE WHEN p = 0 THEN 1 ELSE p END, greatest(n, 0))",
  substr:
    "(s, p) AS substring(s, CASE WHEN p = 0 THEN 1 ELSE p END), (s, p, n) AS substring(s, CASE WHEN p = 0 THEN 1 ELSE p END, greatest(n, 0))",
  ltrim: "(s) AS ltrim(s, ' ')",
  rtrim: "(s) AS rtrim(s, ' ')",
  lpad: "(s, n) AS lpad(s, n, ' '), (s, n, p) AS lpad(s, n, p)",
  rpad: "(s, n) AS rpad(s, n, ' '), (s, n, p) AS rpad(s, n, p)",
  replace: "(s, a) AS replace(s, a, ''), (s, a, b) AS replace(s, a, b)",
  reverse: "(s) AS reverse(s)",
  instr: "(s, t) AS CAST(strpos(s, t) AS INTEGER)",
  locate: "(t, s) AS CAST(strpos(s, t) AS INTEGER)",
  charindex: "(t, s) AS CAST(strpos(s, t) AS INTEGER)",
  split: "(s, r) AS regexp_split_to_array(s, r)",
  regexp_like: "(s, r) AS regexp_matches(s, r)",
  regexp_replace:
    "(s, r, b) AS regexp_replace(s, r, regexp_replace(b, '\\$(\\d)', '\\\\\\1', 'g'), 'g')",
  regexp_extract: "(s, r) AS regexp_extract(s, r, 1), (s, r, i) AS regexp_extract(s, r, i)",
  regexp_extract_all:
    "(s, r) AS regexp_extract_all(s, r, 1), (s, r, i) AS regexp_extract_all(s, r, i)",
  sha1: "(x) AS sha1(x)",
  sha: "(x) AS sha1(x)",
  base64:
    "(x) AS to_base64(CASE WHEN typeof(x) = 'BLOB' THEN TRY_CAST(x AS BLOB) ELSE encode(TRY_CAST(x AS VARCHAR)) END)",
  unbase64: "(x) AS from_base64(x)",
  get_json_object: "(s, p) AS CASE WHEN json_valid(s) THEN json_extract_string(s, p) END",
  parse_json: "(s) AS CAST(s AS JSON)",
  size: "(x) AS CAST(len(x) AS INTEGER)",
  cardinality: "(x) AS CAST(len(x) AS INTEGER)",
  array_size: "(x) AS CAST(len(x) AS INTEGER)",
  map_contains_key: "(m, k) AS list_contains(map_keys(m), k)",
  sort_array:
    "(a) AS list_sort(a, 'ASC', 'NULLS FIRST'), (a, up) AS CASE WHEN up THEN list_sort(a, 'ASC', 'NULLS FIRST') ELSE list_sort(a, 'DESC', 'NULLS LAST') END",
  array_sort: "(a) AS list_sort(a, 'ASC', 'NULLS LAST')",
  slice: "(a, s, n) AS list_slice(a, s, s + n - 1)",
  array_position: "(a, x) AS CAST(coalesce(list_position(a, x), 0) AS BIGINT)",
  date_trunc: "(u, t) AS date_trunc(lower(u), CAST(t AS TIMESTAMPTZ))",
  trunc:
    "(d, u) AS CAST(date_trunc(CASE upper(u) WHEN 'MM' THEN 'month' WHEN 'MON' THEN 'month' WHEN 'YYYY' THEN 'year' WHEN 'YY' THEN 'year' ELSE lower(u) END, CAST(d AS DATE)) AS DATE)",
  add_months: "(d, n) AS CAST(CAST(d AS DATE) + to_months(CAST(n AS INTEGER)) AS DATE)",
  year: "(t) AS CAST(year(CAST(t AS TIMESTAMPTZ)) AS INTEGER)",
  quarter: "(t) AS CAST(quarter(CAST(t AS TIMESTAMPTZ)) AS INTEGER)",
  month: "(t) AS CAST(month(CAST(t AS TIMESTAMPTZ)) AS INTEGER)",
  weekofyear: "(t) AS CAST(weekofyear(CAST(t AS TIMESTAMPTZ)) AS INTEGER)",
  day: "(t) AS CAST(day(CAST(t AS TIMESTAMPTZ)) AS INTEGER)",
  dayofmonth: "(t) AS CAST(day(CAST(t AS TIMESTAMPTZ)) AS INTEGER)",
  dayofyear: "(t) AS CAST(dayofyear(CAST(t AS TIMESTAMPTZ)) AS INTEGER)",
  dayofweek: "(t) AS CAST(dayofweek(CAST(t AS TIMESTAMPTZ)) + 1 AS INTEGER)",
  weekday: "(t) AS CAST(isodow(CAST(t AS TIMESTAMPTZ)) - 1 AS INTEGER)",
  hour: "(t) AS CAST(hour(CAST(t AS TIMESTAMPTZ)) AS INTEGER)",
  minute: "(t) AS CAST(minute(CAST(t AS TIMESTAMPTZ)) AS INTEGER)",
  second: "(t) AS CAST(second(CAST(t AS TIMESTAMPTZ)) AS INTEGER)",
  unix_seconds: "(t) AS CAST(floor(epoch_us(CAST(t AS TIMESTAMPTZ)) / 1000000) AS BIGINT)",
  to_unix_timestamp: "(t) AS CAST(floor(epoch_us(CAST(t AS TIMESTAMPTZ)) / 1000000) AS BIGINT)",
  unix_timestamp: "(t) AS CAST(floor(epoch_us(CAST(t AS TIMESTAMPTZ)) / 1000000) AS BIGINT)",
  unix_millis: "(t) AS CAST(floor(epoch_us(CAST(t AS TIMESTAMPTZ)) / 1000) AS BIGINT)",
  unix_micros: "(t) AS epoch_us(CAST(t AS TIMESTAMPTZ))",
  timestamp_seconds: "(n) AS to_timestamp(n)",
  timestamp_millis: "(n) AS CAST(make_timestamp(CAST(n AS BIGINT) * 1000) AS TIMESTAMPTZ)",
  timestamp_micros: "(n) AS CAST(make_timestamp(CAST(n AS BIGINT)) AS TIMESTAMPTZ)",
  from_utc_timestamp: "(t, z) AS timezone('UTC', timezone(z, CAST(t AS TIMESTAMPTZ)))",
  to_utc_timestamp: "(t, z) AS timezone(z, timezone('UTC', CAST(t AS TIMESTAMPTZ)))",
  string: "(x) AS dbx_to_string(x)",
  boolean: "(x) AS CAST(x AS BOOLEAN)",
  double: "(x) AS CAST(x AS DOUBLE)",
  float: "(x) AS CAST(x AS FLOAT)",
  bigint: "(x) AS dbx_to_bigint(x)",
  int: "(x) AS dbx_to_integer(x)",
  smallint: "(x) AS dbx_to_smallint(x)",
  tinyint: "(x) AS dbx_to_tinyint(x)",
  raise_error: "(x) AS error(x)",
};

/** What operators and casts become: Databricks fails on a zero, cuts fractions off where DuckDB rounds, and shows no time zone. */
const operatorMacros: readonly string[] = [
  ...["TINYINT", "SMALLINT", "INTEGER", "BIGINT"].map(
    (type) => `CREATE MACRO dbx_to_${type.toLowerCase()}(x) AS CASE
      WHEN typeof(x) IN ('DOUBLE', 'FLOAT') OR typeof(x) LIKE 'DECIMAL%'
      THEN CAST(trunc(TRY_CAST(x AS DOUBLE)) AS ${type})
      WHEN typeof(x) = 'TIMESTAMP WITH TIME ZONE'
      THEN CAST(floor(epoch(TRY_CAST(x AS TIMESTAMPTZ))) AS ${type})
      WHEN typeof(x) = 'BOOLEAN' THEN CAST(TRY_CAST(x AS BOOLEAN) AS ${type})
      WHEN typeof(x) = 'VARCHAR' THEN CAST(TRY_CAST(x AS VARCHAR) AS ${type})
      ELSE CAST(TRY_CAST(x AS HUGEINT) AS ${type}) END`,
  ),
  `CREATE MACRO dbx_operator_divide(a, b) AS CASE WHEN b = 0 THEN error('${divideByZero("DIVIDE_BY_ZERO")}') ELSE a / b END`,
  `CREATE MACRO dbx_operator_div(a, b) AS CASE WHEN b = 0 THEN error('${divideByZero("DIVIDE_BY_ZERO")}') ELSE CAST((a - a % b) // b AS BIGINT) END`,
  `CREATE MACRO dbx_to_string(x) AS CASE
    WHEN typeof(x) = 'TIMESTAMP WITH TIME ZONE' THEN regexp_replace(CAST(x AS VARCHAR), '\\+00$', '')
    ELSE CAST(x AS VARCHAR) END`,
];

/** Run once in a new DuckDB. */
export const macroStatements: readonly string[] = [
  ...operatorMacros,
  ...Object.entries(macros).map(([name, body]) => `CREATE MACRO ${MARK}${name}${body}`),
];

/** For the docs, and for who asks what there is. */
export function knownFunctions(): string[] {
  return [...grammar, ...functions.keys(), ...contextFunctions, ...Object.keys(macros)];
}

export function isKnownFunction(name: string): boolean {
  const lower = name.toLowerCase();
  return functions.has(lower) || contextFunctions.has(lower) || Object.hasOwn(macros, lower);
}

/** @param node a call whose name begins with `MARK`, its arguments already translated. */
export function applyFunction(node: Node): Node {
  const name = String(node.function_name).toLowerCase().slice(MARK.length);
  const rule = functions.get(name);
  // A macro: DuckDB knows it by its marked name.
  if (rule === undefined) return { ...node, function_name: `${MARK}${name}` };
  if (typeof rule === "string") return { ...node, function_name: rule };
  const children = (node.children as readonly Node[]) ?? [];
  const built = rule(children, node);
  return withAlias(built, node.alias);
}

function need(node: Node | undefined): Node {
  if (!node) {
    throw unsupported("a call with fewer arguments than the function needs");
  }
  return node;
}

function rename(node: Node, name: string, children: readonly Node[]): Node {
  return { ...node, function_name: name, children };
}

function isStar(args: readonly Node[]): boolean {
  return args.length === 1 && args[0]?.class === "STAR";
}

function every2nd(args: readonly Node[], from: 0 | 1): Node[] {
  if (args.length % 2 === 1) throw unsupported("map() with an odd number of arguments");
  return args.filter((_, index) => index % 2 === from);
}

const double = (node: Node | undefined) => cast(need(node), "DOUBLE");
const timestamp = (node: Node | undefined) => cast(need(node), "TIMESTAMP WITH TIME ZONE");

function constantOf(node: Node | undefined, name: string): string {
  const value = constantText(node);
  if (value === undefined) throw unsupported(`${name} with a format that is not a constant`);
  return value;
}

/** NULLs are left out, and no rows give an empty array. */
function collect(isSet: boolean): FunctionRule {
  return ([value], node) => {
    const isThere: Node = {
      class: "OPERATOR",
      type: "OPERATOR_IS_NOT_NULL",
      alias: "",
      query_location: 0,
      children: [need(value)],
    };
    const given = node.filter;
    const filter = isNode(given)
      ? {
          class: "CONJUNCTION",
          type: "CONJUNCTION_AND",
          alias: "",
          query_location: 0,
          children: [given, isThere],
        }
      : isThere;
    const list = {
      ...node,
      function_name: "list",
      alias: "",
      filter,
      distinct: isSet || node.distinct === true,
    };
    // A window can't be wrapped; it gives NULL where Databricks gives an empty array.
    if (node.class === "WINDOW") return list;
    return {
      class: "OPERATOR",
      type: "OPERATOR_COALESCE",
      alias: "",
      query_location: 0,
      children: [list, call("list_value")],
    };
  };
}

function namedStruct(args: readonly Node[]): Node {
  return call(
    "struct_pack",
    ...every2nd(args, 1).map((value, index) =>
      withAlias(value, constantOf(args[index * 2], "named_struct")),
    ),
  );
}

function struct(args: readonly Node[]): Node {
  return call(
    "struct_pack",
    ...args.map((value, index) => {
      const names = value.column_names as readonly string[] | undefined;
      return withAlias(value, value.alias || names?.at(-1) || `col${index + 1}`);
    }),
  );
}

function elementAt(from: Node, at: Node): Node {
  if (constantInteger(at) !== undefined) return call("list_extract", from, at);
  if (constantText(at) !== undefined) return call("map_extract_value", from, at);
  throw unsupported("element_at with a key that is not a constant");
}

/** Objects and arrays inside become JSON, as in Databricks. */
function variantText(value: Node, path: Node | undefined, type: Node | undefined): Node {
  if (constantText(type)?.toUpperCase() !== "STRING") {
    throw unsupported("try_variant_get of another type than 'STRING'");
  }
  const keys = constantOf(path, "try_variant_get").match(
    /^\$((?:\.\w+|\["[^"?]+"\]|\['[^'?]+'\])+)$/,
  );
  if (!keys) throw unsupported("a path of try_variant_get with other parts than keys");
  const steps = keys[1]?.match(/\.\w+|\[(["']).+?\1\]/g) ?? [];
  const names = steps.map((step) => (step.startsWith(".") ? step.slice(1) : step.slice(2, -2)));
  return call("json_extract_string", value, text(`$${names.map((name) => `."${name}"`).join("")}`));
}

function fromJson(json: Node, schema: Node | undefined): Node {
  return call("json_transform", json, text(jsonStructure(constantOf(schema, "from_json"))));
}

function parseTime([value, format]: readonly Node[], name: string): Node {
  if (!format) return timestamp(value);
  return timestamp(call("strptime", need(value), text(strftimeFormat(constantOf(format, name)))));
}

const units: Readonly<Record<string, (count: Node) => Node>> = {
  MICROSECOND: (n) => call("to_microseconds", n),
  MILLISECOND: (n) => call("to_milliseconds", n),
  SECOND: (n) => call("to_seconds", n),
  MINUTE: (n) => call("to_minutes", n),
  HOUR: (n) => call("to_hours", n),
  DAY: (n) => call("to_days", n),
  WEEK: (n) => call("to_weeks", n),
  MONTH: (n) => call("to_months", n),
  QUARTER: (n) => call("to_months", call("*", n, integer(3))),
  YEAR: (n) => call("to_years", n),
};

/** A unit stands where a column would: `dateadd(MINUTE, 3, t)`. */
function unitOf(node: Node | undefined): string {
  const names = node?.column_names as readonly string[] | undefined;
  const unit = names?.[0]?.toUpperCase() ?? "";
  const singular = unit.endsWith("S") ? unit.slice(0, -1) : unit;
  if (!Object.hasOwn(units, singular)) throw unsupported(`the unit of time ${unit || "given"}`);
  return singular;
}

function addTime(args: readonly Node[], sign: 1 | -1): Node {
  const signed = (n: Node) => (sign === 1 ? n : call("*", n, integer(-1)));
  if (args.length === 2) {
    const [date, days] = args;
    return cast(
      call("+", cast(timestamp(date), "DATE"), signed(cast(need(days), "INTEGER"))),
      "DATE",
    );
  }
  const [unit, count, time] = args;
  const interval = units[unitOf(unit)];
  if (!interval) throw unsupported("this unit of time");
  return call("+", timestamp(time), interval(signed(cast(need(count), "INTEGER"))));
}

/** Whole units that have passed; with two arguments, days from the second to the first. */
function diffTime(args: readonly Node[]): Node {
  if (args.length === 2) {
    const [end, start] = args;
    const day = (node: Node | undefined) => cast(timestamp(node), "DATE");
    return cast(call("date_diff", text("day"), day(start), day(end)), "INTEGER");
  }
  const [unit, start, end] = args;
  return call("date_sub", text(unitOf(unit).toLowerCase()), timestamp(start), timestamp(end));
}

/** `window(t, '5 minutes')`: the fixed stretch of time that `t` falls in. */
function tumblingWindow(time: Node, width: Node | undefined, more: Node | undefined): Node {
  if (more) throw unsupported("window() that slides or starts elsewhere");
  const [, count = "", unit = ""] =
    /^\s*(?:interval\s+)?(\d+)\s+(\w+)\s*$/i.exec(constantOf(width, "window")) ?? [];
  const interval = units[unit.toUpperCase().replace(/S$/, "")];
  if (!interval || /month|quarter|year/i.test(unit)) {
    throw unsupported(`window() of ${constantText(width)}`);
  }
  const length = interval(cast(integer(Number(count)), "INTEGER"));
  const epoch = cast(text("1970-01-01 00:00:00+00"), "TIMESTAMP WITH TIME ZONE");
  const start = call("time_bucket", length, timestamp(time), epoch);
  return call("struct_pack", withAlias(start, "start"), withAlias(call("+", start, length), "end"));
}

function sha2(value: Node, bits: Node | undefined): Node {
  const size = constantInteger(bits);
  if (size === 256 || size === 0) return call("sha256", value);
  throw unsupported(`sha2 of ${size ?? "a number of"} bits that is not a constant 256`);
}
