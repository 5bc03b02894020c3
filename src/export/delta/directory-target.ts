/**
 * Rows to Delta tables in a directory that Spark or others mount: sealed files are copied,
 * and one commit names them together with how far they go. So each row is there once,
 * whoever stops it, and however many histories write to the same tables. It takes a file
 * system with hard links, such as a local disk or NFS.
 */
import { join } from "node:path";
import type { Clock } from "../../clock.ts";
import {
  type AddedFile,
  bytesOf,
  CHECKPOINT_COMMITS,
  type Commit,
  columnsIn,
  DamagedLogError,
  type NewCommit,
  readSnapshot,
  type Snapshot,
  tableIdIn,
  writeCheckpoint,
  writeCommit,
} from "../../history/delta-log.ts";
import { type DuckDBConnection, quoteText } from "../../history/duckdb.ts";
import type { Files } from "../../history/files.ts";
import { copyToParquet } from "../../history/parquet-file.ts";
import { type TableName, tables } from "../../history/tables.ts";
import { MonitorError } from "../../monitor-error.ts";
import type { RowTarget, SealedFile, SourceTable } from "./row-target.ts";

export type DirectoryTarget = {
  readonly directory: string;
  /** In front of each table's name, with an underscore between. */
  readonly prefix: string;
};

export function directoryTarget(
  { directory, prefix }: DirectoryTarget,
  {
    files,
    connection,
    clock,
    newId,
  }: {
    readonly files: Files;
    readonly connection: DuckDBConnection;
    readonly clock: Clock;
    /** A UUID. */
    readonly newId: () => string;
  },
): RowTarget {
  const context = { files, connection };
  const homeOf = (table: TableName) => join(directory, `${prefix}_${table}`);

  return {
    hasGrants: false,
    name: `${directory}/${prefix}`,
    knowsHowFar: true,
    merges: "nothing",
    fullNameOf: homeOf,

    async prepare(names, { marks, recreate }) {
      const there = new Map<TableName, Snapshot>();
      for (const name of names) there.set(name, await readTarget(homeOf(name)));
      const gone = [...there].flatMap(([name, { version }]) =>
        version < 0 && (marks[name]?.upTo ?? 0) > 0 ? homeOf(name) : [],
      );
      // Before anything is made: where nothing is mounted it would be made beneath.
      if (gone.length > 0 && !recreate) throw goneError(gone, { directory, prefix });
      const ids = new Map<TableName, string | null>();
      for (const [name, before] of there) {
        const home = homeOf(name);
        let snapshot = before;
        if (snapshot.version < 0) {
          files.makeDirectory(home);
          writeCommit(home, newCommit(name, snapshot, { add: [] }), context);
          snapshot = await readSnapshot(home, context);
        }
        refuseConflict(home, name, snapshot);
        ids.set(name, tableIdIn(snapshot));
      }
      return ids;
    },

    // Its commits say how far they go, whoever writes them.
    loader: () => Promise.resolve(null),

    async resume(source) {
      const { progress } = await readSnapshot(homeOf(source.table), context);
      return { upTo: progress.get(writerOf(source)) ?? 0, repeatsUpTo: 0, rows: 0 };
    },

    // Nothing is there before it counts.
    withdraw: () => Promise.resolve(),

    load: (source, sealed) =>
      commit(source, sealed, (home, file) => {
        const path = `${source.sourceId}-${file.name}`;
        copy(files.read(file.path), join(home, path));
        return Promise.resolve(addedOf(path, file));
      }),

    loadRest: (source, file) =>
      commit(source, [file], async (home, { name, path: from }, snapshot) => {
        const path = `${source.sourceId}-rest-${name}`;
        const unfinished = join(home, `${path}.unfinished`);
        const there = [...snapshot.files.keys()].map((one) => quoteText(join(home, one)));
        const rest =
          there.length === 0
            ? `SELECT * FROM read_parquet(${quoteText(from)})`
            : `SELECT * FROM read_parquet(${quoteText(from)}) AS new ANTI JOIN read_parquet([${there.join(", ")}], union_by_name = true) AS old USING (event_id)`;
        const { columns } = tables[source.table];
        const stats = await copyToParquet(
          rest,
          { path: unfinished, columns, tableId: tableIdIn(snapshot) ?? newId() },
          connection,
        );
        files.publish(unfinished, join(home, path));
        const bytes = bytesOf(join(home, path), files);
        return { path, ...bytes, modifiedMs: clock.now(), stats };
      }),
  };

  async function readTarget(home: string): Promise<Snapshot> {
    try {
      return await readSnapshot(home, context);
    } catch (error) {
      if (!(error instanceof DamagedLogError)) throw error;
      throw new MonitorError("STORE_DAMAGED", error.message, {
        hint: `Put back what is missing, or rename ${home} and run dspy-databricks export with --recreate, which makes the table anew and writes again what the history still holds. Nothing is lost meanwhile.`,
        cause: error,
      });
    }
  }

  function newCommit(
    name: TableName,
    { version }: Snapshot,
    rows: Pick<Commit, "add" | "progress">,
  ): NewCommit {
    const commit: Commit = { timeMs: clock.now(), operation: "WRITE", remove: [], ...rows };
    return { version, made: { table: tables[name], tableId: newId() }, commit };
  }

  /** All of the files that are not there, in one commit. */
  async function commit(
    source: SourceTable,
    sealed: readonly SealedFile[],
    bring: (home: string, file: SealedFile, snapshot: Snapshot) => Promise<AddedFile>,
  ): Promise<number> {
    const home = homeOf(source.table);
    const writer = writerOf(source);
    files.makeDirectory(home);
    for (;;) {
      const snapshot = await readSnapshot(home, context);
      const before = snapshot.progress.get(writer) ?? 0;
      const missing = sealed.filter(({ upTo }) => upTo > before);
      if (missing.length === 0) return 0;
      const add: AddedFile[] = [];
      for (const file of missing) add.push(await bring(home, file, snapshot));
      const upTo = Math.max(...missing.map((file) => file.upTo));
      const isCommitted = writeCommit(
        home,
        newCommit(source.table, snapshot, { add, progress: new Map([[writer, upTo]]) }),
        context,
      );
      // Another commit came between: look again.
      if (!isCommitted) continue;
      await checkpoint(home);
      return add.reduce((sum, { stats }) => sum + stats.rows, 0);
    }
  }

  async function checkpoint(home: string): Promise<void> {
    const snapshot = await readSnapshot(home, context);
    if (snapshot.version % CHECKPOINT_COMMITS !== CHECKPOINT_COMMITS - 1) return;
    await writeCheckpoint(home, snapshot, context);
  }

  function copy(bytes: Uint8Array, to: string): void {
    // One of that name is from a round that was stopped before its commit.
    if (!files.create(to, bytes)) files.replace(to, bytes);
  }

  function addedOf(path: string, { sizeBytes, checksum, stats }: SealedFile): AddedFile {
    return { path, sizeBytes, checksum, modifiedMs: clock.now(), stats };
  }
}

