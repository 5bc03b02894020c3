/**
 * One statement that runs: what it runs on, for whom, and where names without a
 * catalog or a schema lead.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import type { SqlCatalog, SqlPrincipal } from "./catalog.ts";
import type { DataType } from "./data-type.ts";
import type { TableLocks } from "./delta/table-locks.ts";
import { notFound, unsupported } from "./sql-error.ts";
import type { Path } from "./statement.ts";
import type { Translator } from "./translate.ts";

export type Session = {
  readonly principal: SqlPrincipal;
  readonly catalog: string;
  readonly schema: string;
};

export type Run = {
  readonly connection: DuckDBConnection;
  readonly translator: Translator;
  readonly catalog: SqlCatalog;
  readonly locks: TableLocks;
  readonly session: Session;
  /** The moment that `current_timestamp()` gives for the whole statement. */
  readonly nowMs: number;
  /** A name that nothing else on the connection has. */
  newName(): string;
};

export type ResultColumn = { readonly name: string; readonly type: DataType };

export type SqlResult = {
  readonly columns: readonly ResultColumn[];
  /** As Databricks writes values: text, or null. */
  readonly rows: readonly (readonly (string | null)[])[];
  /** Whether a limit left rows out. */
  readonly isTruncated: boolean;
};

export const noResult: SqlResult = { columns: [], rows: [], isTruncated: false };

/** `catalog.schema.name`, in lower case. */
export function fullNameOf({ catalog, schema }: Session, path: Path): string {
  const full = [catalog, schema].slice(0, Math.max(0, 3 - path.length)).concat(path);
  if (full.length !== 3) throw notFound("table", path.map((part) => `\`${part}\``).join("."));
  return full.join(".").toLowerCase();
}

/** `catalog.schema`, in lower case. */
export function schemaNameOf({ catalog }: Session, path: Path): string {
  const full = path.length === 1 ? [catalog, ...path] : path;
  if (full.length !== 2) throw notFound("schema", path.map((part) => `\`${part}\``).join("."));
  return full.join(".").toLowerCase();
}

export function quoted(fullName: string): string {
  return fullName
    .split(".")
    .map((part) => `\`${part}\``)
    .join(".");
}

/** @throws SqlError naming the first of catalog and schema that is not there. */
export function requireSchema(catalog: SqlCatalog, schema: string): void {
  const [catalogName = ""] = schema.split(".");
  if (schema.endsWith(".information_schema")) throw unsupported("information_schema");
  if (!catalog.hasCatalog(catalogName)) throw notFound("catalog", quoted(catalogName));
  if (!catalog.hasSchema(schema)) throw notFound("schema", quoted(schema));
}

export function schemaOf(fullName: string): string {
  return fullName.slice(0, fullName.lastIndexOf("."));
}
