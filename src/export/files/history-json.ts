/** The rows of one agent in a monitor's history → a file with a row of JSON on each line. */
import { open } from "node:fs/promises";
import { quoteText } from "../../history/duckdb.ts";
import { openHistory } from "../../history/query.ts";
import { tableNames } from "../../history/tables.ts";

/** Of each table, the newest. */
const ROWS_MAX = 200_000;

export type FileExport = {
  readonly rows: number;
  readonly tables: Readonly<Record<string, number>>;
};

/** @throws MonitorError `HISTORY_MISSING` */
export async function writeHistoryJson(
  directory: string,
  {
    endpointName,
    path,
    onProgress,
  }: {
    readonly endpointName: string;
    readonly path: string;
    readonly onProgress: (message: string) => void;
  },
): Promise<FileExport> {
  const history = await openHistory(directory);
  const tables: Record<string, number> = {};
  try {
    const file = await open(path, "w", 0o600);
    try {
      for (const table of tableNames) {
        const { columns, rows } = await history.query(
          `SELECT * FROM ${table} WHERE endpoint_name = ${quoteText(endpointName)} ORDER BY timestamp DESC`,
          { rowsMax: ROWS_MAX },
        );
        for (const row of rows) {
          const values = row.map((value, at) => [columns[at]?.name, value]);
          await file.write(`${JSON.stringify({ table, ...Object.fromEntries(values) })}\n`);
        }
        tables[table] = rows.length;
        onProgress(`${table}: ${rows.length} rows`);
      }
    } finally {
      await file.close();
    }
  } finally {
    history.close();
  }
  return { rows: Object.values(tables).reduce((sum, count) => sum + count, 0), tables };
}
