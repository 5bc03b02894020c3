/**
 * Files of rows that are not what was sealed: gone, cut, or with other bytes in them. They are
 * found by their sizes at each tidying up, and by their checksums before they are merged or
 * exported and, some of them at a time, in between. Whoever finds one sets it aside and stops:
 * the history begins anew, and `repair.ts` mends it.
 */
import { join } from "node:path";
import { MonitorError } from "../monitor-error.ts";
import type { AddedFile, Snapshot } from "./delta-log.ts";
import { isSystemFailure, quoteText } from "./duckdb.ts";
import type { Files } from "./files.ts";
import { type SealContext, tableDirectory } from "./seal.ts";
import type { TableName } from "./tables.ts";

/** Beside the tables; holds what was set aside. */
export const DAMAGED_DIRECTORY = "damaged";
/**
 * Bytes that are read again at a time. With one tidying up in ten minutes the most that a history
 * holds, 10 GiB, is read in 14 hours: what is damaged is found while the journal still has it.
 */
const CHECKED_BYTES = 128 * 1024 ** 2;
/** What was set aside of a table beyond this goes, the oldest rows first. */
const SET_ASIDE_MAX_BYTES = 256 * 1024 ** 2;

type Context = Pick<SealContext, "files" | "connection" | "directory">;
type Checked = Pick<AddedFile, "path" | "checksum">;

/** Those that are gone, or have another size than their commit says. */
export function changedFiles(
  snapshot: Snapshot,
  home: string,
  { files }: Pick<Context, "files">,
): readonly AddedFile[] {
  const there = new Set(files.list(home));
  return [...snapshot.files.values()].filter(
    ({ path, sizeBytes }) => !there.has(path) || files.sizeBytes(join(home, path)) !== sizeBytes,
  );
}

/**
 * Sets aside those that are not what was sealed.
 *
 * @throws MonitorError `STORE_DAMAGED` when there are any.
 */
export async function refuseDamaged(
  table: TableName,
  checked: Iterable<Checked>,
  context: Context,
): Promise<void> {
  const home = tableDirectory(context.directory, table);
  const there = new Set(context.files.list(home));
  const damaged: string[] = [];
  for (const file of checked) {
    if (there.has(file.path) && (await isWhole(home, file, context))) continue;
    if (there.has(file.path)) setAside(table, file.path, context);
    damaged.push(file.path);
  }
  if (damaged.length > 0) throw damagedFiles(table, damaged);
}

/** What the monitor does of it is told when it is done. */
export function damagedFiles(table: TableName, paths: readonly string[]): MonitorError {
  return new MonitorError(
    "STORE_DAMAGED",
    `cannot read files of the history's table ${table}: ${paths.join(", ")}`,
    {
      hint: "Let dspy-databricks monitor run: within ten minutes it seals their rows again where its journal still has them, and says how many are lost.",
    },
  );
}

/**
 * Reads some files again, those after the last one of the round before.
 *
 * @param after as it was returned; `null` to begin with the first. Returns the last one.
 * @throws MonitorError `STORE_DAMAGED`
 */
export async function checkSome(
  snapshots: ReadonlyMap<TableName, Snapshot>,
  after: string | null,
  context: Context,
): Promise<string | null> {
  const all = [...snapshots]
    .flatMap(([table, { files }]) =>
      Array.from(files.values(), (file) => ({ table, file, place: `${table}/${file.path}` })),
    )
    .sort((a, b) => (a.place < b.place ? -1 : 1));
  let bytes = 0;
  for (const { table, file, place } of all) {
    if (after !== null && place <= after) continue;
    await refuseDamaged(table, [file], context);
    bytes += file.sizeBytes;
    if (bytes >= CHECKED_BYTES) return place;
  }
  return null;
}

async function isWhole(
  home: string,
  { path, checksum }: Checked,
  context: Context,
): Promise<boolean> {
  const file = join(home, path);
  if (checksum === null) return isReadable(file, context);
  return checksumOf(file, context.files) === checksum;
}

/** `null` where the disk failed at it twice: a bad moment passes, a bad sector does not. */
function checksumOf(file: string, files: Files): number | null {
  for (let isAgain = false; ; isAgain = true) {
    try {
      return files.checksum(file);
    } catch (error) {
      const isUnreadable = error instanceof Error && "code" in error && error.code === "EIO";
      if (!isUnreadable) throw error;
      if (isAgain) return null;
    }
  }
}

/** Reads all of it: much damage of a page is found nowhere else, and some not even there. */
export async function isReadable(
  path: string,
  { connection }: Pick<Context, "connection">,
): Promise<boolean> {
  try {
    await connection.runAndReadAll(
      `SELECT count(hash(t)) FROM read_parquet(${quoteText(path)}) AS t`,
    );
    return true;
  } catch (error) {
    if (isSystemFailure(error)) throw error;
    return false;
  }
}

export function setAside(
  table: TableName,
  path: string,
  { files, directory: history }: Pick<Context, "files" | "directory">,
): void {
  const directory = join(history, DAMAGED_DIRECTORY, table);
  files.makeDirectory(directory);
  files.publish(join(tableDirectory(history, table), path), join(directory, path));
  let bytes = files.sizeBytes(join(directory, path));
  for (const name of [...files.list(directory)].sort().reverse()) {
    if (name === path) continue;
    bytes += files.sizeBytes(join(directory, name));
    if (bytes > SET_ASIDE_MAX_BYTES) files.remove(join(directory, name));
  }
}