function writerOf({ sourceId }: SourceTable): string {
  return `dspy-databricks-export/${sourceId}`;
}

function refuseConflict(home: string, name: TableName, snapshot: Snapshot): void {
  if (snapshot.version < 0) return;
  const there = columnsIn(snapshot);
  for (const column of tables[name].columns) {
    const found = there.get(column.name);
    if (found === column.type) continue;
    throw new MonitorError(
      "TABLE_CONFLICT",
      found === undefined
        ? `cannot write to ${home}: it has no column ${column.name}`
        : `cannot write to ${home}: its column ${column.name} is ${found}, and the rows hold ${column.type}`,
      {
        hint: `Rename ${home}, and run dspy-databricks export with --recreate, which makes the table anew and writes it again. Or choose another prefix. Nothing is lost meanwhile.`,
      },
    );
  }
}

function goneError(gone: readonly string[], { directory, prefix }: DirectoryTarget): MonitorError {
  const [tables, are] = gone.length === 1 ? ["the table", "is"] : ["the tables", "are"];
  return new MonitorError(
    "TABLE_DROPPED",
    `cannot write to ${gone.join(", ")}: rows were written there, and ${tables} ${are} not there any more`,
    {
      hint: `Mount ${directory}, or put ${tables} back. Or run dspy-databricks export --directory ${directory} --prefix ${prefix} --recreate, which writes again what the history still holds. Nothing is lost meanwhile.`,
    },
  );
}
