/**
 * The log of one Delta table: which files are its rows. Only as much of the protocol as a
 * table needs that one writer appends to, compacts and shortens (reader version 1, writer
 * version 2); what it can't read it refuses. How far a writer has come stands in the same
 * commit as its rows, so that both are there or neither.
 *
 * Source: the Delta transaction log protocol.
 */
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { MonitorError } from "../monitor-error.ts";
import { type DuckDBConnection, isSystemFailure, quoteText } from "./duckdb.ts";
import { type Files, UNFINISHED } from "./files.ts";
import { notNull, type Table } from "./tables.ts";

export type AddedFile = {
  /** Relative to the table's directory. */
  readonly path: string;
  readonly sizeBytes: number;
  /** CRC-32 of its bytes; `null` where an earlier version wrote it. */
  readonly checksum: number | null;
  readonly modifiedMs: number;
  readonly stats: FileStats;
};

/** What the log says of the bytes of a file. */
export function bytesOf(
  path: string,
  files: Pick<Files, "sizeBytes" | "checksum">,
): Pick<AddedFile, "sizeBytes" | "checksum"> {
  return { sizeBytes: files.sizeBytes(path), checksum: files.checksum(path) };
}

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
  /** Files that are rows no longer, by the time at which that became so, as far as the log goes back. */
  readonly removedMs: ReadonlyMap<string, number>;
  /** By writer: how far it has come. Besides, what else writers note. */
  readonly progress: ReadonlyMap<string, number>;
  /** What made the table, as it stands in the log; none before the first commit. */
  readonly creation: readonly Action[];
};

/** What reading and writing a log takes. */
export type LogContext = { readonly files: Files; readonly connection: DuckDBConnection };

export type Commit = {
  readonly timeMs: number;
  readonly operation: "WRITE" | "OPTIMIZE" | "DELETE";
  readonly add: readonly AddedFile[];
  readonly remove: readonly string[];
  /** What changes of it; absent where rows only move. */
  readonly progress?: ReadonlyMap<string, number>;
};

const READER_VERSION = 1;
const WRITER_VERSION = 2;
const VERSION_DIGITS = 20;
/** Commits after which the whole is written down anew, so that reading stays short. */
export const CHECKPOINT_COMMITS = 100;
/** Commits that stay although a checkpoint holds what they say: somebody may be reading them. */
const COMMITS_KEPT = 200;

export async function readSnapshot(directory: string, context: LogContext): Promise<Snapshot> {
  const { files } = context;
  const { commits, checkpoints } = listLog(files, directory);
  const added = new Map<string, AddedFile>();
  const removedMs = new Map<string, number>();
  const progress = new Map<string, number>();
  const creation: Action[] = [];
  const take = (action: Action) => {
    if (action.protocol) checkProtocol(directory, action.protocol);
    if (action.protocol || action.metaData) creation.push(action);
    if (action.txn) progress.set(action.txn.appId, Number(action.txn.version));
    if (action.add) {
      const file = readAdd(action.add);
      if (!file) throw damagedLog(directory, `what it says of ${action.add.path} is not JSON`);
      added.set(action.add.path, file);
      removedMs.delete(action.add.path);
    }
    if (action.remove) {
      added.delete(action.remove.path);
      removedMs.set(action.remove.path, Number(action.remove.deletionTimestamp));
    }
  };
  const checkpoint = checkpoints.at(-1);
  let version = -1;
  if (checkpoint !== undefined) {
    for (const action of await readCheckpoint(directory, checkpoint, context)) take(action);
    version = checkpoint;
  }
  for (const next of commits.filter((commit) => commit > (checkpoint ?? -1))) {
    if (next !== version + 1) throw damagedLog(directory, `commit ${version + 1} is missing`);
    version = next;
    for (const action of readCommit(files, directory, version)) take(action);
  }
  return { version, files: added, removedMs, progress, creation };
}

