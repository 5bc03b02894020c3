/**
 * Where and when the history is to be exported, as deployments ask for it: files in a
 * monitor's data directory, one for each agent. A monitor that runs there follows them;
 * without one they wait for the next.
 */

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { makeDirectory } from "../make-directory.ts";
import { MonitorError } from "../monitor-error.ts";
import { parseSchedule } from "../signals/schedule.ts";
import { fileNameOf, fingerprintOf, namesIn, replaceFile } from "./settings-files.ts";

const settingsSchema = z
  .strictObject({
    version: z.literal(1),
    endpointName: z.string().min(1),
    /** Of the workspace that the tables are in. */
    host: z.string().min(1),
    tables: z.strictObject({ catalog: z.string(), schema: z.string(), prefix: z.string() }),
    every: z.string(),
    timezone: z.string(),
    /** `null`: one that runs. */
    warehouseId: z.string().nullable(),
  })
  .refine(({ every, timezone }) => parseSchedule(every, timezone) !== null);

export type ExportSettings = Omit<z.infer<typeof settingsSchema>, "version">;

/** Agents of one monitor that may have settings of their own; what is beyond is not read. */
const SETTINGS_MAX = 1_000;
const EXTENSION = ".json";

const folderOf = (dataDirectory: string) => join(dataDirectory, "export-settings");
const pathOf = (dataDirectory: string, endpointName: string) =>
  join(folderOf(dataDirectory), `${fileNameOf(endpointName)}${EXTENSION}`);

/**
 * Puts them in place of those that were there.
 *
 * @throws MonitorError `DATA_DIR_UNWRITABLE`.
 */
export async function writeExportSettings(
  dataDirectory: string,
  settings: ExportSettings,
): Promise<void> {
  const folder = folderOf(dataDirectory);
  try {
    makeDirectory(folder, { mode: 0o700 });
    const text = JSON.stringify({ version: 1, ...settings }, null, 2);
    await replaceFile(pathOf(dataDirectory, settings.endpointName), `${text}\n`);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? ` (${String(error.code)})` : "";
    throw new MonitorError(
      "DATA_DIR_UNWRITABLE",
      `the export of ${settings.endpointName} could not be kept in ${folder}${code}`,
      {
        hint: "Name another data directory with --data-dir, or dataDir in a program.",
        cause: error,
      },
    );
  }
}

/** `null` where nothing was set, or nothing that can be read. */
export async function readExportSettings(
  dataDirectory: string,
  endpointName: string,
): Promise<ExportSettings | null> {
  try {
    return parse(await readFile(pathOf(dataDirectory, endpointName), "utf8"));
  } catch {
    return null;
  }
}

/** Those that can be read, and the names of files that can't. */
export async function readAllExportSettings(dataDirectory: string): Promise<{
  readonly settings: readonly ExportSettings[];
  readonly unreadable: readonly string[];
}> {
  const names = await namesIn(folderOf(dataDirectory), [EXTENSION]);
  const settings: ExportSettings[] = [];
  const unreadable: string[] = [];
  for (const name of names.slice(0, SETTINGS_MAX)) {
    try {
      settings.push(parse(await readFile(join(folderOf(dataDirectory), name), "utf8")));
    } catch {
      unreadable.push(name);
    }
  }
  return { settings, unreadable };
}

/** Changes whenever any of them does. */
export function exportSettingsFingerprint(dataDirectory: string): Promise<string> {
  return fingerprintOf(folderOf(dataDirectory), [EXTENSION]);
}

function parse(text: string): ExportSettings {
  const { version: _, ...settings } = settingsSchema.parse(JSON.parse(text));
  return settings;
}
