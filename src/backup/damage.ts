/**
 * What a backup finds damaged while it copies a data directory. It is copied all the same, since
 * it may be all that there is, and told: a backup that says nothing is taken for whole.
 */
import { join } from "node:path";
import { type AddedFile, DamagedLogError, readSnapshot } from "../history/delta-log.ts";
import { connect, isDuckDbInstalled, loadDuckDb } from "../history/duckdb.ts";
import { diskFiles } from "../history/files.ts";
import { rangeOf } from "../history/seal.ts";

export type Damage = {
  /** In the data directory: a file, a log or the journal. */
  readonly place: string;
  readonly problem: string;
};

/** What was read of a file while it was copied. */
export type Copied = Pick<AddedFile, "sizeBytes" | "checksum">;

export type TableCheck = {
  /** The files of rows that a table has by its log; a problem where that can't be read. */
  filesOf(home: string): Promise<ReadonlyMap<string, Copied> | { readonly problem: string }>;
  close(): void;
};

/** `null` without DuckDB, which reads the logs. */
export async function openTableCheck(history: string): Promise<TableCheck | null> {
  if (!isDuckDbInstalled()) return null;
  const connection = await connect(await loadDuckDb(), {
    threads: 1,
    temporaryDirectory: join(history, "temporary"),
  });
  return {
    async filesOf(home) {
      try {
        return (await readSnapshot(home, { files: diskFiles, connection })).files;
      } catch (error) {
        if (!(error instanceof DamagedLogError)) throw error;
        return { problem: error.message.replace(/^.*?: /, "") };
      }
    },
    close: () => connection.closeSync(),
  };
}

/** @param name of the table's directory in the data directory. */
export function damagedFiles(
  name: string,
  wanted: ReadonlyMap<string, Copied>,
  copied: ReadonlyMap<string, Copied>,
): readonly Damage[] {
  return [...wanted].flatMap(([path, { sizeBytes, checksum }]) => {
    const found = copied.get(path);
    const place = `${name}/${path}`;
    if (!found) return [{ place, problem: "it is gone" }];
    const isChanged =
      found.sizeBytes !== sizeBytes || (checksum !== null && found.checksum !== checksum);
    return isChanged ? [{ place, problem: "it is not what was written" }] : [];
  });
}

/** Rows without a log; those of a first commit that a crash prevented begin at the beginning. */
export function isLogLost(copied: ReadonlyMap<string, Copied>): boolean {
  return [...copied.keys()].some((path) => (rangeOf(path)?.from ?? 1) > 1);
}
