/** The one SQL statement that asks many inference tables for what they logged since a time. */
import type { FoundColumn, InferenceColumns } from "./columns.ts";

export type LoggingTable = {
  readonly endpoint: string;
  /** Catalog, schema and name. */
  readonly path: readonly [catalog: string, schema: string, name: string];
  readonly columns: InferenceColumns;
};

const DAY_MS = 86_400_000;

/**
 * Each row begins with the place of its table in `tables`; the oldest rows come first.
 * Only what `readRows` reads is selected.
 *
 * @param fromMs calls that began before are left out.
 */
export function selectRows(
  tables: readonly LoggingTable[],
  { fromMs, rowsMax }: { readonly fromMs: number; readonly rowsMax: number },
): string {
  const parts = tables.map((table, place) => selectOf(table, place, Math.floor(fromMs)));
  return `SELECT * FROM (\n${parts.join("\nUNION ALL\n")}\n) ORDER BY start_ms LIMIT ${rowsMax}`;
}

function selectOf({ path, columns }: LoggingTable, place: number, fromMs: number): string {
  const { time, date } = columns;
  const text = (column: FoundColumn | null) => cast(column, "STRING");
  const selected = [
    `${place} AS place`,
    `${text(columns.requestId)} AS request_id`,
    `${text(columns.clientRequestId)} AS client_request_id`,
    `${time.isTimestamp ? `unix_millis(${cast(time, "TIMESTAMP")})` : cast(time, "BIGINT")} AS start_ms`,
    `${cast(columns.durationMs, "DOUBLE")} AS duration_ms`,
    `${cast(columns.statusCode, "INT")} AS status_code`,
    `${text(columns.servedEntity)} AS served_entity`,
    `${cast(columns.inputTokens, "BIGINT")} AS input_tokens`,
    `${cast(columns.outputTokens, "BIGINT")} AS output_tokens`,
    `${cast(columns.share, "DOUBLE")} AS share`,
  ];
  const from = time.isTimestamp ? `timestamp_millis(${fromMs})` : fromMs;
  const conditions = [`${quoted(time.name)} >= ${from}`];
  // The table is laid out by day, in a time zone of its own: a day more is asked for.
  if (date) {
    const day = new Date(fromMs - DAY_MS).toISOString().slice(0, 10);
    conditions.unshift(`${quoted(date.name)} >= DATE '${day}'`);
  }
  return `SELECT ${selected.join(", ")} FROM ${path.map(quoted).join(".")} WHERE ${conditions.join(" AND ")}`;
}

function cast(column: FoundColumn | null, type: string): string {
  return `CAST(${column ? quoted(column.name) : "NULL"} AS ${type})`;
}

function quoted(name: string): string {
  return `\`${name.replaceAll("`", "``")}\``;
}
