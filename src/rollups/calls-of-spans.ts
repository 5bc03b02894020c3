/**
 * Spans → requests and calls of modules, as Spark SQL: what `assembleTrace` makes of a trace.
 *
 * A trace is put together in one row, as an array of its spans in order, so that spans are
 * shuffled once. From there on a span is its place in that array, and what is known of all spans
 * of a trace is one more array of the same length. Each layer below names some of these, made of
 * those before. Two rules keep this fast, a trace of ten thousand spans included:
 *
 * - Ways up a tree are followed for all spans at once (`ends`), in as many rounds as their number
 *   has binary digits. Only native functions, such as `array_position`, look at each span for each.
 * - A layer is an `inline`, which the optimizer never takes apart. A plain subquery it puts into
 *   the lambdas that use it, to be evaluated anew for each span.
 *
 * Pure.
 */

import { quotedText } from "../history/databricks-tables.ts";
import { PREDICT_AGAIN, UNNAMED_SIGNATURE } from "../ingest/otlp/agent-span.ts";
import {
  errorClassesByType,
  errorClassesOfEnds,
  TIMED_OUT,
} from "../ingest/otlp/error-class-of.ts";
import { TRACE_SPANS_MAX } from "../ingest/otlp/open-traces.ts";
import { spanFacts } from "./span-relation.ts";
import { regex } from "./sql-regex.ts";

/** A request, or a call of a module, tool or retriever. */
export const REQUEST = "request";

/** What `callsOfTraces` is asked of: a temporary view, as the analyzer gives up on all layers in one. */
const TRACES = "rollup_traces";

/** @param relations common table expressions with `agent_spans`. */
export function viewOfTraces(relations: string): string {
  return `CREATE OR REPLACE TEMPORARY VIEW ${TRACES} AS
WITH ${relations}, gathered AS (
  SELECT trace_id, endpoint, sort_array(collect_list(struct(${spanFacts.join(", ")}))) AS found
  FROM agent_spans GROUP BY trace_id, endpoint
)
SELECT endpoint, ${trees.flatMap(Object.keys).join(", ")}
FROM gathered
${trees.map(layerSql).join("\n")}`;
}

/** @param workspaceId as a literal, or `NULL`. */
export function callsOfTraces(workspaceId: string): string {
  return `SELECT timestamp_millis(CAST(floor(call.end_ms) AS BIGINT)) AS timestamp, ${workspaceId} AS workspace_id, endpoint AS endpoint_name,
  call.kind, call.program, call.path, call.end_ms - call.start_ms AS latency_ms,
  call.input_tokens, call.output_tokens, call.cost_usd, call.error_class
FROM ${TRACES}
${calls.map(layerSql).join("\n")}
  LATERAL VIEW explode(concat(requests, module_calls)) calls AS call`;
}

type Layer = Readonly<Record<string, string>>;

function layerSql(layer: Layer, place: number): string {
  const named = Object.entries(layer).map(([name, value]) => `${value} AS ${name}`);
  return `  LATERAL VIEW inline(array(struct(
    ${named.join(",\n    ")}))) layer_${place} AS ${Object.keys(layer).join(", ")}`;
}

/**
 * Where the way ends that leads from each span to the one that `steps` names: at one that names
 * itself. Each round doubles how far all have come.
 */
function ends(steps: string): string {
  return `aggregate(${ROUNDS}, ${steps}, (way, round) -> transform(way, i -> get(way, i)))`;
}

const ROUNDS = "sequence(0, CAST(ceil(log2(size(spans))) AS INT))";

/** The first place in `array` that has the value, counted from 0; NULL where none has. */
function placeOf(array: string, value: string): string {
  return `CAST(nullif(array_position(${array}, ${value}), 0) - 1 AS INT)`;
}

/** What `value` makes of each span `x` at place `i`, where the condition holds. */
function each(condition: string, value: string): string {
  return `filter(transform(spans, (x, i) -> IF(${condition}, ${value}, NULL)), y -> y IS NOT NULL)`;
}

/** A value that is used more than once, evaluated once. */
function once(name: string, value: string, used: string): string {
  return `get(transform(array(${value}), ${name} -> ${used}), 0)`;
}

// ─── Trees ──────────────────────────────────────────────────────────────────

const caller = (i: string) => `get(callers, ${i})`;
const top = (i: string) => `get(tops, ${i})`;
const isFolded = (i: string) => `coalesce(get(folds, ${i}), ${i}) <> ${i}`;
/** What an attempt of a model call called is no call of its own. */
const isInTree = (i: string) => `${caller(top(i))} IS NULL`;
const isRoot = (i: string) => `get(spans, ${i}).parent IS NULL`;

