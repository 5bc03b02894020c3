/** The rows of a Parquet file, and its columns as Spark would see them: read by DuckDB. */
import { unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type DuckDBConnection, quoteText } from "../../src/history/duckdb.ts";
import { makeMemoryDirectory, removeMemoryDirectory } from "./memory-directory.ts";
import { connectDuckDb } from "./shared-duckdb.ts";
import type { Row } from "./workspace-sql.ts";

export type ParquetRows = {
  readonly columns: ReadonlyMap<string, string>;
  /** Of each row its `event_id`, and a hash of the whole. */
  readonly rows: readonly Row[];
};

let directory = "";
let connection: Promise<DuckDBConnection> | null = null;
let files = 0;

/** `null` for what is no Parquet file. */
export async function readParquetRows(bytes: Uint8Array): Promise<ParquetRows | null> {
  connection ??= open();
  const reading = await connection;
  const path = join(directory, `${files++}.parquet`);
  writeFileSync(path, bytes);
  try {
    const source = `read_parquet(${quoteText(path)})`;
    const read = await reading.runAndReadAll(
      `SELECT event_id, CAST(md5(CAST(t AS VARCHAR)) AS VARCHAR) FROM ${source} AS t`,
    );
    const described = await reading.runAndReadAll(`DESCRIBE SELECT * FROM ${source}`);
    return {
      columns: new Map(
        described.getRowsJson().map(([name, type]) => [String(name), sparkType(String(type))]),
      ),
      rows: read.getRowsJson().map(([eventId, hash]) => ({ event_id: eventId, hash })),
    };
  } catch {
    return null;
  } finally {
    unlinkSync(path);
  }
}

export async function closeParquetReader(): Promise<void> {
  if (!connection) return;
  (await connection).closeSync();
  connection = null;
  removeMemoryDirectory(directory);
}

async function open(): Promise<DuckDBConnection> {
  directory = makeMemoryDirectory();
  return connectDuckDb();
}

function sparkType(type: string): string {
  const known: Readonly<Record<string, string>> = {
    VARCHAR: "STRING",
    INTEGER: "INT",
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMP",
    "MAP(VARCHAR, VARCHAR)": "MAP<STRING,STRING>",
  };
  return known[type] ?? type;
}