/**
 * Writes the commit after `version`, and before the first the table itself. False when
 * another writer was faster: read the snapshot anew and decide again.
 */
export function writeCommit(
  directory: string,
  { version, made, commit }: NewCommit,
  { files }: Pick<LogContext, "files">,
): boolean {
  if (version < 0 && !made) throw new Error(`the first commit of ${directory} makes no table`);
  files.makeDirectory(logDirectory(directory));
  const actions = version < 0 && made ? creation(made.table, made.tableId, commit.timeMs) : [];
  actions.push(...actionsOf(commit));
  const lines = actions.map((action) => JSON.stringify(action));
  // Otherwise one that ends too soon, in which a byte has changed, or that was copied to another
  // name, would pass for a whole one.
  const checks = { version: version + 1, actions: lines.length, crc32: checksumOf(lines) };
  const info: Action = { commitInfo: { ...commitInfoOf(commit), ...checks } };
  const text = [JSON.stringify(info), ...lines].join("\n");
  return files.create(commitPath(directory, version + 1), Buffer.from(`${text}\n`));
}

export type NewCommit = {
  /** Of the commit before; -1 before the first. */
  readonly version: number;
  /** What the first commit makes; others make nothing. */
  readonly made?: { readonly table: Table; readonly tableId: string };
  readonly commit: Commit;
};

/**
 * Writes down what all commits say together, and removes old ones. Whoever reads the log begins
 * there. Doing it again, or half of it, changes nothing.
 */
export async function writeCheckpoint(
  directory: string,
  snapshot: Snapshot,
  { files, connection }: LogContext,
): Promise<void> {
  const { version, creation } = snapshot;
  const actions: Action[] = [
    ...creation,
    ...Array.from(snapshot.progress, ([appId, upTo]) => ({ txn: { appId, version: upTo } })),
    ...Array.from(snapshot.removedMs, ([path, deletionTimestamp]) => ({
      remove: { path, deletionTimestamp, dataChange: false },
    })),
    ...Array.from(snapshot.files.values(), (file) => ({ add: addOf(file, false) })),
  ];
  files.makeDirectory(logDirectory(directory));
  const path = checkpointPath(directory, version);
  const unfinished = `${path}${UNFINISHED}`;
  const columns = Object.keys(checkpointSchema).map(
    (name) =>
      `json_transform(line, ${quoteText(JSON.stringify(checkpointSchema))}).${name} AS ${name}`,
  );
  const lines = actions.map((action) => `(${quoteText(JSON.stringify(action))})`).join(", ");
  await connection.run(
    `COPY (SELECT ${columns.join(", ")} FROM (VALUES ${lines}) AS log(line)) TO ${quoteText(unfinished)} (FORMAT PARQUET)`,
  );
  files.publish(unfinished, path);
  const last = join(logDirectory(directory), LAST_CHECKPOINT);
  const tags = { [CHECKSUM_TAG]: String(files.checksum(path)) };
  files.replace(last, Buffer.from(JSON.stringify({ version, size: actions.length, tags })));

  const { commits, checkpoints } = listLog(files, directory);
  for (const old of checkpoints.filter((one) => one < version)) {
    files.remove(checkpointPath(directory, old));
  }
  for (const old of commits.filter((one) => one <= version - COMMITS_KEPT)) {
    files.remove(commitPath(directory, old));
  }
}

const LAST_CHECKPOINT = "_last_checkpoint";

/** Of the last checkpoint, as it was told; `null` of others, and where that can't be read. */
function toldChecksum(files: Files, directory: string, version: number): number | null {
  if (!files.list(logDirectory(directory)).includes(LAST_CHECKPOINT)) return null;
  const text = new TextDecoder().decode(files.read(join(logDirectory(directory), LAST_CHECKPOINT)));
  try {
    const told = JSON.parse(text);
    const checksum = Number(told.tags?.[CHECKSUM_TAG]);
    return told.version === version && Number.isInteger(checksum) ? checksum : null;
  } catch {
    return null;
  }
}

