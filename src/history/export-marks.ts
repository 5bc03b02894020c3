/**
 * How far the history was exported, by target: places in the journal, kept beside the
 * tables. What is not exported yet is left as it is by whoever merges files, because a
 * target knows what it has by the names of files.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TableName, tableNames } from "./tables.ts";

/** By table: the place up to which its rows are in the target. */
export type ExportMarks = Readonly<Partial<Record<TableName, number>>>;

type AllMarks = Readonly<Record<string, ExportMarks>>;

const FILE = "exported.json";

/** @param target such as `https://host/ml.monitoring.agent_monitoring`. */
export function readExportMarks(directory: string, target: string): ExportMarks | null {
  return readAll(directory)[target] ?? null;
}

export function writeExportMarks(directory: string, target: string, marks: ExportMarks): void {
  const path = join(directory, FILE);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const text = JSON.stringify({ ...readAll(directory), [target]: marks }, null, 2);
  // Whole or not at all. When it is lost, what was exported is offered again, without effect.
  writeFileSync(`${path}.unfinished`, `${text}\n`, { mode: 0o600 });
  renameSync(`${path}.unfinished`, path);
}

/** The place up to which every target has every table; without a target, everything. */
export function exportedUpTo(directory: string): number {
  const places = Object.values(readAll(directory)).flatMap((marks) =>
    tableNames.map((table) => marks[table] ?? 0),
  );
  return Math.min(Number.POSITIVE_INFINITY, ...places);
}

function readAll(directory: string): AllMarks {
  const path = join(directory, FILE);
  if (!existsSync(path)) return {};
  try {
    // This file alone writes it.
    return JSON.parse(readFileSync(path, "utf8")) as AllMarks;
  } catch {
    return {};
  }
}
