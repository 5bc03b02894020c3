/**
 * The log of one Delta table: which files are its rows. Only as much of the protocol as a
 * table needs that one writer appends to, compacts and shortens (reader version 1, writer
 * version 2); what it can't read it refuses. How far a writer has come stands in the same
 * commit as its rows, so that both are there or neither.
 *
 * Source: the Delta transaction log protocol.
 */
import { join } from "node:path";
import { MonitorError } from "../monitor-error.ts";
import type { Files } from "./files.ts";
import { notNull, type Table } from "./tables.ts";

export type AddedFile = {
  /** Relative to the table's directory. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly modifiedMs: number;
  readonly stats: FileStats;
};

/** Text is left out where it is long, and times are in Unix milliseconds. */
export type FileStats = {
  readonly rows: number;
  readonly min: Readonly<Record<string, string | number>>;
  readonly max: Readonly<Record<string, string | number>>;
  readonly nulls: Readonly<Record<string, number>>;
};

export type Snapshot = {
  /** -1 before the first commit. */
  readonly version: number;
  readonly files: ReadonlyMap<string, AddedFile>;
  /** By writer: how far it has come. */
  readonly progress: ReadonlyMap<string, number>;
  readonly columns: readonly string[];
};

export type Commit = {
  readonly timeMs: number;
  readonly operation: "WRITE" | "OPTIMIZE" | "DELETE";
  readonly add: readonly AddedFile[];
  readonly remove: readonly string[];
  /** Absent where rows only move. */
  readonly progress?: { readonly writer: string; readonly upTo: number };
};

const READER_VERSION = 1;
const WRITER_VERSION = 2;
const VERSION_DIGITS = 20;

export function readSnapshot(files: Files, directory: string): Snapshot {
  const versions = commitVersions(files, directory);
  const added = new Map<string, AddedFile>();
  const progress = new Map<string, number>();
  let columns: readonly string[] = [];
  let version = -1;
  for (const next of versions) {
    if (next !== version + 1) throw damaged(directory, `commit ${version + 1} is missing`);
    version = next;
    for (const action of readCommit(files, directory, version)) {
      if (action.protocol) checkProtocol(directory, action.protocol);
      if (action.metaData) columns = columnsOf(action.metaData);
      if (action.add) added.set(action.add.path, readAdd(action.add));
      if (action.remove) added.delete(action.remove.path);
      if (action.txn) progress.set(action.txn.appId, action.txn.version);
    }
  }
  return { version, files: added, progress, columns };
}

/**
 * Writes the commit after `version`, and before the first the table itself. False when
 * another writer was faster: read the snapshot anew and decide again.
 */
export function writeCommit(
  files: Files,
  directory: string,
  { table, tableId, version, commit }: NewCommit,
): boolean {
  files.makeDirectory(logDirectory(directory));
  const actions = version < 0 ? [...creation(table, tableId, commit.timeMs)] : [];
  actions.push(...actionsOf(commit));
  const lines = actions.map((action) => JSON.stringify(action)).join("\n");
  return files.create(commitPath(directory, version + 1), Buffer.from(`${lines}\n`));
}

export type NewCommit = {
  readonly table: Table;
  readonly tableId: string;
  readonly version: number;
  readonly commit: Commit;
};

// ─── Writing ────────────────────────────────────────────────────────────────

function creation(table: Table, tableId: string, timeMs: number): Action[] {
  const fields = table.columns.map(({ name, type, comment }) => ({
    name,
    type: sparkTypes[type],
    nullable: !notNull.has(name),
    metadata: { comment },
  }));
  return [
    { protocol: { minReaderVersion: READER_VERSION, minWriterVersion: WRITER_VERSION } },
    {
      metaData: {
        id: tableId,
        name: table.name,
        description: table.comment,
        format: { provider: "parquet", options: {} },
        schemaString: JSON.stringify({ type: "struct", fields }),
        partitionColumns: [],
        configuration: {},
        createdTime: timeMs,
      },
    },
  ];
}

const sparkTypes = {
  STRING: "string",
  DATE: "date",
  TIMESTAMP: "timestamp",
  INT: "integer",
  BIGINT: "long",
  DOUBLE: "double",
  "MAP<STRING,STRING>": {
    type: "map",
    keyType: "string",
    valueType: "string",
    valueContainsNull: true,
  },
} as const;

function actionsOf({ timeMs, operation, add, remove, progress }: Commit): Action[] {
  // Compacting and shortening change no row that anyone asked for to be changed.
  const dataChange = operation !== "OPTIMIZE";
  return [
    { commitInfo: { timestamp: timeMs, operation, engineInfo: "dspy-databricks-agents" } },
    ...(progress
      ? [{ txn: { appId: progress.writer, version: progress.upTo, lastUpdated: timeMs } }]
      : []),
    ...remove.map((path) => ({ remove: { path, deletionTimestamp: timeMs, dataChange } })),
    ...add.map((file) => ({
      add: {
        path: file.path,
        partitionValues: {},
        size: file.sizeBytes,
        modificationTime: file.modifiedMs,
        dataChange,
        stats: statsText(file.stats),
      },
    })),
  ];
}

function statsText({ rows, min, max, nulls }: FileStats): string {
  return JSON.stringify({
    numRecords: rows,
    minValues: min,
    maxValues: max,
    nullCount: nulls,
  });
}

// ─── Reading ────────────────────────────────────────────────────────────────

type Action = {
  readonly commitInfo?: unknown;
  readonly protocol?: { readonly minReaderVersion: number; readonly minWriterVersion: number };
  readonly metaData?: { readonly schemaString: string } & Readonly<Record<string, unknown>>;
  readonly add?: AddAction;
  readonly remove?: { readonly path: string } & Readonly<Record<string, unknown>>;
  readonly txn?: { readonly appId: string; readonly version: number } & Readonly<
    Record<string, unknown>
  >;
};

type AddAction = {
  readonly path: string;
  readonly size: number;
  readonly modificationTime: number;
  readonly stats: string;
} & Readonly<Record<string, unknown>>;

function readCommit(files: Files, directory: string, version: number): Action[] {
  const text = new TextDecoder().decode(files.read(commitPath(directory, version)));
  try {
    // What the log holds was written by this file, whole or not at all.
    return text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as Action);
  } catch {
    throw damaged(directory, `commit ${version} is not JSON`);
  }
}