/** As DuckDB's `json_transform` takes it. */
const checkpointSchema = {
  txn: { appId: "VARCHAR", version: "BIGINT", lastUpdated: "BIGINT" },
  add: {
    path: "VARCHAR",
    partitionValues: "MAP(VARCHAR, VARCHAR)",
    size: "BIGINT",
    modificationTime: "BIGINT",
    dataChange: "BOOLEAN",
    stats: "VARCHAR",
    tags: "MAP(VARCHAR, VARCHAR)",
  },
  remove: { path: "VARCHAR", deletionTimestamp: "BIGINT", dataChange: "BOOLEAN" },
  metaData: {
    id: "VARCHAR",
    name: "VARCHAR",
    description: "VARCHAR",
    format: { provider: "VARCHAR", options: "MAP(VARCHAR, VARCHAR)" },
    schemaString: "VARCHAR",
    partitionColumns: ["VARCHAR"],
    configuration: "MAP(VARCHAR, VARCHAR)",
    createdTime: "BIGINT",
  },
  protocol: { minReaderVersion: "INTEGER", minWriterVersion: "INTEGER" },
} as const;

// ─── Writing ────────────────────────────────────────────────────────────────

const protocol: Action = {
  protocol: { minReaderVersion: READER_VERSION, minWriterVersion: WRITER_VERSION },
};

/** What makes a table. */
export function creation(table: Table, tableId: string, timeMs: number): Action[] {
  const fields = table.columns.map(({ name, type, comment }) => ({
    name,
    type: sparkTypes[type],
    nullable: !notNull.has(name),
    metadata: { comment },
  }));
  return [
    protocol,
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
    ...Array.from(progress ?? [], ([appId, version]) => ({
      txn: { appId, version, lastUpdated: timeMs },
    })),
    ...remove.map((path) => ({ remove: { path, deletionTimestamp: timeMs, dataChange } })),
    ...add.map((file) => ({ add: addOf(file, dataChange) })),
  ];
}

function commitInfoOf({ timeMs, operation }: Commit) {
  return { timestamp: timeMs, operation, engineInfo: "dspy-databricks-agents" };
}

const CHECKSUM_TAG = "crc32";

function addOf(file: AddedFile, dataChange: boolean): AddAction {
  return {
    path: file.path,
    partitionValues: {},
    size: file.sizeBytes,
    modificationTime: file.modifiedMs,
    dataChange,
    stats: statsText(file.stats),
    ...(file.checksum !== null && { tags: { [CHECKSUM_TAG]: String(file.checksum) } }),
  };
}

function statsText({ rows, min, max, nulls }: FileStats): string {
  return JSON.stringify({
    numRecords: rows,
    minValues: min,
    maxValues: max,
    nullCount: nulls,
  });
}

/** Of the table as it was last described; `null` before its first commit. */
export function tableIdIn({ creation }: Pick<Snapshot, "creation">): string | null {
  const id = creation.findLast(({ metaData }) => metaData !== undefined)?.metaData?.id;
  return typeof id === "string" ? id : null;
}

/** The columns by name, with their types; a type that is none of ours is told as the log has it. */
export function columnsIn({ creation }: Pick<Snapshot, "creation">): ReadonlyMap<string, string> {
  const schema = creation.findLast(({ metaData }) => metaData !== undefined)?.metaData
    ?.schemaString;
  const { fields } = JSON.parse(typeof schema === "string" ? schema : '{"fields":[]}') as {
    readonly fields: readonly { readonly name: string; readonly type: unknown }[];
  };
  const known = new Map(
    Object.entries(sparkTypes).map(([type, inLog]) => [JSON.stringify(inLog), type]),
  );
  return new Map(
    fields.map(({ name, type }) => {
      const inLog = JSON.stringify(type);
      return [name, known.get(inLog) ?? inLog];
    }),
  );
}

