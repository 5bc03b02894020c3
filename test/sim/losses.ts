/**
 * What may be lost: rows that people were told of, with their number, and rows that were in
 * entries of the journal that were damaged before they were sealed.
 */
import type { TableName } from "../../src/history/tables.ts";
import type { EventKey } from "./load.ts";

export type Losses = {
  /** Rows that nothing can bring back. */
  readonly excused: Set<EventKey>;
  /** Times within which what was acknowledged was in the journal only, when that was damaged. */
  readonly unsealed: { readonly fromMs: number; readonly upToMs: number }[];
};

export function newLosses(): Losses {
  return { excused: new Set(), unsealed: [] };
}

/** By table, the rows that were told as lost; infinite where it was told that this is not known. */
export function toldLosses(notices: readonly string[]): ReadonlyMap<TableName, number> {
  const rows = new Map<string, number>();
  for (const notice of notices) {
    const [, table, from, upTo, told] =
      /^Rows of (\w+) from entries (\d+) to (\d+) of the journal .*, (how many|\d+) are lost/.exec(
        notice,
      ) ?? [];
    if (table === undefined) continue;
    // What was not heard is told again.
    const key = `${table} ${from} ${upTo}`;
    const lost = told === "how many" ? Number.POSITIVE_INFINITY : Number(told);
    rows.set(key, Math.max(rows.get(key) ?? 0, lost));
  }
  const tables = new Map<TableName, number>();
  for (const [key, lost] of rows) {
    // It was told of a table.
    const table = key.slice(0, key.indexOf(" ")) as TableName;
    tables.set(table, (tables.get(table) ?? 0) + lost);
  }
  return tables;
}

/** Whether it was told that the journal was damaged. */
export function isJournalTold(notices: readonly string[]): boolean {
  const told = /^The journal (was damaged|is older than the history)|damaged journal entries/;
  return notices.some((notice) => told.test(notice));
}
