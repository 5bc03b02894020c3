/**
 * Databricks SQL on this machine: statements run on DuckDB over Delta tables in the
 * data directory, for a principal whose privileges are checked. What Databricks can
 * and this engine can't, it refuses by name.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import type { SqlCatalog } from "./catalog.ts";
import { deleteRows, mergeRows, truncate, updateRows } from "./change-rows.ts";
import { copyInto } from "./copy-into.ts";
import {
  alterTable,
  commentOn,
  createCatalog,
  createSchema,
  createTable,
  createView,
  createVolume,
  drop,
} from "./define.ts";
import { createTableLocks } from "./delta/table-locks.ts";
import { insert } from "./insert.ts";
import { type Database, openDatabase } from "./load-duckdb.ts";
import { bindParameters, type StatementParameter } from "./parameters.ts";
import { parseStatement } from "./parse-statement.ts";
import { prepareQuery } from "./read-table.ts";
import { type ResultLimits, runQuery } from "./result-values.ts";
import {
  noResult,
  quoted,
  type Run,
  requireSchema,
  type Session,
  type SqlResult,
  schemaNameOf,
} from "./run.ts";
import { changeGrants, describe, show, showGrants } from "./show.ts";
import { notFound, SqlError } from "./sql-error.ts";
import type { Statement } from "./statement.ts";

export type SqlRequest = {
  readonly sql: string;
  readonly parameters?: readonly StatementParameter[] | undefined;
  readonly session: Session;
  readonly limits?: ResultLimits;
  /** Ends the statement where it is; nothing of it is committed. */
  readonly signal?: AbortSignal;
};

export type SqlEngine = {
  /** @throws SqlError, or what the catalog threw. */
  execute(request: SqlRequest): Promise<SqlResult>;
  /** Ends what runs, and waits until it has ended. */
  close(): Promise<void>;
};

export type SqlEngineOptions = {
  /** Holds the tables and the volumes; no statement reads or writes a file elsewhere. */
  readonly dataDirectory: string;
  readonly catalog: () => SqlCatalog;
  readonly now: () => number;
};

export function createSqlEngine({ dataDirectory, catalog, now }: SqlEngineOptions): SqlEngine {
  const locks = createTableLocks();
  let opening: Promise<Database> | null = null;

  const closing = new AbortController();
  const running = new Set<Promise<unknown>>();

  async function execute(request: SqlRequest): Promise<SqlResult> {
    const { sql, parameters = [], session, limits } = request;
    const signal = AbortSignal.any([closing.signal, ...(request.signal ? [request.signal] : [])]);
    const statement = parseStatement(bindParameters(sql, parameters));
    signal.throwIfAborted();
    opening ??= openDatabase(dataDirectory);
    const database = await opening.catch((error: unknown) => {
      opening = null;
      throw error;
    });
    const connection = await database.connect();
    const stopInterrupting = interruptWhenAborted(connection, signal);
    let names = 0;
    const run: Run = {
      connection,
      translator: database.translator,
      catalog: catalog(),
      locks,
      session,
      nowMs: now(),
      newName: () => `relation_${++names}`,
    };
    try {
      return await runStatement(run, statement, limits);
    } catch (error) {
      signal.throwIfAborted();
      throw asSqlError(error);
    } finally {
      stopInterrupting();
      connection.closeSync();
    }
  }

  return {
    execute(request) {
      const work = execute(request);
      const settled = work.then(
        () => {},
        () => {},
      );
      running.add(settled);
      void settled.then(() => running.delete(settled));
      return work;
    },
    async close() {
      closing.abort();
      await Promise.all(running);
      const database = await opening?.catch(() => null);
      database?.close();
    },
  };
}

/** DuckDB forgets an interrupt that comes between two queries of a statement, so it is said again. */
const INTERRUPT_EVERY_MS = 20;

function interruptWhenAborted(connection: DuckDBConnection, signal: AbortSignal): () => void {
  let timer: NodeJS.Timeout | undefined;
  const interrupt = () => {
    connection.interrupt();
    timer ??= setInterval(() => connection.interrupt(), INTERRUPT_EVERY_MS);
  };
  if (signal.aborted) interrupt();
  else signal.addEventListener("abort", interrupt);
  return () => {
    signal.removeEventListener("abort", interrupt);
    clearInterval(timer);
  };
}

async function runStatement(
  run: Run,
  statement: Statement,
  limits: ResultLimits | undefined,
): Promise<SqlResult> {
  switch (statement.kind) {
    case "query":
      return await runQuery(run.connection, await prepareQuery(run, statement.sql), limits);
    case "use catalog": {
      const name = statement.name.toLowerCase();
      if (!run.catalog.hasCatalog(name)) throw notFound("catalog", quoted(name));
      return noResult;
    }
    case "use schema":
      requireSchema(run.catalog, schemaNameOf(run.session, statement.path));
      return noResult;
    case "create catalog":
      return createCatalog(run, statement);
    case "create schema":
      return createSchema(run, statement);
    case "create volume":
      return await createVolume(run, statement);
    case "create table":
      return await createTable(run, statement);
    case "create view":
      return await createView(run, statement);
    case "drop":
      return await drop(run, statement);
    case "add columns":
    case "set properties":
    case "cluster by":
    case "comment on column":
      return await alterTable(run, statement);
    case "comment on":
      return await commentOn(run, statement);
    case "insert":
      return await insert(run, statement);
    case "delete":
      return await deleteRows(run, statement);
    case "update":
      return await updateRows(run, statement);
    case "merge":
      return await mergeRows(run, statement);
    case "truncate":
      return await truncate(run, statement);
    case "copy into":
      return await copyInto(run, statement);
    case "show":
      return await show(run, statement);
    case "describe":
      return await describe(run, statement);
    case "grant":
    case "revoke":
      return changeGrants(run, statement);
    case "show grants":
      return showGrants(run, statement);
    case "nothing":
      return noResult;
  }
}

/** What DuckDB says of a statement, in Databricks' shape. Its words are its own. */
const duckDbErrors: readonly (readonly [begins: RegExp, errorClass: string, sqlState: string])[] = [
  [/^Binder Error: Referenced column/, "UNRESOLVED_COLUMN.WITHOUT_SUGGESTION", "42703"],
  [/^Conversion Error: .*out of range/, "CAST_OVERFLOW", "22003"],
  [/^Conversion Error/, "CAST_INVALID_INPUT", "22018"],
  [/^Out of Range Error/, "ARITHMETIC_OVERFLOW", "22003"],
  [/^Binder Error/, "DATATYPE_MISMATCH", "42K09"],
  [/^Parser Error/, "PARSE_SYNTAX_ERROR", "42601"],
  [/^Out of Memory Error/, "OUT_OF_MEMORY", "53200"],
];

function asSqlError(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof SqlError) return error;
  if (!/^[A-Z][A-Za-z ]+ Error: /.test(error.message)) return error;
  const [first = ""] = error.message.split("\n");
  // What a macro of ours raised has the shape already.
  const [, raisedClass, raised, state] = /\[([A-Z_.]+)\] (.*) SQLSTATE: (\w{5})$/.exec(first) ?? [];
  if (raisedClass && raised && state) return new SqlError(raisedClass, raised, { sqlState: state });
  const known = duckDbErrors.find(([begins]) => begins.test(first));
  const [, errorClass, sqlState] = known ?? [/^/, "INVALID_STATEMENT", "42000"];
  return new SqlError(errorClass, `${first.replace(/^[A-Za-z ]+ Error: /, "")}.`, {
    sqlState,
    cause: error,
  });
}