// ─── Reading ────────────────────────────────────────────────────────────────

async function readCheckpoint(
  directory: string,
  version: number,
  { files, connection }: LogContext,
): Promise<Action[]> {
  const path = checkpointPath(directory, version);
  const told = toldChecksum(files, directory, version);
  if (told !== null && files.checksum(path) !== told) {
    throw damagedLog(directory, `checkpoint ${version} was changed`);
  }
  const names = Object.keys(checkpointSchema).map((name) => `${name}: ${name}`);
  try {
    const reader = await connection.runAndReadAll(
      `SELECT to_json({${names.join(", ")}}) FROM read_parquet(${quoteText(path)})`,
    );
    // What the checkpoint holds was written by this file.
    return reader.getRowsJson().map(([line]) => JSON.parse(String(line)) as Action);
  } catch (error) {
    if (isSystemFailure(error)) throw error;
    throw damagedLog(directory, `checkpoint ${version} can't be read`);
  }
}

/** One line of a commit. What a checkpoint has no value for is `null` there. */
export type Action = {
  readonly commitInfo?: {
    readonly version?: number;
    readonly actions?: number;
    readonly crc32?: number;
  } & Readonly<Record<string, unknown>>;
  readonly protocol?: { readonly minReaderVersion: number; readonly minWriterVersion: number };
  readonly metaData?: { readonly schemaString: string } & Readonly<Record<string, unknown>>;
  readonly add?: AddAction;
  readonly remove?: { readonly path: string; readonly deletionTimestamp: number } & Readonly<
    Record<string, unknown>
  >;
  readonly txn?: { readonly appId: string; readonly version: number } & Readonly<
    Record<string, unknown>
  >;
};

type AddAction = {
  readonly path: string;
  readonly size: number;
  readonly modificationTime: number;
  readonly stats: string;
  readonly tags?: Readonly<Record<string, string>> | null;
} & Readonly<Record<string, unknown>>;

function readCommit(files: Files, directory: string, version: number): Action[] {
  const text = new TextDecoder().decode(files.read(commitPath(directory, version)));
  const lines = linesOf(text);
  let actions: Action[];
  try {
    actions = lines.map((line) => JSON.parse(line) as Action);
  } catch {
    throw damagedLog(directory, `commit ${version} is not JSON`);
  }
  // Commits of earlier versions don't tell how many actions they have, or what they are.
  const info = actions.find(({ commitInfo }) => commitInfo)?.commitInfo;
  if (!info || (info.actions ?? actions.length - 1) !== actions.length - 1) {
    throw damagedLog(directory, `commit ${version} is not whole`);
  }
  if (info.crc32 !== undefined && info.crc32 !== checksumOf(lines.slice(1))) {
    throw damagedLog(directory, `commit ${version} was changed`);
  }
  if ((info.version ?? version) !== version) {
    throw damagedLog(directory, `commit ${version} is a copy of commit ${info.version}`);
  }
  return actions;
}

function checksumOf(lines: readonly string[]): number {
  return crc32(lines.join("\n"));
}

function linesOf(text: string): string[] {
  return text.split("\n").filter((line) => line !== "");
}

/** Of a damaged log whatever can still be read. */
export type Remains = Pick<Snapshot, "files" | "progress" | "creation"> & {
  /** The highest that there is; -1 without any. */
  readonly version: number;
  /** Whether the last commit is whole: then nothing came after what it says. */
  readonly endsWhole: boolean;
};

