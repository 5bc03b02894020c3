/**
 * How far the history was exported, by target: places in the journal, kept beside the
 * tables. What is not exported yet is left as it is by whoever merges files, because a
 * target knows what it has by the names of files.
 */
import { join } from "node:path";
import { MonitorError } from "../monitor-error.ts";
import type { Files } from "./files.ts";
import { type TableName, tableNames } from "./tables.ts";

/** By table: the place up to which its rows are in the target. */
export type ExportMarks = Readonly<Partial<Record<TableName, number>>>;

type AllMarks = Readonly<Record<string, ExportMarks>>;

const FILE = "exported.json";

/** @param target such as `https://host/ml.monitoring.agent_monitoring`. */
export function readExportMarks(
  directory: string,
  target: string,
  files: Files,
): ExportMarks | null {
  return readAll(directory, files)[target] ?? null;
}

/** Durable when it returns: from then on files up to there may be merged, and get other names. */
export function writeExportMarks(
  directory: string,
  { target, marks }: { readonly target: string; readonly marks: ExportMarks },
  files: Files,
): void {
  files.makeDirectory(directory);
  const text = JSON.stringify({ ...readAll(directory, files), [target]: marks }, null, 2);
  files.replace(join(directory, FILE), new TextEncoder().encode(`${text}\n`));
}

/** The place up to which every target has every table; without a target, everything. */
export function exportedUpTo(directory: string, files: Files): number {
  const places = Object.values(readAll(directory, files)).flatMap((marks) =>
    tableNames.map((table) => marks[table] ?? 0),
  );
  return Math.min(Number.POSITIVE_INFINITY, ...places);
}

/** @throws MonitorError `STORE_DAMAGED`: without it nobody knows which files were exported. */
function readAll(directory: string, files: Files): AllMarks {
  if (!files.list(directory).includes(FILE)) return {};
  const path = join(directory, FILE);
  try {
    // This file alone writes it, whole or not at all.
    return JSON.parse(new TextDecoder().decode(files.read(path))) as AllMarks;
  } catch (cause) {
    throw new MonitorError("STORE_DAMAGED", `cannot tell what was exported: ${path} is no JSON`, {
      hint: "Restore it from a backup. Or remove it and the tables it names in Databricks: then everything is exported anew.",
      cause,
    });
  }
}
