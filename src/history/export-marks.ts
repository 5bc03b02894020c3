/**
 * How far the history was exported, by target: places in the journal, kept beside the
 * tables. What is not exported yet is left as it is by whoever merges or removes files,
 * because a target knows what it has by the names of files.
 */
import { join } from "node:path";
import { MonitorError } from "../monitor-error.ts";
import type { Files } from "./files.ts";
import { keepTwice, keptNames, readKept } from "./kept-twice.ts";
import { type TableName, tableNames } from "./tables.ts";

export type ExportMark = {
  /** The place up to which the table's rows are in the target. */
  readonly upTo: number;
  /** Tells the table from one that was made anew under its name; `null` where that can't be told. */
  readonly tableId: string | null;
  /** The same of the table that the rows are from. */
  readonly sourceId: string | null;
  /** Who was given those that are on their way, and knows them when they are given to it again. */
  readonly loader?: string | null;
  /** Up to this place some rows may be in the target all the same: another history told them. */
  readonly repeatsUpTo?: number;
  /** Files beyond it that were on their way, by name and checksum: their rows may be there, whatever became of them here. */
  readonly begun?: readonly string[];
  /** Rows were being added by their ids: whoever was cut off in it may have left one at it. */
  readonly isMerging?: boolean;
};

export type ExportMarks = Readonly<Partial<Record<TableName, ExportMark>>>;

type AllMarks = Readonly<Record<string, TargetMarks>>;

type TargetMarks = {
  /** When it was exported to last, or tried to. */
  readonly touchedMs: number;
  readonly tables: ExportMarks;
};

const NAME = "exported";
/** Versions 1 and 2 were kept once. */
const FORMAT_VERSION = 3;
/** A target to which nobody tried to export for so long holds nothing up any more. */
export const ABANDONED_AFTER_MS = 7 * 24 * 3_600_000;

/** @param target such as `https://host/ml.monitoring.agent_monitoring`. */
export function readExportMarks(
  directory: string,
  target: string,
  files: Files,
): ExportMarks | null {
  return readAll(directory, files)?.[target]?.tables ?? null;
}

/** Durable when it returns: from then on files up to there may be merged, and get other names. */
export function writeExportMarks(
  directory: string,
  {
    target,
    marks,
    nowMs,
  }: { readonly target: string; readonly marks: ExportMarks; readonly nowMs: number },
  files: Files,
): void {
  const targets = { ...readAll(directory, files), [target]: { touchedMs: nowMs, tables: marks } };
  keepTwice({ directory, name: NAME, files }, { version: FORMAT_VERSION, targets });
}

/**
 * By table, the place up to which every target has its rows; without a target, everything. Where
 * the marks can't be read nothing is known to be exported.
 */
export function exportedUpTo(
  directory: string,
  files: Files,
  nowMs: number,
): Readonly<Record<TableName, number>> {
  const all = readAll(directory, files);
  const targets = Object.values(all ?? {}).filter(
    ({ touchedMs }) => Math.abs(nowMs - touchedMs) < ABANDONED_AFTER_MS,
  );
  const upTo = (table: TableName) =>
    all === null
      ? 0
      : Math.min(
          Number.POSITIVE_INFINITY,
          ...targets.map(({ tables }) => tables[table]?.upTo ?? 0),
        );
  // Each has its entry.
  return Object.fromEntries(tableNames.map((table) => [table, upTo(table)])) as Record<
    TableName,
    number
  >;
}

/** `null` when they are damaged: an export then finds out from its target how far it came. */
function readAll(directory: string, files: Files): AllMarks | null {
  const kept = readKept({ directory, name: NAME, files });
  if (kept.kind === "none") return {};
  if (kept.kind === "damaged") return null;
  // This file alone writes it.
  const { version, targets } = kept.value;
  if (version === undefined) return ofFirstFormat(kept.value as FirstFormat);
  if (Number(version) > FORMAT_VERSION) throw newerFormat(directory, version);
  return targets as AllMarks;
}

type FirstFormat = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** Places only, without times and the ids of tables. */
function ofFirstFormat(targets: FirstFormat): AllMarks {
  return Object.fromEntries(
    Object.entries(targets).map(([target, places]) => {
      const marks = Object.entries(places).map(([table, upTo]) => {
        return [table, { upTo, tableId: null, sourceId: null }];
      });
      return [target, { touchedMs: 0, tables: Object.fromEntries(marks) }];
    }),
  );
}

function newerFormat(directory: string, version: unknown): MonitorError {
  return new MonitorError(
    "STORE_DAMAGED",
    `cannot read ${join(directory, keptNames(NAME)[0] ?? "")}: a newer version wrote it (format ${String(version)}; this one knows up to ${FORMAT_VERSION})`,
    {
      hint: "Update dspy-databricks-agents to the version that wrote it, or use another data directory.",
    },
  );
}