const trees: readonly Layer[] = [
  { found_ids: "transform(found, x -> x.span_id)" },
  {
    // Each id once, the first in order, and no more of them than the monitor takes.
    spans: `slice(IF(size(array_distinct(found_ids)) = size(found), found,
      filter(found, (x, i) -> array_position(found_ids, x.span_id) = i + 1)), 1, ${TRACE_SPANS_MAX})`,
  },
  {
    ids: "transform(spans, x -> x.span_id)",
    has_root: "exists(spans, x -> x.parent IS NULL)",
  },
  {
    linked: `transform(spans, x -> IF(x.parent = x.span_id, NULL, ${placeOf("ids", "x.parent")}))`,
  },
  {
    // A circle of parents, which takes one that began after what is inside it, is cut open at the
    // first of its spans. So the first on the way up of each span must be known, and where that ends.
    parents: `IF(exists(transform(linked, (up, i) -> up > i), is -> is),
      transform(
        aggregate(${ROUNDS}, transform(linked, (up, i) -> struct(coalesce(up, i) AS up, i AS first)), (way, round) ->
          transform(way, x -> struct(get(way, x.up).up AS up, least(x.first, get(way, x.up).first) AS first))),
        (x, i) -> IF(get(linked, x.up) IS NOT NULL AND x.first = i, NULL, get(linked, i))),
      linked)`,
  },
  {
    // The span itself, or the nearest around it that is not somebody else's.
    own: `IF(exists(spans, x -> x.kind = 'other'),
      ${ends("transform(spans, (x, i) -> IF(x.kind = 'other', coalesce(get(parents, i), i), i))")}, NULL)`,
  },
  {
    // The call that a span is folded into; itself where it is one. NULL where none is folded.
    folds: `IF(exists(spans, x -> x.kind = 'other' OR x.repeats),
      ${ends(`transform(spans, (x, i) -> IF(get(parents, i) IS NOT NULL AND (x.kind = 'other'
        OR x.repeats AND get(spans, coalesce(get(own, get(parents, i)), get(parents, i))).kind = 'module'), get(parents, i), i))`)}, NULL)`,
  },
  // The call that each was made in; NULL at the top.
  { callers: "IF(folds IS NULL, parents, transform(parents, up -> get(folds, up)))" },
  {
    // A model call right inside one.
    attempts: `transform(spans, (x, i) -> x.kind = 'lm' AND coalesce(get(spans, ${caller("i")}).kind = 'lm', false))`,
    first_top: placeOf("transform(callers, up -> up IS NULL)", "true"),
    again: each(
      `x.repeats AND ${isFolded("i")} AND regexp_extract(x.name, ${regex(PREDICT_AGAIN)}, 1) <> ${quotedText(UNNAMED_SIGNATURE)}`,
      "struct(get(folds, i) AS call, x.name AS name)",
    ),
  },
  {
    // Without a root all that did arrive is one tree, below the first of its tops.
    tops: `transform(${ends(`transform(callers, (up, i) -> IF(get(attempts, i), i, coalesce(up, i)))`)},
      top -> IF(has_root OR ${caller("top")} IS NOT NULL, top, first_top))`,
    ...nearestAbove(),
  },
];

// ─── Tokens and cost ────────────────────────────────────────────────────────

/**
 * Of model calls counts what they tell; of an attempt only where no call around it tells. The
 * totals of modules include all below, so only those furthest up count, and only where no model
 * call tells. For each span: the nearest, itself included, that hides what is told inside it.
 */
function nearestAbove(): Layer {
  const inAttempts = (tells: string) =>
    `IF(array_contains(attempts, true), ${ends(`transform(spans, (x, i) -> IF(get(attempts, i) AND x.${tells} IS NULL, ${caller("i")}, i))`)}, NULL)`;
  return {
    // Of an attempt: the call that it is one of.
    attempted: `IF(array_contains(attempts, true), ${ends(`transform(attempts, (is, i) -> IF(is, ${caller("i")}, i))`)}, NULL)`,
    tokens_at: inAttempts("input_tokens"),
    costs_at: inAttempts("cost_usd"),
    totals_at: `IF(exists(spans, x -> ${tellsTotal("x")}),
      ${ends(`transform(spans, (x, i) -> IF(${tellsTotal("x")} OR get(attempts, i), i, coalesce(${caller("i")}, i)))`)}, NULL)`,
  };
}

function tellsTotal(x: string): string {
  return `(${x}.kind = 'module' AND ${x}.input_tokens IS NOT NULL)`;
}

const sums = ["input", "output", "cost", "total_input", "total_output"] as const;
const unknown = "CAST(NULL AS DOUBLE)";

