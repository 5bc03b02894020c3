/**
 * Spans in a table → one row for each span of an agent, as Spark SQL: its kind, its place and
 * program, its tokens and how it failed. Names of attributes, kinds of spans and what a failure
 * is called are those of `ingest`, taken from it; a test runs both over the same spans. Pure.
 */
import { quotedText } from "../history/databricks-tables.ts";
import { agentAttributes, at } from "../ingest/otlp/agent-attributes.ts";
import {
  ADAPTER,
  classesOfAgents,
  genAiKinds,
  MESSAGE_LENGTH_MAX,
  MODULE_METHOD,
  mlflowKinds,
  PREDICT_AGAIN,
} from "../ingest/otlp/agent-span.ts";
import type { SpanColumns } from "../ingest/span-table/columns.ts";
import { resourceKeys, selectedOf } from "../ingest/span-table/select-spans.ts";
import { regex } from "./sql-regex.ts";

/**
 * Common table expressions, of which `agent_spans` has `trace_id`, `endpoint` and `spanFacts`.
 *
 * @param table quoted.
 * @param agent the name of the agent where no span tells one.
 */
export function spanRelation({
  table,
  columns,
  where,
  agent,
}: {
  readonly table: string;
  readonly columns: SpanColumns;
  readonly where: string;
  readonly agent: string;
}): string {
  const selected = Object.entries(facts).map(([name, value]) => `${value} AS ${name}`);
  return `told AS (
  SELECT ${selectedOf(columns).join(",\n    ")}
  FROM ${table} WHERE ${where}
), agent_spans AS (
  SELECT lower(trace_id) AS trace_id, ${endpointOr(agent)} AS endpoint,
    ${selected.join(",\n    ")}
  FROM (
    SELECT *, ${kind} AS agent_kind,
      ${Object.entries(use)
        .map(([name, value]) => `${value} AS ${name}`)
        .join(",\n      ")}
    FROM (SELECT *, ${convention} AS convention, ${failed} AS failed FROM told WHERE start_nano > 0 AND end_nano >= start_nano)
  )
)`;
}

const keys = [...agentAttributes.places.keys()];

/** The column in which `selectedOf` has an attribute of a span. */
function column(place: number): string {
  return `a${place}`;
}

