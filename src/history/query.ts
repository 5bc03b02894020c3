/**
 * SQL over the history, while the monitor writes it: DuckDB over the files that the Delta
 * logs name at that moment. Reads only: no other file and no network is in its reach.
 */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { MonitorError } from "../monitor-error.ts";
import { readSnapshot } from "./delta-log.ts";
import { connect, type DuckDBConnection, loadDuckDb, quoteName, quoteText } from "./duckdb.ts";
import { diskFiles } from "./files.ts";
import { tableDirectory } from "./seal.ts";
import {
  type Column,
  type ColumnType,
  type Table,
  type TableName,
  tableNames,
  tables,
} from "./tables.ts";

export type QueryResult = {
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  /** Maps are objects; numbers beyond 2⁵³ are text. */
  readonly rows: readonly (readonly unknown[])[];
  /** There are more rows than were asked for. */
  readonly isCut: boolean;
};

export type HistoryReader = {
  /** @throws MonitorError `QUERY_INVALID` when DuckDB refuses the statement, `STORE_DAMAGED` when files are gone. */
  query(sql: string, options: { readonly rowsMax: number }): Promise<QueryResult>;
  /** Nothing was sealed yet: every table is empty. As of the last query. */
  isEmpty(): boolean;
  close(): void;
};

/** Where the tables stand in Databricks by default, so that a query runs here and there. */
const CATALOG = "ml";
const SCHEMA = "monitoring";
const PREFIX = "agent_monitoring_";
/** A file may be merged into another while it is being read: then the log names the other. */
const ATTEMPTS_MAX = 3;
const THREADS = 2;

const refused = "cannot run the query";

/** @throws MonitorError `HISTORY_MISSING` without a history, `PACKAGE_MISSING` without DuckDB. */
export async function openHistory(directory: string): Promise<HistoryReader> {
  if (!existsSync(directory)) {
    throw new MonitorError("HISTORY_MISSING", `cannot read a history: there is no ${directory}`, {
      hint: "Start dspy-databricks monitor, which keeps one unless it is told --no-history. Or name another with --data-dir.",
    });
  }
  const duckDb = await loadDuckDb();
  const temporaryDirectory = join(directory, "temporary");
  const connection = await connect(duckDb, { threads: THREADS, temporaryDirectory });
  await shutIn(connection, resolve(directory));
  const defined = new Map<TableName, string>();
  let isEmpty = false;
  return {
    isEmpty: () => isEmpty,
    async query(sql, { rowsMax }) {
      await refuseOthers(connection, sql);
      for (let attempt = 1; ; attempt++) {
        try {
          isEmpty = await defineViews(connection, resolve(directory), defined);
          return await run(connection, sql, rowsMax);
        } catch (error) {
          if (error instanceof MonitorError) throw error;
          const message = error instanceof Error ? error.message : String(error);
          const isGone = /No files found|Cannot open file/.test(message);
          if (isGone && attempt < ATTEMPTS_MAX) continue;
          if (isGone || isOfRows(message)) {
            throw new MonitorError("STORE_DAMAGED", `cannot read the history: ${message}`, {
              hint: "Let dspy-databricks monitor run: within ten minutes it seals the rows of that file again where its journal still has them, and says how many are lost.",
            });
          }
          throw new MonitorError("QUERY_INVALID", `${refused}: ${message}`, {
            hint: `Tables: ${tableNames.join(", ")}. The SQL is that of DuckDB.`,
          });
        }
      }
    },
    close: () => connection.closeSync(),
  };
}

/**
 * Of a file of ours that can't be read, and of no mistake in the SQL. `Invalid Error` is what the
 * Parquet reader throws in the middle of a file, without its name.
 */
