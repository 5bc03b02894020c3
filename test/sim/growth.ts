/**
 * What must not grow with the time that a monitor runs: at the end, when all is done, each of these
 * is below its limit, however long the seed was and whatever went wrong.
 */
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { tableDirectory } from "../../src/history/seal.ts";
import { tableNames } from "../../src/history/tables.ts";
import type { Machine } from "./machine.ts";
import { LAKE_PREFIX } from "./ways.ts";

/** Commits stay for those who read them, 200 beyond a checkpoint; checkpoints and what is written come on top. */
const LOG_FILES_MAX = 320;
/** Small neighbours are merged; what an hour removed stays for queries. */
const HISTORY_FILES_MAX = 300;
/** Names of a hundred files on their way, for each table and two targets. */
const MARKS_MAX_BYTES = 128 * 1024;
const RUNS_MAX_BYTES = 8 * 1024;
/** A kill leaves one at most, and the next of its name takes its place. */
const UNFINISHED_MAX = 20;
/** What the journal takes for a row, and when it is empty. */
const JOURNAL_ROW_MAX_BYTES = 4 * 1024;
const JOURNAL_EMPTY_MAX_BYTES = 4 * 1024 * 1024;

/** One sentence for each that grew beyond its limit. @param rows that were acknowledged. */
export function grown(machine: Machine, rows: number): string[] {
  const { historyDirectory, lakeDirectory, dataDirectory } = machine;
  const homes = [
    ...tableNames.map((table) => tableDirectory(historyDirectory, table)),
    ...tableNames.map((table) => join(lakeDirectory, `${LAKE_PREFIX}_${table}`)),
  ];
  const journalBytes = namesIn(dataDirectory)
    .filter((name) => /^journal\.db(-wal)?$/.test(name))
    .reduce((sum, name) => sum + bytesOf(join(dataDirectory, name)), 0);
  const measured: readonly (readonly [what: string, size: number, limit: number])[] = [
    ...homes.map(
      (home) =>
        [
          `files of ${home}/_delta_log`,
          namesIn(join(home, "_delta_log")).length,
          LOG_FILES_MAX,
        ] as const,
    ),
    ...tableNames.map((table) => {
      const files = namesIn(tableDirectory(historyDirectory, table)).length;
      return [`files of the history's ${table}`, files, HISTORY_FILES_MAX] as const;
    }),
    ["bytes of exported.json", bytesOf(join(historyDirectory, "exported.json")), MARKS_MAX_BYTES],
    [
      "bytes of export-runs.json",
      bytesOf(join(historyDirectory, "export-runs.json")),
      RUNS_MAX_BYTES,
    ],
    ["bytes of the journal", journalBytes, JOURNAL_EMPTY_MAX_BYTES + rows * JOURNAL_ROW_MAX_BYTES],
    ["unfinished files of the directory", unfinished(machine), UNFINISHED_MAX],
  ];
  return measured.flatMap(([what, size, limit]) =>
    size > limit ? [`${what} grew to ${size}, and ${limit} is the most`] : [],
  );
}

function unfinished({ lakeDirectory }: Machine): number {
  return namesIn(lakeDirectory)
    .flatMap((table) => namesIn(join(lakeDirectory, table)))
    .filter((name) => name.endsWith(".unfinished")).length;
}

function namesIn(directory: string): readonly string[] {
  return existsSync(directory) ? readdirSync(directory) : [];
}

function bytesOf(path: string): number {
  return existsSync(path) ? statSync(path).size : 0;
}