function endpointOr(agent: string): string {
  return `coalesce(${resource(at.dspyEndpoint)}, ${resource(at.serviceName)}, nullif(service_name, ''), ${quotedText(agent)})`;
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

function kindsOf(kinds: ReadonlyMap<string | null, string>, value: string): string {
  const cases = Array.from(kinds, ([from, to]) => `WHEN ${quotedText(String(from))} THEN '${to}'`);
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
      WHEN convention = 'callback' AND agent_kind <> 'lm' THEN ${text(at.dspyProgram)}
      WHEN agent_kind <> 'module' THEN NULL
      WHEN convention IN ('openinference', 'mlflow') THEN regexp_replace(name, ${regex(MODULE_METHOD)}, '')
      WHEN convention = 'genai' THEN regexp_replace(coalesce(${text(at.genAiAgent)}, name), ${regex(MODULE_METHOD)}, '') END`;

const failed = `coalesce(upper(status_code) IN ('2', 'ERROR', 'STATUS_CODE_ERROR'), false)`;

const toldClass = `IF(${column(at.dspyErrorClass)} IN (${classesOfAgents.map(quotedText).join(", ")}), ${column(at.dspyErrorClass)}, NULL)`;

const errorType = `regexp_replace(coalesce(nullif(exception_type, ''), ${text(at.errorType)},
      nullif(regexp_extract(status_message, '^(\\\\w+)(?=:|$)', 1), ''), 'unknown'), '^.*\\\\.', '')`;

/** The first paragraph in one line: what follows is advice of a library. */
const errorMessage = `nullif(left(trim(regexp_replace(split(IF(exception_type IS NULL AND exception_message IS NULL,
      regexp_replace(status_message, '^\\\\w+(?:: |$)', ''), exception_message), '\\\\n\\\\s*\\\\n', 2)[0], '\\\\s+', ' ')), ${MESSAGE_LENGTH_MAX}), '')`;

const isHit = `lower(${column(at.dspyCacheHit)}) = 'true'`;
const usage = (field: string) => `get_json_object(${column(at.mlflowTokenUsage)}, '$.${field}')`;

/** What each convention tells of tokens, as text. */
const use = {
  told_input: byConvention({
    openinference: column(at.llmPromptTokens),
    mlflow: usage("input_tokens"),
    genai: `coalesce(${column(at.genAiInputTokens)}, ${column(at.genAiPromptTokens)})`,
  }),
  told_output: byConvention({
    openinference: column(at.llmCompletionTokens),
    mlflow: usage("output_tokens"),
    genai: `coalesce(${column(at.genAiOutputTokens)}, ${column(at.genAiCompletionTokens)})`,
  }),
  told_cache_read: byConvention({
    openinference: column(at.llmCacheRead),
    mlflow: usage("cache_read_input_tokens"),
    genai: column(at.genAiCacheRead),
  }),
  told_cache_write: byConvention({
    openinference: column(at.llmCacheWrite),
    mlflow: usage("cache_creation_input_tokens"),
    genai: column(at.genAiCacheWrite),
  }),
};

/** DSPy's own callback names tokens as GenAI does. */
function byConvention(told: Readonly<Record<"openinference" | "mlflow" | "genai", string>>) {
  return `CASE convention WHEN 'openinference' THEN ${told.openinference} WHEN 'mlflow' THEN ${told.mlflow}
        WHEN 'genai' THEN ${told.genai} WHEN 'callback' THEN ${told.genai} END`;
}

/** Model calls tell their own; a module, where its convention does, those of everything below. */
const tellsTokens = `(agent_kind = 'lm' OR agent_kind = 'module' AND convention IN ('mlflow', 'genai'))`;
const isCached = `agent_kind = 'lm' AND convention = 'callback' AND ${isHit}`;
const known = `${tellsTokens} AND (${amount("told_input")} IS NOT NULL OR ${amount("told_output")} IS NOT NULL)`;
const whole = `coalesce(${amount("told_input")}, 0)`;
const cached = `(coalesce(${amount("told_cache_read")}, 0) + coalesce(${amount("told_cache_write")}, 0))`;

/** The prompt cache's part is in the input, or beside it where it is more than that. */
const input = `CASE WHEN ${isCached} THEN 0D WHEN ${known} THEN ${whole} + IF(${cached} > ${whole}, ${cached}, 0D) END`;
const output = `CASE WHEN ${isCached} THEN 0D WHEN ${known} THEN coalesce(${amount("told_output")}, 0D) END`;

const cost = `IF(agent_kind = 'lm', CASE convention
      WHEN 'callback' THEN IF(${isHit}, 0D, ${amount(column(at.dspyCostUsd))})
      WHEN 'openinference' THEN ${amount(column(at.llmCostUsd))} END, NULL)`;

/** What is gathered of each span. By the first three spans are in order: callers first. */
const facts = {
  start_ms: "start_nano / 1e6",
  minus_end_ms: "-end_nano / 1e6",
  span_id: "lower(span_id)",
  end_ms: "end_nano / 1e6",
  parent,
  name: "name",
  kind: "agent_kind",
  repeats,
  path: `IF(convention = 'callback' AND agent_kind IN ('module', 'retriever'), ${text(at.dspyPath)}, NULL)`,
  program,
  input_tokens: input,
  output_tokens: output,
  cost_usd: cost,
  failed: "failed",
  told_class: toldClass,
  error_type: `IF(failed, ${errorType}, NULL)`,
  error_message: `IF(failed, ${errorMessage}, NULL)`,
};

export const spanFacts: readonly string[] = Object.keys(facts);
