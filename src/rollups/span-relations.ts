/**
 * Spans in a table → requests and calls of modules, as Spark SQL: what `ingest` makes of
 * spans, for more of them than one machine can hold. Names of attributes, kinds of spans and
 * classes of errors are those of `ingest`, taken from it; a test runs both over the same spans.
 *
 * A trace is put together in one row, as an array of its spans, so that only one shuffle
 * moves spans. What is left out, since SQL would pay for it with each trace: the price book
 * (cost is what telemetry tells), circles of parents, and chains of more than
 * `CHAIN_MAX` spans that belong to somebody else.
 */
import { agentAttributes, at } from "../ingest/otlp/agent-attributes.ts";
import {
  ADAPTER,
  classesOfAgents,
  genAiKinds,
  MODULE_METHOD,
  mlflowKinds,
  PREDICT_AGAIN,
} from "../ingest/otlp/agent-span.ts";
import {
  errorClassesByType,
  errorClassesOfEnds,
  TIMED_OUT,
} from "../ingest/otlp/error-class-of.ts";
import type { SpanColumns } from "../ingest/span-table/columns.ts";
import { resourceKeys, selectedOf } from "../ingest/span-table/select-spans.ts";

/** Spans that are looked through, or failures that are followed, one in another. */
const CHAIN_MAX = 24;

