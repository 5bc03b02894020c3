/**
 * The one SQL statement that asks tables of spans for what began since a time. Only the
 * attributes that `readSpans` reads are selected: prompts, answers and tool arguments
 * stand in others, and never leave the warehouse.
 */
import { agentAttributes } from "../otlp/agent-attributes.ts";
import type { Keyed, SpanColumns, TimeColumn } from "./columns.ts";

export type SpanTable = {
  /** Catalog, schema and name. */
  readonly path: readonly [catalog: string, schema: string, name: string];
  readonly columns: SpanColumns;
};

/** Of the span, in the order in which they are selected. */
export const spanKeys: readonly string[] = [...agentAttributes.places.keys()];
/** Of what reported it. */
export const resourceKeys = [
  "service.name",
  "service.version",
  "dspy.endpoint",
  "dspy.model.version",
  "dspy.release",
] as const;

/** The agent's name where no span tells one: `support` of `support_otel_spans`. */
export function agentOfTable([, , table]: SpanTable["path"]): string {
  return table.replace(/_otel_spans$/, "") || table;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/**
 * Each row begins with the place of its table in `tables`; the oldest spans come first.
 *
 * @param fromMs spans that began before are left out.
 */
export function selectSpans(
  tables: readonly SpanTable[],
  { fromMs, rowsMax }: { readonly fromMs: number; readonly rowsMax: number },
): string {
  const parts = tables.map((table, place) => selectOf(table, place, Math.floor(fromMs)));
  return `SELECT * FROM (\n${parts.join("\nUNION ALL\n")}\n) ORDER BY start_nano LIMIT ${rowsMax}`;
}

function selectOf({ path, columns }: SpanTable, place: number, fromMs: number): string {
  const { start, time, date } = columns;
  const selected = [`${place} AS place`, ...selectedOf(columns)];
  const conditions = [
    start.isTimestamp
      ? `${quoted(start.name)} >= timestamp_millis(${fromMs})`
      : `${quoted(start.name)} >= ${fromMs}000000`,
  ];
  // The table is laid out by these. They may be those of the span's end or arrival, in a
  // time zone of their own: they are asked for from a while before.
  if (time) conditions.unshift(`${quoted(time)} >= timestamp_millis(${fromMs - HOUR_MS})`);
  if (date) {
    const day = new Date(fromMs - DAY_MS).toISOString().slice(0, 10);
    conditions.unshift(`${quoted(date)} >= DATE '${day}'`);
  }
  return `SELECT ${selected.join(", ")} FROM ${path.map(quoted).join(".")} WHERE ${conditions.join(" AND ")}`;
}

/** What is asked for of each span, by the names under which it is selected. */
export function selectedOf(columns: SpanColumns): string[] {
  const { attributes, resource, start, end } = columns;
  const attribute = (key: string) => valueAt(quoted(attributes.name), attributes.keyed, key);
  const ofResource = (key: string) =>
    resource ? valueAt(pathOf(resource.path), resource.keyed, key) : nullText;
  return [
    `${text([columns.traceId])} AS trace_id`,
    `${text([columns.spanId])} AS span_id`,
    `${text(columns.parentSpanId === null ? null : [columns.parentSpanId])} AS parent_span_id`,
    `${nanoOf(start)} AS start_nano`,
    `${nanoOf(end)} AS end_nano`,
    `${text([columns.name])} AS name`,
    `${text(columns.kind === null ? null : [columns.kind])} AS kind`,
    `${text(columns.flags === null ? null : [columns.flags])} AS flags`,
    `${text(columns.statusCode)} AS status_code`,
    `${text(columns.statusMessage)} AS status_message`,
    `${text(columns.serviceName === null ? null : [columns.serviceName])} AS service_name`,
    `${ofException(columns.events, "exception.type")} AS exception_type`,
    `${ofException(columns.events, "exception.message")} AS exception_message`,
    ...resourceKeys.map((key, at) => `${ofResource(key)} AS r${at}`),
    ...spanKeys.map((key, at) => `${attribute(key)} AS a${at}`),
  ];
}

const nullText = "CAST(NULL AS STRING)";

function text(path: readonly string[] | null): string {
  return path ? `CAST(${pathOf(path)} AS STRING)` : nullText;
}

function pathOf(path: readonly string[]): string {
  return path.map(quoted).join(".");
}

function nanoOf({ name, isTimestamp }: TimeColumn): string {
  return isTimestamp ? `unix_micros(${quoted(name)}) * 1000` : `CAST(${quoted(name)} AS BIGINT)`;
}

/** One value as text, whatever type it has in a VARIANT; NULL where there is none. The keys are ours. */
function valueAt(column: string, keyed: Keyed, key: string): string {
  return keyed === "map"
    ? `CAST(try_element_at(${column}, '${key}') AS STRING)`
    : `try_variant_get(${column}, '$["${key}"]', 'STRING')`;
}

/** Of the last exception, which is the one that ended the span. Its stack trace is left where it is. */
function ofException(events: SpanColumns["events"], key: string): string {
  if (!events) return nullText;
  const last = `try_element_at(filter(${quoted(events.name)}, e -> e.name = 'exception'), -1)`;
  return valueAt(`${last}.attributes`, events.keyed, key);
}

export function quoted(name: string): string {
  return `\`${name.replaceAll("`", "``")}\``;
}
