/**
 * DuckDB and the translator of SQL dialects, loaded when the first statement comes:
 * together they weigh 90 MB, and who runs no SQL needs neither.
 */
import type { DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { macroStatements } from "./functions.ts";
import { SqlError, syntaxError } from "./sql-error.ts";
import type { Translator } from "./translate.ts";

export type Database = {
  readonly translator: Translator;
  connect(): Promise<DuckDBConnection>;
  close(): void;
};

/** So that a large query on a small machine fails rather than starves the rest. */
const MEMORY_LIMIT = "2GB";
const THREADS = 2;

/** @param directory the only one whose files SQL may read and write. */
export async function openDatabase(directory: string): Promise<Database> {
  const [duckDb, polyglot] = await Promise.all([
    load("@duckdb/node-api", () => import("@duckdb/node-api")),
    load("@polyglot-sql/sdk", () => import("@polyglot-sql/sdk")),
  ]);
  const instance: DuckDBInstance = await duckDb.DuckDBInstance.create(":memory:", {
    memory_limit: MEMORY_LIMIT,
    threads: String(THREADS),
  });
  const connection = await instance.connect();
  const escaped = directory.replaceAll("'", "''");
  for (const statement of [
    "SET GLOBAL TimeZone = 'UTC'",
    "SET GLOBAL lambda_syntax = 'ENABLE_SINGLE_ARROW'",
    // As Databricks: NULL is the least of all values.
    "SET GLOBAL default_null_order = 'NULLS_FIRST_ON_ASC_LAST_ON_DESC'",
    `SET GLOBAL temp_directory = '${escaped}/.duckdb'`,
    `SET GLOBAL allowed_directories = ['${escaped}/']`,
    "SET GLOBAL enable_external_access = false",
    ...macroStatements,
    "SET GLOBAL lock_configuration = true",
  ]) {
    await connection.run(statement);
  }
  connection.closeSync();
  return {
    translator: {
      toDuckDb(sql) {
        const result = polyglot.transpile(
          sql,
          polyglot.Dialect.Databricks,
          polyglot.Dialect.DuckDB,
          {
            unsupportedLevel: "raise",
          },
        );
        const [translated, ...more] = result.sql ?? [];
        if (!result.success || translated === undefined) {
          throw syntaxError(`${result.error ?? "The statement is empty"}.`);
        }
        if (more.length > 0) throw syntaxError("One statement at a time.");
        return translated;
      },
    },
    connect: () => instance.connect(),
    close: () => instance.closeSync(),
  };
}

async function load<T>(name: string, importIt: () => Promise<T>): Promise<T> {
  try {
    return await importIt();
  } catch (cause) {
    throw new SqlError(
      "MISSING_PACKAGE",
      `SQL in the local workspace needs the package ${name}: npm install @duckdb/node-api @polyglot-sql/sdk.`,
      { sqlState: "58000", errorCode: "INTERNAL_ERROR", cause },
    );
  }
}