/** Common table expressions: `requests` and `module_calls` with the columns of the history's tables that roll-ups read. */
export function spanRelations({
  table,
  columns,
  where,
  workspaceId,
}: {
  /** Quoted. */
  readonly table: string;
  readonly columns: SpanColumns;
  readonly where: string;
  /** As a literal, or `NULL`. */
  readonly workspaceId: string;
}): string {
  return `told AS (
  SELECT ${selectedOf(columns).join(",\n    ")}
  FROM ${table} WHERE ${where}
), spans AS (
  SELECT *, ${program} AS program FROM (
    SELECT trace_id, span_id, ${parent} AS parent, name, start_nano / 1e6 AS start_ms, end_nano / 1e6 AS end_ms,
      coalesce(${resource(at.dspyEndpoint)}, ${resource(at.serviceName)}, nullif(service_name, ''), 'unknown') AS endpoint,
      convention, ${kind} AS kind, ${repeats} AS repeats,
      CASE WHEN convention = 'callback' AND ${text(at.dspyKind)} IN ('module', 'retriever') THEN ${text(at.dspyPath)} END AS path,
      ${input} AS input_tokens, ${output} AS output_tokens, ${cost} AS cost_usd,
      ${failed} AS failed, ${toldClass} AS told_class, ${errorType} AS error_type, ${errorMessage} AS error_message,
      ${[at.dspyProgram, at.genAiAgent].map((key) => `${text(key)} AS ${column(key)}`).join(", ")}
    FROM (SELECT *, ${convention} AS convention FROM told)
  )
), gathered AS (
  SELECT trace_id, endpoint, array_sort(collect_list(struct(
      start_ms, -end_ms AS minus_end_ms, span_id, end_ms, parent, name, kind, repeats, path, program,
      input_tokens, output_tokens, cost_usd, failed, told_class, error_type, error_message))) AS found
  FROM spans GROUP BY trace_id, endpoint
), traces AS (
  SELECT trace_id, endpoint, transform(s, x -> struct(x AS n, ${up} AS up)) AS l FROM (
    SELECT *, transform(filter(s, x -> (x.kind = 'other' OR x.repeats) AND array_contains(ids, x.parent)), x -> x.span_id) AS skipped FROM (
      SELECT trace_id, endpoint, s, transform(s, x -> x.span_id) AS ids FROM (
        SELECT trace_id, endpoint, IF(size(array_distinct(transform(found, x -> x.span_id))) = size(found), found,
          filter(found, (x, i) -> NOT exists(slice(found, 1, i), y -> y.span_id = x.span_id))) AS s FROM gathered
      )
    )
  )
), trees AS (
  SELECT trace_id, endpoint, tops, exists(tops, t -> t.n.parent IS NULL) AS has_root,
    filter(l, x -> NOT (x.up IS NOT NULL AND (x.n.kind = 'other' OR x.n.repeats))) AS l,
    filter(l, x -> x.n.repeats AND x.up IS NOT NULL AND NOT x.n.name RLIKE ${regex(/^\w+\(StringSignature\)/)}) AS again
  FROM (SELECT *, filter(l, x -> x.up IS NULL) AS tops FROM traces)
), requests AS (
  SELECT timestamp_millis(CAST(floor(end_ms) AS BIGINT)) AS timestamp, ${workspaceId} AS workspace_id, endpoint AS endpoint_name,
    end_ms - start_ms AS latency_ms, ${requestTokens("input")} AS input_tokens, ${requestTokens("output")} AS output_tokens,
    aggregate(calls, CAST(NULL AS DOUBLE), (sum, x) -> coalesce(sum + x.n.cost_usd, sum, x.n.cost_usd)) AS cost_usd,
    ${requestClass} AS error_class
  FROM (
    SELECT *, filter(mine, x -> x.n.kind = 'lm' AND NOT ${isAttempt("x", "mine")}) AS calls FROM (
      SELECT endpoint, l, top, ends, IF(size(tops) = 1 OR NOT has_root, l, filter(l, x -> ${topOf("x")} = top.n.span_id)) AS mine,
        IF(has_root, top.n.start_ms, array_min(transform(ends, x -> x.n.start_ms))) AS start_ms,
        IF(has_root, top.n.end_ms, array_max(transform(ends, x -> x.n.end_ms))) AS end_ms
      FROM (
        SELECT *, IF(has_root, array(top), tops) AS ends FROM (
          SELECT *, explode(IF(has_root, filter(tops, t -> t.n.parent IS NULL AND (t.n.kind = 'module'
            OR t.n.kind = 'server' AND exists(l, x -> x.n.kind <> 'server' AND (size(tops) = 1 OR ${topOf("x", "t.n.span_id")})))), slice(tops, 1, 1))) AS top FROM trees
        )
      )
    )
  )
), module_calls AS (
  SELECT timestamp_millis(CAST(floor(c.n.end_ms) AS BIGINT)) AS timestamp, ${workspaceId} AS workspace_id, endpoint AS endpoint_name,
    c.n.kind AS kind, coalesce(c.n.program, main, 'unknown') AS program,
    coalesce(c.n.path, try_element_at(transform(filter(again, x -> x.n.parent = c.n.span_id), x -> x.n.name), 1), c.n.name) AS path,
    c.n.end_ms - c.n.start_ms AS latency_ms, IF(c.n.failed, 'failed', NULL) AS error_class
  FROM (
    SELECT *, explode(filter(l, x -> x.n.kind IN ('module', 'tool', 'retriever'))) AS c,
      try_element_at(transform(filter(l, x -> x.n.kind = 'module' AND (has_root OR x.n.path IS NOT NULL)), x -> coalesce(x.n.program, x.n.name)), 1) AS main
    FROM trees
  )
)`;
}

// ─── Spans ──────────────────────────────────────────────────────────────────

const keys = [...agentAttributes.places.keys()];

/** The column in which `selectedOf` has an attribute of a span. */
function column(place: number): string {
  return `a${place}`;
}

/** Of what reported the span. */
function resource(place: number): string {
  return `nullif(r${resourceKeys.map(String).indexOf(keys[place] ?? "")}, '')`;
}

/** A text that is not empty. */
function text(place: number): string {
  return `nullif(${column(place)}, '')`;
}

/** MLflow sends each value as JSON text to OTLP receivers, and typed to its own server. */
function unquoted(place: number): string {
  const value = column(place);
  return `nullif(IF(${value} LIKE '"%', substring(${value}, 2, length(${value}) - 2), ${value}), '')`;
}

/** As `amount` of `ingest`: a number that is finite and not negative. */
function amount(value: string): string {
  const number = `try_cast(${value} AS DOUBLE)`;
  return `IF(${number} >= 0 AND ${number} < double('Infinity'), ${number}, NULL)`;
}

function literal(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}

/** Java's regular expressions are JavaScript's, as far as these go. */
function regex({ source, flags }: RegExp): string {
  return literal(`${flags.includes("i") ? "(?i)" : ""}${source.replaceAll("\\/", "/")}`);
}

