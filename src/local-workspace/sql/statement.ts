/**
 * What a statement asks for, once it is read. Queries and expressions in it are
 * kept as Databricks SQL: they are translated where they run.
 */
import type { Column } from "./data-type.ts";

/** `catalog.schema.table`, as far as it was written. */
export type Path = readonly string[];

export type Assignment = { readonly column: string; readonly value: string };

export type MergeClause = {
  readonly on: "matched" | "not matched" | "not matched by source";
  /** What must hold beside the match. */
  readonly condition: string | null;
  readonly action:
    | { readonly kind: "update"; readonly assignments: readonly Assignment[] | "*" }
    | { readonly kind: "delete" }
    | {
        readonly kind: "insert";
        readonly columns: readonly string[] | "*";
        readonly values: readonly string[];
      };
};

export type TableOptions = {
  readonly columns: readonly Column[];
  readonly partitionColumns: readonly string[];
  readonly clusterColumns: readonly string[];
  readonly properties: Readonly<Record<string, string>>;
  readonly comment: string | null;
};

export type Securable = {
  readonly type: "catalog" | "schema" | "table" | "volume" | "function" | "metastore";
  readonly path: Path;
};

export type Statement =
  | { readonly kind: "query"; readonly sql: string }
  | { readonly kind: "use catalog"; readonly name: string }
  | { readonly kind: "use schema"; readonly path: Path }
  | {
      readonly kind: "create catalog";
      readonly name: string;
      readonly ifNotExists: boolean;
      readonly comment: string | null;
    }
  | {
      readonly kind: "create schema" | "create volume";
      readonly path: Path;
      readonly ifNotExists: boolean;
      readonly comment: string | null;
    }
  | {
      readonly kind: "create table";
      readonly path: Path;
      readonly ifNotExists: boolean;
      readonly orReplace: boolean;
      readonly options: TableOptions;
      readonly query: string | null;
    }
  | {
      readonly kind: "create view";
      readonly path: Path;
      readonly ifNotExists: boolean;
      readonly orReplace: boolean;
      readonly columns: readonly { readonly name: string; readonly comment: string | null }[];
      readonly comment: string | null;
      readonly query: string;
    }
  | {
      readonly kind: "drop";
      readonly type: "catalog" | "schema" | "table" | "view" | "volume";
      readonly path: Path;
      readonly ifExists: boolean;
      readonly cascade: boolean;
    }
  | {
      readonly kind: "add columns";
      readonly path: Path;
      readonly columns: readonly Column[];
      readonly ifNotExists: boolean;
    }
  | {
      readonly kind: "set properties";
      readonly path: Path;
      readonly set: Readonly<Record<string, string>>;
      readonly unset: readonly string[];
    }
  | { readonly kind: "cluster by"; readonly path: Path; readonly columns: readonly string[] }
  | {
      readonly kind: "comment on column";
      readonly path: Path;
      readonly column: string;
      readonly comment: string | null;
    }
  | {
      readonly kind: "comment on";
      readonly type: "catalog" | "schema" | "table" | "volume";
      readonly path: Path;
      readonly comment: string | null;
    }
  | {
      readonly kind: "insert";
      readonly path: Path;
      /** `null`: all, in the table's order. */
      readonly columns: readonly string[] | null;
      readonly byName: boolean;
      readonly overwrite: boolean;
      readonly query: string;
    }
  | {
      readonly kind: "delete";
      readonly path: Path;
      readonly alias: string | null;
      readonly condition: string | null;
    }
  | {
      readonly kind: "update";
      readonly path: Path;
      readonly alias: string | null;
      readonly assignments: readonly Assignment[];
      readonly condition: string | null;
    }
  | {
      readonly kind: "merge";
      readonly path: Path;
      readonly alias: string | null;
      /** A name or a query in brackets, with its alias. */
      readonly source: string;
      readonly condition: string;
      readonly clauses: readonly MergeClause[];
    }
  | {
      readonly kind: "copy into";
      readonly path: Path;
      readonly from: string;
      /** Of `FROM (SELECT … FROM '/Volumes/…')`: what is selected, and its conditions. */
      readonly select: { readonly before: string; readonly after: string } | null;
      readonly format: "PARQUET" | "JSON" | "CSV";
      readonly files: readonly string[] | null;
      readonly pattern: string | null;
      readonly formatOptions: Readonly<Record<string, string>>;
      readonly copyOptions: Readonly<Record<string, string>>;
    }
  | {
      readonly kind: "show";
      readonly what:
        | "catalogs"
        | "schemas"
        | "tables"
        | "views"
        | "volumes"
        | "columns"
        | "tblproperties"
        | "create table";
      readonly path: Path;
      readonly like: string | null;
    }
  | {
      readonly kind: "describe";
      readonly what: "table" | "table extended" | "detail" | "history" | "schema" | "catalog";
      readonly path: Path;
    }
  | { readonly kind: "truncate"; readonly path: Path }
  | { readonly kind: "nothing" }
  | {
      readonly kind: "grant" | "revoke";
      readonly privileges: readonly string[];
      readonly securable: Securable;
      readonly principal: string;
    }
  | {
      readonly kind: "show grants";
      readonly securable: Securable;
      readonly principal: string | null;
    };