function used(): string {
  const request = top("coalesce(get(attempted, i), i)");
  const isTold = (nearest: string, tells: string) =>
    `(NOT get(attempts, i) OR get(spans, get(${nearest}, ${caller("i")})).${tells} IS NULL)`;
  const totalAbove = tellsTotal(`get(spans, get(totals_at, ${caller("i")}))`);
  const ofModelCall = [
    `IF(${isTold("tokens_at", "input_tokens")}, x.input_tokens, NULL)`,
    `IF(${isTold("tokens_at", "input_tokens")}, x.output_tokens, NULL)`,
    `IF(${isTold("costs_at", "cost_usd")}, x.cost_usd, NULL)`,
    unknown,
    unknown,
  ];
  const ofModule = [unknown, unknown, unknown, "x.input_tokens", "x.output_tokens"];
  const struct = (values: readonly string[]) =>
    `struct(${request} AS request, ${sums.map((sum, at) => `${values[at]} AS ${sum}`).join(", ")})`;
  return each(
    `(x.input_tokens IS NOT NULL OR x.cost_usd IS NOT NULL) AND NOT ${isFolded("i")} AND ${caller(request)} IS NULL`,
    `CASE WHEN x.kind = 'lm' THEN ${struct(ofModelCall)}
        WHEN x.kind = 'module' AND NOT coalesce(${totalAbove}, false) THEN ${struct(ofModule)} END`,
  );
}

/** Of all that was used in the request at place `i`; what nobody told stays NULL. */
const sumOfUsed = `aggregate(filter(used, x -> x.request = i), struct(${sums.map((sum) => `${unknown} AS ${sum}`).join(", ")}),
        (sum, x) -> struct(${sums.map((sum) => `coalesce(sum.${sum} + x.${sum}, sum.${sum}, x.${sum}) AS ${sum}`).join(", ")}))`;

// ─── Failures ───────────────────────────────────────────────────────────────

/** In the order in which they ended. */
const failures = `IF(exists(spans, x -> x.failed), sort_array(${each(
  `x.failed AND NOT ${isFolded("i")}`,
  `struct(x.end_ms AS end_ms, get(attempts, i) AS is_attempt, i AS place, ${caller("i")} AS caller, x.kind AS kind,
        x.error_message AS message, x.error_type AS type, regexp_replace(x.error_type, '^LM(?=[A-Z])', '') AS bare_type, x.told_class AS told_class,
        ${isGivenUp("x")} AS given_up)`,
)}), NULL)`;

/** The call inside the failed call `failure` that made it fail; NULL when the failure is its own. */
function reasonWithin(failure: string): string {
  const isInside = (i: string) => `${caller(i)} = ${failure}.place AND NOT ${isFolded(i)}`;
  // What its caller went on from to another call, with success, is not why it failed.
  const wentOnMs = `array_max(transform(spans, (x, i) -> IF(${isInside("i")} AND NOT x.failed AND x.kind <> 'adapter', x.start_ms, NULL)))`;
  // Nor is a call that was given up, unless it was itself: it waited too long, or another call failed.
  const inside = `filter(failures, f -> f.caller = ${failure}.place AND (${failure}.given_up OR NOT f.given_up))`;
  const last = (condition: string) => `try_element_at(filter(failed, f -> ${condition}), -1)`;
  return once(
    "inside",
    inside,
    `IF(size(inside) = 0, NULL, ${once(
      "failed",
      once(
        "went_on_ms",
        wentOnMs,
        "filter(inside, f -> went_on_ms IS NULL OR f.end_ms > went_on_ms)",
      ),
      `coalesce(${last(`f.message = ${failure}.message`)}, ${last(`f.bare_type = ${failure}.bare_type`)},
          ${last("f.kind NOT IN ('tool', 'retriever')")})`,
    )})`,
  );
}

function isGivenUp(x: string): string {
  const byType = errorClassesOfEnds
    .filter(([, errorClass]) => errorClass === "client")
    .map(([pattern]) => `${x}.error_type RLIKE ${regex(pattern)}`);
  return `coalesce(${x}.told_class = 'client', ${byType.join(" OR ")})`;
}

function classOf(failure: string): string {
  const ofEnds = errorClassesOfEnds.map(
    ([pattern, errorClass]) =>
      `WHEN ${failure}.type RLIKE ${regex(pattern)} THEN ${quotedText(errorClass)}`,
  );
  const byType = errorClassesByType.map(
    ([pattern, errorClass]) =>
      `WHEN ${failure}.type RLIKE ${regex(pattern)} THEN ${
        errorClass === "lm_provider"
          ? `IF(coalesce(${failure}.message, '') RLIKE ${regex(TIMED_OUT)}, 'timeout', 'lm_provider')`
          : quotedText(errorClass)
      }`,
  );
  return `CASE WHEN ${failure}.told_class IS NOT NULL THEN ${failure}.told_class
        ${ofEnds.join("\n        ")}
        WHEN ${failure}.kind IN ('tool', 'retriever') THEN ${failure}.kind
        ${byType.join("\n        ")}
        WHEN ${failure}.kind = 'lm' THEN 'lm_provider' ELSE 'unknown' END`;
}