function kindsOf(kinds: ReadonlyMap<string | null, string>, value: string): string {
  const cases = Array.from(kinds, ([from, to]) => `WHEN ${literal(String(from))} THEN '${to}'`);
  return `CASE ${value} ${cases.join(" ")} ELSE 'module' END`;
}

/** What called the agent is of another process, and mostly reports elsewhere. */
const parent = `IF((coalesce(try_cast(flags AS BIGINT), 0) & 768) = 768 OR parent_span_id RLIKE '^0*$', NULL, lower(parent_span_id))`;

const convention = `CASE
    WHEN ${column(at.dspyKind)} IS NOT NULL THEN 'callback'
    WHEN ${column(at.openInferenceKind)} IS NOT NULL THEN 'openinference'
    WHEN ${column(at.mlflowSpanType)} IS NOT NULL THEN 'mlflow'
    WHEN ${column(at.genAiOperation)} IS NOT NULL THEN 'genai'
    ELSE 'none' END`;

const isMethod = `name RLIKE ${regex(MODULE_METHOD)}`;
const spanType = unquoted(at.mlflowSpanType);
const operation = text(at.genAiOperation);

const kind = `CASE convention
    WHEN 'callback' THEN IF(${column(at.dspyKind)} IN ('lm', 'module', 'retriever', 'tool', 'adapter', 'embedding'), ${column(at.dspyKind)}, 'other')
    WHEN 'openinference' THEN CASE
      WHEN ${column(at.openInferenceKind)} IN ('CHAIN', 'AGENT') THEN IF(name RLIKE ${regex(ADAPTER)}, 'adapter', 'module')
      WHEN ${column(at.openInferenceKind)} = 'LLM' THEN 'lm'
      WHEN ${column(at.openInferenceKind)} IN ('TOOL', 'RETRIEVER', 'EMBEDDING') THEN lower(${column(at.openInferenceKind)})
      ELSE 'other' END
    WHEN 'mlflow' THEN CASE
      WHEN ${spanType} = 'CHAT_MODEL' OR ${spanType} = 'LLM' AND NOT ${isMethod} THEN 'lm'
      ELSE ${kindsOf(mlflowKinds, spanType)} END
    WHEN 'genai' THEN CASE
      WHEN ${operation} IN ('chat', 'text_completion') OR ${operation} = 'generate_content' AND ${text(at.genAiModel)} IS NOT NULL THEN 'lm'
      ELSE ${kindsOf(genAiKinds, operation)} END
    ELSE IF(upper(kind) IN ('2', 'SERVER', 'SPAN_KIND_SERVER'), 'server', 'other') END`;

const repeats = `convention = 'openinference' AND name RLIKE ${regex(PREDICT_AGAIN)}`;

const program = `CASE
    WHEN convention = 'callback' AND kind <> 'lm' THEN ${column(at.dspyProgram)}
    WHEN kind <> 'module' THEN NULL
    WHEN convention IN ('openinference', 'mlflow') THEN regexp_replace(name, ${regex(MODULE_METHOD)}, '')
    WHEN convention = 'genai' THEN regexp_replace(coalesce(${column(at.genAiAgent)}, name), ${regex(MODULE_METHOD)}, '') END`;

const failed = `coalesce(upper(status_code) IN ('2', 'ERROR', 'STATUS_CODE_ERROR'), false)`;

const toldClass = `IF(${column(at.dspyErrorClass)} IN (${classesOfAgents.map(literal).join(", ")}), ${column(at.dspyErrorClass)}, NULL)`;

const errorType = `regexp_replace(coalesce(nullif(exception_type, ''), ${text(at.errorType)},
      nullif(regexp_extract(status_message, '^(\\\\w+)(?=:|$)', 1), ''), 'unknown'), '^.*\\\\.', '')`;

const errorMessage = `nullif(trim(IF(exception_type IS NULL AND exception_message IS NULL,
      regexp_replace(status_message, '^\\\\w+(?:: |$)', ''), exception_message)), '')`;

