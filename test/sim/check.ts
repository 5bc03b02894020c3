/** What has to be true at the end, whatever happened: the promises of the product. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { defaultTablePlace, fullTableName } from "../../src/history/databricks-tables.ts";
import { readSnapshot } from "../../src/history/delta-log.ts";
import { type DuckDBConnection, quoteText } from "../../src/history/duckdb.ts";
import { diskFiles } from "../../src/history/files.ts";
import { tableDirectory } from "../../src/history/seal.ts";
import { type TableName, tableNames, tables } from "../../src/history/tables.ts";
import { grown } from "./growth.ts";
import type { EventKey, Load } from "./load.ts";
import { isJournalTold, toldLosses } from "./losses.ts";
import type { Machine } from "./machine.ts";
import { LAKE_PREFIX } from "./ways.ts";
import type { WorkspaceModel } from "./workspace-model.ts";

/** Wrong rows of one kind that are named. */
const NAMED_MAX = 3;

export type Checked = {
  readonly machine: Machine;
  readonly model: WorkspaceModel;
  readonly load: Load;
  readonly connection: DuckDBConnection;
};

/** One sentence for each promise that was broken. */
export async function brokenPromises(checked: Checked): Promise<string[]> {
  const { machine, load, model } = checked;
  let local: Counted = new Map();
  try {
    local = await rowsIn((table) => tableDirectory(machine.historyDirectory, table), checked);
  } catch (error) {
    return [`the history can't be read: ${error instanceof Error ? error.message : error}`];
  }
  const targets = new Map<string, Counted>();
  if (machine.ways.some((way) => way !== "directory")) {
    targets.set("Databricks", remoteRows(model));
  }
  if (machine.ways.includes("directory")) {
    const homeOf = (table: TableName) => join(machine.lakeDirectory, `${LAKE_PREFIX}_${table}`);
    try {
      targets.set("the directory", await rowsIn(homeOf, checked));
    } catch (error) {
      return [`the directory can't be read: ${error instanceof Error ? error.message : error}`];
    }
  }
  const expected = load.acknowledged.keys();
  const due = [...expected].filter((key) => !isExcused(key, checked));
  return [
    ...machine.bugs,
    ...(load.waiting > 0 ? [`${load.waiting} batches were never acknowledged`] : []),
    ...doubled("the history", local),
    ...missing("acknowledged, and not in the history", untold(due, local, machine), local),
    ...[...targets].flatMap(([name, rows]) => [
      ...doubled(name, rows),
      ...missing(`acknowledged, and not in ${name}`, untold(due, rows, machine), rows),
      ...missing(`in the history, and not in ${name}`, local.keys(), rows),
    ]),
    ...undescribed(model),
    ...leftovers(machine),
    ...grown(machine, load.acknowledged.size),
  ];
}

function isExcused(key: EventKey, { machine, load }: Checked): boolean {
  const { excused, unsealed } = machine.losses;
  const atMs = load.acknowledged.get(key) ?? 0;
  const isOnlyThere = unsealed.some(({ fromMs, upToMs }) => fromMs <= atMs && atMs <= upToMs);
  return (excused.has(key) || isOnlyThere) && isJournalTold(machine.notices);
}

/** Of the tables of which more is missing than people were told. */
function untold(
  expected: readonly EventKey[],
  rows: Counted,
  { notices }: Pick<Machine, "notices">,
): readonly EventKey[] {
  const told = toldLosses(notices);
  return tableNames.flatMap((table) => {
    const its = expected.filter((key) => key.startsWith(`${table} `));
    const lost = its.filter((key) => !rows.has(key));
    return lost.length > (told.get(table) ?? 0) ? its : [];
  });
}

type Counted = ReadonlyMap<EventKey, number>;

/** Of Delta tables in directories. */
async function rowsIn(
  homeOf: (table: TableName) => string,
  { connection }: Checked,
): Promise<Counted> {
  const counts = new Map<EventKey, number>();
  for (const table of tableNames) {
    const home = homeOf(table);
    const { files } = await readSnapshot(home, { files: diskFiles, connection });
    if (files.size === 0) continue;
    const paths = [...files.keys()].map((path) => quoteText(join(home, path)));
    const read = await connection.runAndReadAll(
      `SELECT event_id FROM read_parquet([${paths.join(", ")}])`,
    );
    for (const [eventId] of read.getRowsJson()) count(counts, table, String(eventId));
  }
  return counts;
}

function remoteRows(model: WorkspaceModel): Counted {
  const counts = new Map<EventKey, number>();
  for (const table of tableNames) {
    const rows = model.tables.get(fullTableName(defaultTablePlace, table))?.rows ?? [];
    for (const { event_id: eventId } of rows) count(counts, table, String(eventId));
  }
  return counts;
}

function count(counts: Map<EventKey, number>, table: TableName, eventId: string): void {
  const key: EventKey = `${table} ${eventId}`;
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function doubled(where: string, rows: Counted): string[] {
  return told(
    `more than once in ${where}`,
    [...rows].filter(([, times]) => times > 1).map(([key]) => key),
  );
}

function missing(what: string, expected: Iterable<EventKey>, rows: Counted): string[] {
  return told(
    what,
    [...expected].filter((key) => !rows.has(key)),
  );
}

function told(what: string, keys: readonly EventKey[]): string[] {
  if (keys.length === 0) return [];
  const more = keys.length > NAMED_MAX ? ", …" : "";
  return [`${keys.length} rows ${what}: ${keys.slice(0, NAMED_MAX).join(", ")}${more}`];
}

/** Tables in Databricks are told apart by people: each of our columns says what it holds. */
function undescribed({ tables: made }: WorkspaceModel): string[] {
  return tableNames.flatMap((name) => {
    const fullName = fullTableName(defaultTablePlace, name);
    const table = made.get(fullName);
    if (!table) return [];
    const bare = tables[name].columns.filter((column) => !table.commented.has(column.name));
    return [
      ...bare.map((column) => `${fullName} does not say what its column ${column.name} holds`),
      ...(table.clusteredBy === "" ? [`${fullName} is not clustered`] : []),
    ];
  });
}

/** Files that nobody will ever remove. */
function leftovers({ historyDirectory }: Machine): string[] {
  const left = readdirSync(historyDirectory, { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith(".unfinished"),
  );
  return left.length > 0 ? [`left behind: ${left.slice(0, NAMED_MAX).join(", ")}`] : [];
}