/** Of the failure that the caller saw, at its deepest call: followed until there is none deeper. */
function requestClass(): string {
  const lastTop = "array_max(transform(failures, f -> IF(f.caller IS NULL, f.place, NULL)))";
  const seen = `filter(failures, f -> f.place = IF(has_root, i, ${lastTop}))`;
  const deeper = once(
    "deeper",
    reasonWithin("at.failure"),
    "struct(coalesce(deeper, at.failure) AS failure, deeper IS NOT NULL AS goes_on)",
  );
  const cause = `aggregate(failures, struct(seen AS failure, true AS goes_on),
        (at, step) -> IF(at.goes_on, ${deeper}, at), at -> at.failure)`;
  return `IF(failures IS NULL, NULL, get(transform(${seen}, seen -> ${once("cause", cause, classOf("cause"))}), 0))`;
}

// ─── Requests and calls ─────────────────────────────────────────────────────

/** A module, or the HTTP edge around something of an agent: a probe of `/health` is no call of it. */
const isProgram = `(x.kind = 'module' OR x.kind = 'server' AND exists(
      transform(spans, (y, j) -> ${top("j")} = i AND y.kind <> 'server' AND NOT ${isFolded("j")}), is -> is))`;

function requests(): string {
  const ofTops = (field: string) =>
    `transform(spans, (y, j) -> IF(${caller("j")} IS NULL, y.${field}, NULL))`;
  const isRequest = `${caller("i")} IS NULL AND IF(has_root, ${isRoot("i")} AND ${isProgram}, i = first_top)`;
  return each(
    isRequest,
    once(
      "sum",
      sumOfUsed,
      callStruct({
        start_ms: `IF(has_root, x.start_ms, array_min(${ofTops("start_ms")}))`,
        end_ms: `IF(has_root, x.end_ms, array_max(${ofTops("end_ms")}))`,
        kind: quotedText(REQUEST),
        input_tokens: "coalesce(sum.input, sum.total_input)",
        output_tokens: "coalesce(sum.output, sum.total_output)",
        cost_usd: "sum.cost",
        error_class: requestClass(),
      }),
    ),
  );
}

function moduleCalls(): string {
  // The module at the top, else the first that began.
  const first = `IF(get(programs, ${top("i")}) = ${top("i")}, ${top("i")}, ${placeOf("programs", top("i"))})`;
  const main = `get(spans, ${first})`;
  return each(
    `x.kind IN ('module', 'tool', 'retriever') AND NOT ${isFolded("i")} AND ${isInTree("i")}`,
    callStruct({
      start_ms: "x.start_ms",
      end_ms: "x.end_ms",
      kind: "x.kind",
      program: `coalesce(x.program, ${main}.program, ${main}.name, IF(${isRoot(top("i"))}, get(spans, ${top("i")}).name, 'unknown'))`,
      path: "coalesce(x.path, try_element_at(filter(again, y -> y.call = i), -1).name, x.name)",
      error_class: "IF(x.failed, 'failed', NULL)",
    }),
  );
}

type CallFields = {
  readonly start_ms: string;
  readonly end_ms: string;
  readonly kind: string;
  readonly program?: string;
  readonly path?: string;
  readonly input_tokens?: string;
  readonly output_tokens?: string;
  readonly cost_usd?: string;
  readonly error_class: string;
};

function callStruct(call: CallFields): string {
  const text = "CAST(NULL AS STRING)";
  return `struct(${call.start_ms} AS start_ms, ${call.end_ms} AS end_ms, ${call.kind} AS kind,
      ${call.program ?? text} AS program, ${call.path ?? text} AS path,
      ${call.input_tokens ?? unknown} AS input_tokens, ${call.output_tokens ?? unknown} AS output_tokens, ${call.cost_usd ?? unknown} AS cost_usd,
      ${call.error_class} AS error_class)`;
}

const calls: readonly Layer[] = [
  {
    used: used(),
    failures,
    // Modules that may tell the program of their tree: without its root only telemetry that names the place does.
    programs: `transform(spans, (x, i) -> IF(x.kind = 'module' AND NOT ${isFolded("i")} AND ${isInTree("i")}
      AND (x.path IS NOT NULL OR ${isRoot(top("i"))}), ${top("i")}, NULL))`,
  },
  { requests: requests(), module_calls: moduleCalls() },
];