/** The prompt cache's part is in the input, or beside it where it is more than that. */
function inputOf(told: string, cacheRead: string, cacheWrite: string): string {
  const whole = `coalesce(${amount(told)}, 0)`;
  const cached = `coalesce(${amount(cacheRead)}, 0) + coalesce(${amount(cacheWrite)}, 0)`;
  return `${whole} + IF(${cached} > ${whole}, ${cached}, 0)`;
}

const usage = (field: string) => `get_json_object(${column(at.mlflowTokenUsage)}, '$.${field}')`;
const genAiInput = `coalesce(${column(at.genAiInputTokens)}, ${column(at.genAiPromptTokens)})`;
const genAiOutput = `coalesce(${column(at.genAiOutputTokens)}, ${column(at.genAiCompletionTokens)})`;
const isHit = `lower(${column(at.dspyCacheHit)}) = 'true'`;

type Told = { readonly when: string; readonly input: string; readonly output: string };

const tokens: readonly Told[] = [
  { when: `convention = 'callback' AND ${isHit}`, input: "'0'", output: "'0'" },
  {
    when: `convention = 'openinference'`,
    input: column(at.llmPromptTokens),
    output: column(at.llmCompletionTokens),
  },
  { when: `convention = 'mlflow'`, input: usage("input_tokens"), output: usage("output_tokens") },
  { when: `convention IN ('callback', 'genai')`, input: genAiInput, output: genAiOutput },
];

const cached: Readonly<Record<number, readonly [string, string]>> = {
  1: [column(at.llmCacheRead), column(at.llmCacheWrite)],
  2: [usage("cache_read_input_tokens"), usage("cache_creation_input_tokens")],
  3: [column(at.genAiCacheRead), column(at.genAiCacheWrite)],
};

const input = `CASE ${tokens
  .map(({ when, input: told, output: other }, index) => {
    const [read, write] = cached[index] ?? ["NULL", "NULL"];
    const known = `${amount(told)} IS NOT NULL OR ${amount(other)} IS NOT NULL`;
    return `WHEN ${when} THEN IF(${known}, ${inputOf(told, read, write)}, NULL)`;
  })
  .join("\n      ")} END`;

const output = `CASE ${tokens
  .map(({ when, input: other, output: told }) => {
    const known = `${amount(told)} IS NOT NULL OR ${amount(other)} IS NOT NULL`;
    return `WHEN ${when} THEN IF(${known}, coalesce(${amount(told)}, 0), NULL)`;
  })
  .join("\n      ")} END`;

const cost = `CASE convention
      WHEN 'callback' THEN IF(${isHit}, 0, ${amount(column(at.dspyCostUsd))})
      WHEN 'openinference' THEN ${amount(column(at.llmCostUsd))} END`;

// ─── Trees ──────────────────────────────────────────────────────────────────

/** The call that a span belongs to: its parent, or, where that is not one of the agent's, what that belongs to. */
const up = `IF(NOT array_contains(ids, x.parent) OR x.parent = x.span_id, NULL,
      IF(size(skipped) = 0, x.parent, aggregate(sequence(1, ${CHAIN_MAX}), x.parent, (p, i) ->
        IF(array_contains(skipped, p), try_element_at(transform(filter(s, y -> y.span_id = p), y -> y.parent), 1), p))))`;

/** An attempt of a model call: a model call right inside one. */
function isAttempt(call: string, all: string): string {
  return `exists(${all}, y -> y.n.span_id = ${call}.up AND y.n.kind = 'lm')`;
}

/** The top of the tree that a span is in; with `is`, whether it is that one. */
function topOf(call: string, is?: string): string {
  const top = `aggregate(sequence(1, ${CHAIN_MAX}), ${call}.n.span_id, (p, i) ->
        coalesce(try_element_at(transform(filter(l, y -> y.n.span_id = p), y -> y.up), 1), p))`;
  return is === undefined ? top : `${top} = ${is}`;
}

/**
 * Of the model calls, each with what its attempts tell where it tells none itself; else the
 * totals that are told furthest up.
 */
