/** `--out FILE` and `--publish`, the same for every command that makes a text. */
import { writeFile } from "node:fs/promises";
import { MonitorError } from "../monitor-error.ts";

export type Destination = { readonly out?: string; readonly publish?: boolean };

/**
 * Into the file that is named; to stdout where there is none and nothing is published either.
 *
 * @throws MonitorError `USAGE_INVALID` when the file can't be written.
 */
export async function putText(text: string, { out, publish }: Destination): Promise<void> {
  if (out === undefined) {
    if (!publish) process.stdout.write(text);
    return;
  }
  try {
    await writeFile(out, text);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? ` (${String(error.code)})` : "";
    throw new MonitorError("USAGE_INVALID", `${out} could not be written${code}`, {
      hint: "Name a file in a directory that is there, with --out.",
      cause: error,
    });
  }
  process.stderr.write(`Wrote ${out}\n`);
}
