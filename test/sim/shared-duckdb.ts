/** One DuckDB for all processes of a simulation, each with a connection of its own: starting one takes long. */
import type { DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { loadDuckDb } from "../../src/history/duckdb.ts";

let instance: Promise<DuckDBInstance> | null = null;

export async function connectDuckDb(): Promise<DuckDBConnection> {
  instance ??= loadDuckDb().then(({ DuckDBInstance }) =>
    DuckDBInstance.create(":memory:", { threads: "1" }),
  );
  const connection = await (await instance).connect();
  await connection.run("SET TimeZone = 'UTC'");
  return connection;
}