function requestTokens(side: "input" | "output"): string {
  const sum = (array: string, value: string) =>
    `aggregate(${array}, CAST(NULL AS DOUBLE), (sum, x) -> coalesce(sum + ${value}, sum, ${value}))`;
  const own = `coalesce(x.n.${side}_tokens, aggregate(filter(mine, y -> y.up = x.n.span_id AND y.n.kind = 'lm'),
        CAST(NULL AS DOUBLE), (part, y) -> coalesce(part + y.n.${side}_tokens, part, y.n.${side}_tokens)))`;
  const told = `filter(mine, x -> x.n.kind = 'module' AND x.n.${side}_tokens IS NOT NULL)`;
  const above = `aggregate(sequence(1, ${CHAIN_MAX}), struct(x.up AS at, false AS found), (p, i) -> struct(
          try_element_at(transform(filter(mine, y -> y.n.span_id = p.at), y -> y.up), 1) AS at,
          p.found OR exists(mine, y -> y.n.span_id <=> p.at AND y.n.kind = 'module' AND y.n.${side}_tokens IS NOT NULL) AS found)).found`;
  return `coalesce(${sum("calls", own)}, ${sum(`filter(${told}, x -> NOT ${above})`, `x.n.${side}_tokens`)})`;
}

// ─── Failures ───────────────────────────────────────────────────────────────

const bareType = (call: string) => `regexp_replace(${call}.n.error_type, '^LM(?=[A-Z])', '')`;

/** The call inside a failed call that made it fail; NULL when the failure is its own. */
function reasonWithin(call: string): string {
  const inside = `filter(l, y -> y.up = ${call}.n.span_id)`;
  const wentOn = `coalesce(array_max(transform(filter(${inside}, y -> NOT y.n.failed AND y.n.kind <> 'adapter'), y -> y.n.start_ms)), double('-Infinity'))`;
  const toBlame = `(NOT ${isGivenUp("y")} OR ${isGivenUp(call)})`;
  const failing = `array_sort(filter(${inside}, y -> y.n.failed AND y.n.end_ms > ${wentOn} AND ${toBlame}), (y, z) -> CASE WHEN y.n.end_ms < z.n.end_ms THEN -1 WHEN y.n.end_ms > z.n.end_ms THEN 1 ELSE 0 END)`;
  const last = (condition: string) => `try_element_at(filter(${failing}, y -> ${condition}), -1)`;
  return `coalesce(${last(`y.n.error_message = ${call}.n.error_message`)},
        ${last(`${bareType("y")} = ${bareType(call)}`)},
        ${last("y.n.kind NOT IN ('tool', 'retriever')")})`;
}

function isGivenUp(call: string): string {
  const byType = errorClassesOfEnds
    .filter(([, errorClass]) => errorClass === "client")
    .map(([pattern]) => `${call}.n.error_type RLIKE ${regex(pattern)}`);
  return `coalesce(${call}.n.told_class = 'client', ${byType.join(" OR ")})`;
}

function classOf(call: string): string {
  const ofEnds = errorClassesOfEnds.map(
    ([pattern, errorClass]) =>
      `WHEN ${call}.n.error_type RLIKE ${regex(pattern)} THEN ${literal(errorClass)}`,
  );
  const byType = errorClassesByType.map(
    ([pattern, errorClass]) =>
      `WHEN ${call}.n.error_type RLIKE ${regex(pattern)} THEN ${
        errorClass === "lm_provider"
          ? `IF(coalesce(${call}.n.error_message, '') RLIKE ${regex(TIMED_OUT)}, 'timeout', 'lm_provider')`
          : literal(errorClass)
      }`,
  );
  return `CASE WHEN ${call}.n.told_class IS NOT NULL THEN ${call}.n.told_class
        ${ofEnds.join("\n        ")}
        WHEN ${call}.n.kind IN ('tool', 'retriever') THEN ${call}.n.kind
        ${byType.join("\n        ")}
        WHEN ${call}.n.kind = 'lm' THEN 'lm_provider' ELSE 'unknown' END`;
}

/** Of the failure that the caller saw, at its deepest call. */
const requestClass = `IF(NOT exists(ends, x -> x.n.failed), NULL,
      try_element_at(transform(array(aggregate(sequence(1, ${CHAIN_MAX}), try_element_at(filter(ends, x -> x.n.failed), -1),
        (c, i) -> coalesce(${reasonWithin("c")}, c))), x -> ${classOf("x")}), 1))`;
