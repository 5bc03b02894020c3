/**
 * When exports ran, by target, beside the history: so that a monitor that was down knows
 * what it missed, and whether something was cut off that may be running still.
 */
import { join } from "node:path";
import { diskFiles, type Files } from "../../history/files.ts";

export type ExportRun = {
  readonly startedMs: number;
  /** `null`: it was cut off. */
  readonly endedMs: number | null;
  /** All that was sealed before is in the target; `null`: never yet. */
  readonly asOfMs: number | null;
  /** Of the last run that came to its end. */
  readonly rows: number | null;
};

const FILE = "export-runs.json";
const FORMAT_VERSION = 1;

export function readExportRun(
  { directory, files }: { readonly directory: string; readonly files: Files },
  target: string,
): ExportRun | null {
  return readExportRuns(directory, files)[target] ?? null;
}

/** Nothing depends on it but when the next run is: what is lost of it costs a run. */
export function writeExportRun(
  { directory, files }: { readonly directory: string; readonly files: Files },
  target: string,
  run: ExportRun,
): void {
  files.makeDirectory(directory);
  const runs = { ...readExportRuns(directory, files), [target]: run };
  const text = JSON.stringify({ version: FORMAT_VERSION, runs }, null, 2);
  files.replace(join(directory, FILE), new TextEncoder().encode(`${text}\n`));
}

/** By target; none where they can't be read. */
export function readExportRuns(
  directory: string,
  files: Files = diskFiles,
): Readonly<Record<string, ExportRun>> {
  try {
    const text = new TextDecoder().decode(files.read(join(directory, FILE)));
    const { version, runs } = JSON.parse(text);
    return version === FORMAT_VERSION && typeof runs === "object" ? runs : {};
  } catch {
    return {};
  }
}
