/**
 * When entries of the journal are missing – damaged, or set aside with it – the monitor has
 * forgotten what it did, and what was sealed may be told again under a later place. For a day
 * from then on rows are sealed and exported by their ids. Both stands in the table's log.
 */
import { join } from "node:path";
import { type AddedFile, readSnapshot, type Snapshot } from "./delta-log.ts";
import { quoteText } from "./duckdb.ts";
import type { Files } from "./files.ts";
import type { TableRows } from "./pending-rows.ts";
import { givenColumns } from "./pending-rows.ts";
import { type StageContext, stage } from "./staging.ts";
import type { TableName } from "./tables.ts";

/** As long as the journal keeps what it has. */
export const REPEATED_FOR_MS = 24 * 3_600_000;

const UNTIL = "dspy-databricks-history/repeats-until";
const UP_TO = "dspy-databricks-history/repeats-up-to";

export type Repeats = {
  /** Time up to which what is sealed may have been sealed before; 0 when nothing is missing. */
  readonly untilMs: number;
  /** Place up to which there are rows that may have been exported before under another one. */
  readonly upTo: number;
};

export function repeatsIn({ progress }: Pick<Snapshot, "progress">): Repeats {
  return { untilMs: progress.get(UNTIL) ?? 0, upTo: progress.get(UP_TO) ?? 0 };
}

export function notedRepeats({ untilMs, upTo }: Repeats): ReadonlyMap<string, number> {
  return new Map([
    [UNTIL, untilMs],
    [UP_TO, upTo],
  ]);
}

/** Tables in which an event keeps its id although it is told with another time; they are small. */
const idsWithoutTime: ReadonlySet<TableName> = new Set(["deployments"]);

/** The files that may hold some of these rows: those of the same time. Pure. */
export function filesAround(rows: TableRows, files: Iterable<AddedFile>): readonly AddedFile[] {
  if (idsWithoutTime.has(rows.table)) return [...files];
  const { fromMs, upToMs } = timesOf(rows);
  return [...files].filter(({ stats }) => {
    const [low, high] = [stats.min.timestamp, stats.max.timestamp].map((time) =>
      Date.parse(String(time)),
    );
    // What says nothing of its times may hold any.
    return !((low ?? Number.NaN) > upToMs) && !((high ?? Number.NaN) < fromMs);
  });
}

/** Ids of those of these rows that a table has already. @param home of the table. */
export async function eventsThere(
  rows: TableRows,
  home: string,
  context: StageContext & { readonly files: Files },
): Promise<ReadonlySet<string>> {
  const { files } = await readSnapshot(home, context);
  const around = filesAround(rows, files.values());
  const at = givenColumns(rows.table).findIndex(({ name }) => name === "event_id");
  const values = rows.plain.columns[at] ?? [];
  if (around.length === 0 || values.length === 0) return new Set();
  await stage("told", [{ name: "event_id", type: "VARCHAR", values }], context);
  const paths = around.map(({ path }) => quoteText(join(home, path))).join(", ");
  const read = await context.connection.runAndReadAll(
    `SELECT event_id FROM told SEMI JOIN (SELECT event_id FROM read_parquet([${paths}], union_by_name = true)) AS known USING (event_id)`,
  );
  await context.connection.run("DROP TABLE told");
  return new Set(read.getRowsJson().map(([eventId]) => String(eventId)));
}

function timesOf({ table, plain, samples }: TableRows) {
  const column = plain.columns[givenColumns(table).findIndex(({ name }) => name === "timestamp")];
  let fromMs = Number.POSITIVE_INFINITY;
  let upToMs = Number.NEGATIVE_INFINITY;
  for (const times of [column ?? [], samples.timesMs]) {
    for (const timeMs of times) {
      fromMs = Math.min(fromMs, Math.floor(Number(timeMs)));
      upToMs = Math.max(upToMs, Math.ceil(Number(timeMs)));
    }
  }
  return { fromMs, upToMs };
}
