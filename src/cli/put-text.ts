/** `--out FILE` and `--publish`, the same for every command that makes a text. */
import { writeFile } from "node:fs/promises";
import { fileFailure } from "../file-failure.ts";

export type Destination = { readonly out?: string; readonly publish?: boolean };

/**
 * Into the file that is named; to stdout where there is none and nothing is published either.
 *
 * @throws MonitorError `CONFIG_INVALID` or `FILE_UNWRITABLE` when the file can't be written.
 */
export async function putText(text: string, { out, publish }: Destination): Promise<void> {
  if (out === undefined) {
    if (!publish) process.stdout.write(text);
    return;
  }
  try {
    await writeFile(out, text);
  } catch (error) {
    throw fileFailure(error, { tried: `cannot write ${out}`, place: out });
  }
  process.stderr.write(`Wrote ${out}\n`);
}