function isOfRows(message: string): boolean {
  return (
    message.startsWith("Invalid Error: ") ||
    /\/rows-\d{16}-\d{16}\.parquet['"]/.test(message) ||
    / VIEW \w+ AS SELECT \* FROM read_parquet/.test(message)
  );
}

/** The `error_type` that DuckDB's `json_serialize_sql`, which knows SELECT alone, has for every other statement. */
const NO_SELECT = "not implemented";

/**
 * DuckDB itself would write files beside those that it may read, and answers the last of several
 * statements only. A mistake in the SQL is told when it runs.
 */
async function refuseOthers(connection: DuckDBConnection, sql: string): Promise<void> {
  const explained = sql.replace(/^\s*EXPLAIN\s+(?:ANALYZE\s+)?/i, "");
  const reader = await connection.runAndReadAll(
    `SELECT json->>'error_type', json_array_length(json->'statements') FROM (SELECT json_serialize_sql(${quoteText(explained)}::VARCHAR) AS json)`,
  );
  const [[problem, count] = []] = reader.getRowsJson();
  if (problem === NO_SELECT) {
    throw new MonitorError("QUERY_INVALID", `${refused}: it is not one that reads`, {
      hint: "The history is only read: give one statement such as SELECT, FROM, DESCRIBE or EXPLAIN; PIVOT needs IN.",
    });
  }
  if (problem === null && Number(count) !== 1) {
    const what = Number(count) === 0 ? "there is no statement in it" : "it is several statements";
    throw new MonitorError("QUERY_INVALID", `${refused}: ${what}`, {
      hint: "Give one statement which reads, such as FROM requests LIMIT 10.",
    });
  }
}

async function run(
  connection: DuckDBConnection,
  sql: string,
  rowsMax: number,
): Promise<QueryResult> {
  const reader = await connection.streamAndReadUntil(sql, rowsMax + 1);
  const types = reader.columnTypes().map(String);
  const columns = reader.columnNames().map((name, at) => ({ name, type: types[at] ?? "" }));
  const rows = reader.getRowsJson();
  return {
    columns,
    rows: rows
      .slice(0, rowsMax)
      .map((row) => row.map((value, at) => readable(value, types[at] ?? ""))),
    isCut: rows.length > rowsMax,
  };
}

function readable(value: unknown, type: string): unknown {
  if (value === null) return null;
  if (type.startsWith("MAP(") && Array.isArray(value)) {
    return Object.fromEntries(value.map(({ key, value: mapped }) => [key, mapped]));
  }
  if (/^(U?BIGINT|HUGEINT)$/.test(type) && Number.isSafeInteger(Number(value))) {
    return Number(value);
  }
  return value;
}

async function shutIn(connection: DuckDBConnection, directory: string): Promise<void> {
  await connection.run(`SET allowed_directories = [${quoteText(directory)}]`);
  await connection.run("SET enable_external_access = false");
  await connection.run("SET lock_configuration = true");
  await connection.run(`ATTACH ':memory:' AS ${CATALOG}`);
  await connection.run(`CREATE SCHEMA ${CATALOG}.${SCHEMA}`);
  // Databricks writes it with brackets.
  await connection.run(`CREATE OR REPLACE MACRO "current_timestamp"() AS now()`);
}

/**
 * Returns whether nothing was sealed yet.
 *
 * @param defined what they select. A view is made anew only where that changed: DuckDB opens its files for it.
 */
async function defineViews(
  connection: DuckDBConnection,
  directory: string,
  defined: Map<TableName, string>,
): Promise<boolean> {
  let isEmpty = true;
  for (const name of tableNames) {
    const home = tableDirectory(directory, name);
    const snapshot = await readSnapshot(home, { files: diskFiles, connection });
    if (snapshot.version >= 0) isEmpty = false;
    const selected = selectionOf(
      tables[name],
      [...snapshot.files.keys()].map((path) => join(home, path)),
    );
    if (defined.get(name) === selected) continue;
    for (const view of [name, `${PREFIX}${name}`, `${CATALOG}.${SCHEMA}.${PREFIX}${name}`]) {
      await connection.run(`CREATE OR REPLACE VIEW ${view} AS ${selected}`);
    }
    defined.set(name, selected);
  }
  return isEmpty;
}

function selectionOf({ columns }: Table, paths: readonly string[]): string {
  if (paths.length === 0) return `SELECT ${columns.map(missing).join(", ")} WHERE false`;
  return `SELECT * FROM read_parquet([${paths.map(quoteText).join(", ")}], union_by_name = true)`;
}

function missing({ name, type }: Column): string {
  return `CAST(NULL AS ${duckDbTypes[type]}) AS ${quoteName(name)}`;
}

const duckDbTypes: Readonly<Record<ColumnType, string>> = {
  STRING: "VARCHAR",
  DATE: "DATE",
  TIMESTAMP: "TIMESTAMPTZ",
  INT: "INTEGER",
  BIGINT: "BIGINT",
  DOUBLE: "DOUBLE",
  "MAP<STRING,STRING>": "MAP(VARCHAR, VARCHAR)",
};