function readAdd({ path, size, modificationTime, stats }: AddAction): AddedFile {
  const { numRecords, minValues, maxValues, nullCount } = JSON.parse(stats);
  return {
    path,
    sizeBytes: size,
    modifiedMs: modificationTime,
    stats: { rows: numRecords, min: minValues, max: maxValues, nulls: nullCount },
  };
}

function columnsOf({ schemaString }: { readonly schemaString: string }): string[] {
  const { fields } = JSON.parse(schemaString) as { fields: readonly { readonly name: string }[] };
  return fields.map(({ name }) => name);
}

function checkProtocol(
  directory: string,
  { minReaderVersion, minWriterVersion }: { minReaderVersion: number; minWriterVersion: number },
): void {
  if (minReaderVersion <= READER_VERSION && minWriterVersion <= WRITER_VERSION) return;
  throw new MonitorError(
    "STORE_DAMAGED",
    `cannot write the Delta table ${directory}: another program raised its protocol to reader ${minReaderVersion}, writer ${minWriterVersion}`,
    { hint: "Copy the table, and change the copy: the history's own tables are read only." },
  );
}

/** In ascending order. */
function commitVersions(files: Files, directory: string): number[] {
  return files
    .list(logDirectory(directory))
    .flatMap((name) => /^(\d{20})\.json$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
}

function commitPath(directory: string, version: number): string {
  return join(logDirectory(directory), `${String(version).padStart(VERSION_DIGITS, "0")}.json`);
}

function logDirectory(directory: string): string {
  return join(directory, "_delta_log");
}

function damaged(directory: string, problem: string): MonitorError {
  return new MonitorError(
    "STORE_DAMAGED",
    `cannot read the Delta table ${directory}: ${problem} in its log`,
    {
      hint: "Move the directory away; the journal's part of it is written anew at the next start.",
    },
  );
}
