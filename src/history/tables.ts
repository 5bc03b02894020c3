/**
 * The tables of the history, column by column: the one definition from which the local
 * Delta tables, the tables in Databricks, the SQL over both and the documentation are
 * made. Every row is an event, and is never changed afterwards.
 */
export type ColumnType =
  | "STRING"
  | "DATE"
  | "TIMESTAMP"
  | "INT"
  | "BIGINT"
  | "DOUBLE"
  | "MAP<STRING,STRING>";

export type Column = {
  readonly name: string;
  readonly type: ColumnType;
  readonly comment: string;
};

export type TableName =
  | "metrics"
  | "requests"
  | "module_calls"
  | "errors"
  | "health"
  | "alerts"
  | "deployments";

export type Table = {
  readonly name: TableName;
  readonly comment: string;
  /** The columns that every table has come first. */
  readonly columns: readonly Column[];
};

/** What every row tells: which event, when, and of what. All but these may be null. */
const eventColumns = [
  column("event_id", "STRING", "Derived from what happened: the same event has the same id"),
  column("event_date", "DATE", "Day of the timestamp, in UTC"),
  column("timestamp", "TIMESTAMP", "When it happened; of a call, when it ended"),
  column("workspace_id", "STRING", "The workspace, by its host"),
  column("endpoint_name", "STRING", "The agent; null where it is about the workspace"),
  column(
    "model_version",
    "STRING",
    "Version of the model that was called, or that the endpoint serves; null when not told",
  ),
  column("source", "STRING", "What told it, such as traces or endpoint_metrics"),
];

export const notNull: ReadonlySet<string> = new Set(["event_id", "event_date", "timestamp"]);

const callColumns = {
  inputTokens: column("input_tokens", "BIGINT", "Tokens that the model read; null when not told"),
  outputTokens: column(
    "output_tokens",
    "BIGINT",
    "Tokens that the model wrote; null when not told",
  ),
  costUsd: column("cost_usd", "DOUBLE", "US dollars; null when neither told nor priced"),
  cache: column("cache", "STRING", "DSPy's cache: hit, miss or unknown"),
  errorClass: column("error_class", "STRING", "Why it failed; null when it did not"),
} as const;

export const tables: Readonly<Record<TableName, Table>> = {
  metrics: table("metrics", "One value of one metric", [
    column("metric_name", "STRING", "Such as request_latency_ms, of which each request has a row"),
    column("metric_type", "STRING", "counter, gauge or latency"),
    column("value", "DOUBLE", "In the unit that the name ends in"),
    column("labels", "MAP<STRING,STRING>", "Labels of the series"),
  ]),
  requests: table("requests", "One call of an agent", [
    column("request_id", "STRING", "Databricks request id; null when not told"),
    column("trace_id", "STRING", "Trace, 32 hex digits"),
    column("status_code", "INT", "HTTP status; telemetry from inside an agent has none"),
    column("latency_ms", "DOUBLE", "From the call to its end"),
    column("first_token_ms", "DOUBLE", "From the call to the first token of a stream"),
    callColumns.inputTokens,
    callColumns.outputTokens,
    callColumns.costUsd,
    callColumns.cache,
    callColumns.errorClass,
    column("release", "STRING", "Hash of the state of the DSPy program"),
    column("labels", "MAP<STRING,STRING>", "program, convention, incomplete, served_entity"),
  ]),
  module_calls: table("module_calls", "One call of a module, model, tool or retriever", [
    column("trace_id", "STRING", "Trace, 32 hex digits"),
    column("span_id", "STRING", "Span, 16 hex digits"),
    column("parent_span_id", "STRING", "Span of the caller; null for the program itself"),
    column("kind", "STRING", "module, lm, tool, retriever, adapter or embedding"),
    column("program", "STRING", "Class of the DSPy program"),
    column("path", "STRING", "Place in the program, such as self.rag.generate"),
    column("model", "STRING", "Model of a model call, without its provider"),
    column("latency_ms", "DOUBLE", "From the call to its end"),
    column("self_ms", "DOUBLE", "The part during which no call inside was running"),
    callColumns.inputTokens,
    callColumns.outputTokens,
    callColumns.costUsd,
    callColumns.cache,
    callColumns.errorClass,
  ]),
  errors: table("errors", "One failure inside an agent, or told to an error tracker", [
    column("error_type", "STRING", "Class of the exception"),
    column("error_class", "STRING", "What failed: timeout, lm_provider, tool, …"),
    column("severity", "STRING", "warning or error"),
    column("group_id", "STRING", "Errors with the same cause have the same"),
    column("message", "STRING", "Scrubbed and cut; null when not told"),
    column("agent_name", "STRING", "Class of the DSPy program"),
    column("context", "MAP<STRING,STRING>", "path, trace_id, handled"),
  ]),
  health: table("health", "One change of health", [
    column("component", "STRING", "What was checked"),
    column("status", "STRING", "healthy, degraded, unhealthy or unknown"),
    column("state", "STRING", "The state behind it, such as ready or cold"),
    column("message", "STRING", "One sentence with the evidence"),
    column("latency_ms", "DOUBLE", "How long the check took"),
  ]),
  alerts: table("alerts", "One step of one alert", [
    column("rule_id", "STRING", "The rule"),
    column("from_state", "STRING", "inactive, pending, firing or resolved"),
    column("to_state", "STRING", "inactive, pending, firing or resolved"),
    column("reason", "STRING", "One sentence"),
    column("value", "DOUBLE", "What the rule measured; null when there was nothing to measure"),
    column("threshold", "DOUBLE", "What it was compared with"),
  ]),
  deployments: table("deployments", "One change of what is served", [
    column("from_version", "STRING", "Version of the model before"),
    column("to_version", "STRING", "Version of the model from now on"),
    column("release", "STRING", "Hash of the state of the DSPy program"),
    column("outcome", "STRING", "serving: its first request was seen"),
    column("actor", "STRING", "Who deployed; null when not told"),
  ]),
};

export const tableNames = Object.keys(tables) as readonly TableName[];

function table(name: TableName, comment: string, columns: readonly Column[]): Table {
  return { name, comment, columns: [...eventColumns, ...columns] };
}

function column(name: string, type: ColumnType, comment: string): Column {
  return { name, type, comment };
}
