/** The rows of one agent in a monitor's history → a file with a row of JSON on each line. */
import { mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";
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
  { endpointName, path }: { readonly endpointName: string; readonly path: string },
): Promise<FileExport> {
  const history = await openHistory(directory);
  const tables: Record<string, number> = {};
  try {
    await mkdir(dirname(path), { recursive: true });
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
      }
    } finally {
      await file.close();
    }
  } finally {
    history.close();
  }
  return { rows: Object.values(tables).reduce((sum, count) => sum + count, 0), tables };
}
