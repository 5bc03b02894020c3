/**
 * Where the rows of a history go, whichever way they are brought there. Each way gives
 * its own promise that a row is there once; what is common stands in `export-history.ts`.
 */
import type { FileStats } from "../../history/delta-log.ts";
import type { DuckDBConnection } from "../../history/duckdb.ts";
import type { ExportMarks } from "../../history/export-marks.ts";
import type { Files } from "../../history/files.ts";
import type { TableName } from "../../history/tables.ts";

/** A file of rows that the history has sealed. Its content never changes. */
export type SealedFile = {
  readonly name: string;
  readonly path: string;
  /** Places in the journal whose rows it holds. */
  readonly from: number;
  readonly upTo: number;
  readonly sizeBytes: number;
  /** As the log of the history has it. */
  readonly checksum: number | null;
  readonly stats: FileStats;
};

/** A table of one history. */
export type SourceTable = {
  readonly table: TableName;
  /** Tells the tables of different histories apart. */
  readonly sourceId: string;
};

/** What is on this machine. */
export type Local = { readonly files: Files; readonly connection: DuckDBConnection };

export type Resumed = {
  /** The place up to which the table's rows are there. */
  readonly upTo: number;
  /** Up to this place some may be there. */
  readonly repeatsUpTo: number;
  /** How many were new. */
  readonly rows: number;
};

/**
 * How long a `MERGE` may go on that nobody waits for any more: it is given 50 s, and what is on its
 * way there, or is being given up, comes on top. Of two at once Databricks does not promise that only
 * one adds a row.
 */
export const MERGE_MAX_MS = 120_000;

export type RowTarget = {
  /** Whether readers are granted a table, which ends with it. */
  readonly hasGrants: boolean;
  /** By which its marks are known. */
  readonly name: string;
  /** Its tables say themselves how far they go, and better than a mark. */
  readonly knowsHowFar: boolean;
  /** What adds rows by their ids: all that is loaded, or `loadRest` alone; nothing where that is one commit. */
  readonly merges: "all" | "rest" | "nothing";
  fullNameOf(table: TableName): string;
  /**
   * Makes what is missing, and says which table each of them is; `null` where that is not told.
   *
   * @param marks a table that was loaded before is not made anew, unless `recreate` says so.
   * @throws MonitorError `TABLE_DROPPED`, `TABLE_CONFLICT`, or what is refused.
   */
  prepare(
    tables: readonly TableName[],
    options: { readonly marks: ExportMarks; readonly recreate: boolean },
  ): Promise<ReadonlyMap<TableName, string | null>>;
  /** Who remembers what it was given, and so loads each file once; `null` where that is not told. */
  loader(): Promise<string | null>;
  /**
   * For a table of which no mark says what is in it: brings to an end what was begun, and
   * finds out how far it goes.
   *
   * @param options `isMadeAnew`: what was loaded before was loaded into another table. `check`
   * refuses files that are damaged.
   */
  resume(
    source: SourceTable,
    known: readonly SealedFile[],
    options: Local & {
      readonly isMadeAnew: boolean;
      readonly check: (files: readonly SealedFile[]) => Promise<void>;
    },
  ): Promise<Resumed>;
  /** Takes back what was begun and is loaded row by row instead: it is never loaded as it was. */
  withdraw(
    source: SourceTable,
    range: { readonly from: number; readonly upTo: number },
  ): Promise<void>;
  /** Loads files of which no row is there. Again after any failure, each row is there once. Returns the new rows. */
  load(source: SourceTable, files: readonly SealedFile[], local: Local): Promise<number>;
  /** Loads a file of which some rows are there. */
  loadRest(source: SourceTable, file: SealedFile, local: Local): Promise<number>;
};
