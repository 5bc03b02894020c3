/** Columns of values → a table of DuckDB's own, in which SQL puts rows together. */
import type { DuckDBConnection, DuckDb } from "./duckdb.ts";
import { quoteName } from "./duckdb.ts";

/** Rows that DuckDB takes at a time. */
const CHUNK_ROWS = 2048;

export type StageContext = { readonly duckDb: DuckDb; readonly connection: DuckDBConnection };

export type StagedColumn = {
  readonly name: string;
  /** Whole numbers are staged as such: making them of a DOUBLE takes DuckDB as long as all else of a row. */
  readonly type: "VARCHAR" | "DOUBLE" | "INTEGER";
  readonly values: ArrayLike<string | number | null>;
};

/** Takes the place of one of that name. */
export async function stage(
  table: string,
  columns: readonly StagedColumn[],
  { duckDb, connection }: StageContext,
): Promise<void> {
  const created = columns.map(({ name, type }) => `${quoteName(name)} ${type}`);
  await connection.run(`CREATE OR REPLACE TEMP TABLE ${quoteName(table)} (${created.join(", ")})`);
  const rows = columns[0]?.values.length ?? 0;
  const types = columns.map(({ type }) => duckDb[type]);
  const appender = await connection.createAppender(table);
  for (let from = 0; from < rows; from += CHUNK_ROWS) {
    const chunk = duckDb.DuckDBDataChunk.create(types, Math.min(CHUNK_ROWS, rows - from));
    for (const [at, { values }] of columns.entries()) {
      const vector = chunk.getColumnVector(at);
      for (let row = 0; row < vector.itemCount; row++) {
        vector.setItem(row, values[from + row] ?? null);
      }
      vector.flush();
    }
    appender.appendDataChunk(chunk);
  }
  appender.closeSync();
}

const MINUTE_MS = 60_000;

/** Times as two whole numbers, the minute and the microseconds within. */
export function stagedTimes(timesMs: ArrayLike<number>): StagedColumn[] {
  const minutes = new Int32Array(timesMs.length);
  const within = new Int32Array(timesMs.length);
  for (let row = 0; row < timesMs.length; row++) {
    const timeMs = timesMs[row] ?? 0;
    const minute = Math.floor(timeMs / MINUTE_MS);
    minutes[row] = minute;
    within[row] = Math.round((timeMs - minute * MINUTE_MS) * 1000);
  }
  return [
    { name: "minute", type: "INTEGER", values: minutes },
    { name: "within", type: "INTEGER", values: within },
  ];
}

/** Of `stagedTimes`, in Unix time. */
export const MICROSECONDS = "(CAST(minute AS BIGINT) * 60000000 + within)";
