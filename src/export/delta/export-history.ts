/**
 * The history of a monitor → the Delta tables in Databricks: its sealed files as they
 * are, each to a path that follows from what is in it, and loaded from there. Stopped at
 * any point and run again, it goes on; what was loaded is not loaded again.
 */
import { basename, dirname, join, resolve } from "node:path";
import { fullTableName, volumeOf } from "../../history/databricks-tables.ts";
import { readSnapshot } from "../../history/delta-log.ts";
import { connect, type DuckDBConnection, loadDuckDb } from "../../history/duckdb.ts";
import { type ExportMarks, readExportMarks, writeExportMarks } from "../../history/export-marks.ts";
import { diskFiles, type Files } from "../../history/files.ts";
import { rangeOf, tableDirectory } from "../../history/seal.ts";
import { tableNames } from "../../history/tables.ts";
import { MonitorError } from "../../monitor-error.ts";
import type { DeltaExport } from "./delta-export.ts";
import { type DeltaTarget, ensureTables, ensureVolume, loadFiles } from "./delta-target.ts";
import { uploadOnce } from "./upload-once.ts";

/** Files of one statement: a file for each minute makes this an hour and a half. */
const FILES_PER_LOAD = 100;

/** What exporting touches on this machine. */
export type ExportMachine = {
  readonly files: Files;
  /** A DuckDB of its own, closed by whoever asked for it. */
  readonly openDuckDb: (options: {
    readonly temporaryDirectory: string;
  }) => Promise<DuckDBConnection>;
};

const thisMachine: ExportMachine = {
  files: diskFiles,
  openDuckDb: async (options) => connect(await loadDuckDb(), { threads: 1, ...options }),
};

export type ExportOptions = Partial<ExportMachine> & {
  readonly onProgress?: (message: string) => void;
};

/**
 * @param directory of the history, which a monitor may be writing.
 * @throws MonitorError `HISTORY_MISSING`, `TABLE_CONFLICT`, or what Databricks refuses.
 */
export async function exportHistory(
  directory: string,
  target: DeltaTarget,
  { onProgress = () => {}, ...machine }: ExportOptions = {},
): Promise<DeltaExport> {
  const { client, place } = target;
  const { files, openDuckDb } = { ...thisMachine, ...machine };
  if (!files.list(dirname(resolve(directory))).includes(basename(resolve(directory)))) {
    throw new MonitorError("HISTORY_MISSING", `cannot export a history: there is no ${directory}`, {
      hint: "Start dspy-databricks monitor: it writes one every minute. Or name another with --data-dir.",
    });
  }
  await ensureVolume(target);
  await ensureTables(target, tableNames);
  const targetName = `${client.host}/${place.catalog}.${place.schema}.${place.prefix}`;
  let marks: ExportMarks = readExportMarks(directory, targetName, files) ?? {};
  // From here on nobody merges files that were not exported.
  writeExportMarks(directory, { target: targetName, marks }, files);
  const connection = await openDuckDb({ temporaryDirectory: join(directory, "temporary") });
  const rows: Record<string, number> = {};
  try {
    for (const table of tableNames) {
      const home = tableDirectory(resolve(directory), table);
      const snapshot = await readSnapshot(home, { files, connection });
      const folder = `${volumeOf(place).path}/history/${table}/${tableIdOf(snapshot.creation)}`;
      let loaded = 0;
      for (const batch of batches(newFiles([...snapshot.files.keys()], marks[table] ?? 0))) {
        for (const { name } of batch) {
          await uploadOnce(client, `${folder}/${name}`, files.read(join(home, name)));
        }
        const names = batch.map(({ name }) => name);
        loaded += await loadFiles(target, table, {
          directory: folder,
          files: names,
          format: "PARQUET",
        });
        marks = { ...marks, [table]: batch.at(-1)?.upTo ?? 0 };
        writeExportMarks(directory, { target: targetName, marks }, files);
        onProgress(`${fullTableName(place, table)}: ${loaded} rows`);
      }
      rows[fullTableName(place, table)] = loaded;
    }
  } finally {
    connection.closeSync();
  }
  return { rows: Object.values(rows).reduce((sum, count) => sum + count, 0), tables: rows };
}

type NewFile = { readonly name: string; readonly upTo: number };

/** Those beyond the mark, the oldest first. Pure. */
export function newFiles(names: readonly string[], mark: number): readonly NewFile[] {
  return names
    .flatMap((name) => {
      const range = rangeOf(name);
      return range && range.upTo > mark ? [{ name, upTo: range.upTo }] : [];
    })
    .sort((a, b) => a.upTo - b.upTo);
}

function batches(files: readonly NewFile[]): readonly (readonly NewFile[])[] {
  return Array.from({ length: Math.ceil(files.length / FILES_PER_LOAD) }, (_, at) =>
    files.slice(at * FILES_PER_LOAD, (at + 1) * FILES_PER_LOAD),
  );
}

/** Two histories name their files alike; the id of a table is its own. */
function tableIdOf(creation: readonly { readonly metaData?: unknown }[]): string {
  for (const { metaData } of creation) {
    if (metaData !== null && typeof metaData === "object" && "id" in metaData) {
      return String(metaData.id).replace(/[^\w-]/g, "_");
    }
  }
  return "none";
}