export async function readRemains(directory: string, context: LogContext): Promise<Remains> {
  const { commits, checkpoints } = listLog(context.files, directory);
  const files = new Map<string, AddedFile>();
  const progress = new Map<string, number>();
  let metaData: Action["metaData"];
  const take = (action: Action) => {
    if (action.metaData) metaData = action.metaData;
    if (action.txn) progress.set(action.txn.appId, Number(action.txn.version));
    const file = action.add ? readAdd(action.add) : null;
    if (file) files.set(file.path, file);
    if (action.remove) files.delete(action.remove.path);
  };
  const last = checkpoints.at(-1) ?? -1;
  let endsWhole = false;
  for (const version of checkpoints) {
    const actions = await readableCheckpoint(directory, version, context);
    endsWhole = actions.length > 0;
    for (const action of actions) take(action);
  }
  for (const version of commits.filter((one) => one > last || !endsWhole)) {
    const { actions, isWhole } = readableCommit(directory, version, context.files);
    endsWhole = isWhole;
    for (const action of actions) take(action);
  }
  return {
    version: Math.max(-1, ...commits, ...checkpoints),
    ...{ files, progress, endsWhole },
    creation: metaData ? [protocol, { metaData }] : [],
  };
}

/** Of one that is not whole only what describes the table: a place that was changed would mislead. */
function readableCommit(
  directory: string,
  version: number,
  files: Files,
): { readonly actions: readonly Action[]; readonly isWhole: boolean } {
  try {
    return { actions: readCommit(files, directory, version), isWhole: true };
  } catch (error) {
    if (!(error instanceof DamagedLogError)) throw error;
  }
  const text = new TextDecoder().decode(files.read(commitPath(directory, version)));
  const actions = linesOf(text).flatMap((line) => {
    try {
      const { metaData } = JSON.parse(line) as Action;
      return metaData ? [{ metaData }] : [];
    } catch {
      // Another line may be whole.
      return [];
    }
  });
  return { actions, isWhole: false };
}

async function readableCheckpoint(
  directory: string,
  version: number,
  context: LogContext,
): Promise<Action[]> {
  try {
    return await readCheckpoint(directory, version, context);
  } catch (error) {
    if (error instanceof DamagedLogError) return [];
    throw error;
  }
}

/** `null` when its bytes were changed within what is text of its own. */
function readAdd({ path, size, modificationTime, stats, tags }: AddAction): AddedFile | null {
  const checksum = tags?.[CHECKSUM_TAG];
  let read: ReturnType<typeof JSON.parse>;
  try {
    read = JSON.parse(stats);
  } catch {
    return null;
  }
  const { numRecords, minValues, maxValues, nullCount } = read;
  return {
    path,
    sizeBytes: Number(size),
    checksum: checksum === undefined ? null : Number(checksum),
    modifiedMs: Number(modificationTime),
    stats: { rows: numRecords, min: minValues, max: maxValues, nulls: nullCount },
  };
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

/** Versions, in ascending order. */
function listLog(files: Files, directory: string) {
  const names = files.list(logDirectory(directory));
  const versions = (pattern: RegExp) =>
    names
      .flatMap((name) => pattern.exec(name)?.[1] ?? [])
      .map(Number)
      .sort((a, b) => a - b);
  return {
    commits: versions(/^(\d{20})\.json$/),
    checkpoints: versions(/^(\d{20})\.checkpoint\.parquet$/),
  };
}

function commitPath(directory: string, version: number): string {
  return join(logDirectory(directory), `${padded(version)}.json`);
}

function checkpointPath(directory: string, version: number): string {
  return join(logDirectory(directory), `${padded(version)}.checkpoint.parquet`);
}

function padded(version: number): string {
  return String(version).padStart(VERSION_DIGITS, "0");
}

export function logDirectory(directory: string): string {
  return join(directory, "_delta_log");
}

/** A log that can't be read as it is: `repair.ts` makes it whole from the files of rows. */
export class DamagedLogError extends MonitorError {}

export function damagedLog(directory: string, problem: string): DamagedLogError {
  return new DamagedLogError(
    "STORE_DAMAGED",
    `cannot read the log of the Delta table ${directory}: ${problem}`,
    { hint: "Start dspy-databricks monitor: it makes the log whole again from the files of rows." },
  );
}
