/**
 * DuckDB, which writes and reads the history's files. It is large, and a service that only
 * measures needs none of it, so it is loaded when it is first needed.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { MonitorError } from "../monitor-error.ts";

export type { DuckDBConnection } from "@duckdb/node-api";
export type DuckDb = typeof import("@duckdb/node-api");

/** What DuckDB may hold in memory; beyond, it writes to disk. */
const MEMORY_LIMIT = "512MB";

/** Told without loading it. */
export function isDuckDbInstalled(): boolean {
  try {
    import.meta.resolve("@duckdb/node-api");
    return true;
  } catch {
    return false;
  }
}

/** @throws MonitorError `PACKAGE_MISSING` when it is not installed. */
export async function loadDuckDb(): Promise<DuckDb> {
  try {
    return await import("@duckdb/node-api");
  } catch (cause) {
    throw new MonitorError(
      "PACKAGE_MISSING",
      "cannot keep a history beyond 24 hours: DuckDB is not installed",
      {
        hint: "Run: npm install @duckdb/node-api. Or start the monitor with --no-history.",
        cause,
      },
    );
  }
}

/** A database of its own in memory, without access to the network. */
export async function connect(
  duckDb: DuckDb,
  {
    threads,
    temporaryDirectory,
  }: { readonly threads: number; readonly temporaryDirectory: string },
): Promise<DuckDBConnection> {
  const instance = await duckDb.DuckDBInstance.create(":memory:", {
    threads: String(threads),
    memory_limit: MEMORY_LIMIT,
    temp_directory: temporaryDirectory,
    autoinstall_known_extensions: "false",
    autoload_known_extensions: "false",
  });
  const connection = await instance.connect();
  await connection.run("SET TimeZone = 'UTC'");
  return connection;
}

/** Whether the system failed: what it can't read now it may read later. All else is the file's fault. */
export function isSystemFailure(error: unknown): boolean {
  if (!(error instanceof Error) || !error.message.startsWith("IO Error")) return false;
  // A damaged file may name places beyond its end.
  return !error.message.includes("Could not read enough bytes");
}

export function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
