/**
 * A small value that must outlive any one file: it is kept in two, each with a number that grows
 * and a checksum. So one of them may be cut, overwritten, gone, or an older copy that somebody put
 * back: the other tells what was written last.
 */
import { join } from "node:path";
import { crc32 } from "node:zlib";
import type { Files } from "./files.ts";

export type KeptAt = {
  readonly directory: string;
  /** Of the first file, without its ending; the second has another one. */
  readonly name: string;
  readonly files: Files;
};

/** As JSON; `written` and `crc32` are taken. */
export type Value = Readonly<Record<string, unknown>>;

export type Kept =
  | { readonly kind: "none" }
  /** There is something, and nothing of it can be read. */
  | { readonly kind: "damaged" }
  | { readonly kind: "kept"; readonly value: Value };

type Copy =
  | Exclude<Kept, { kind: "kept" }>
  | { readonly kind: "kept"; readonly written: number; readonly value: Value };

/** @throws Error of the disk when neither can be read now, and one perhaps later. */
export function readKept(at: KeptAt): Kept {
  const copy = newest(at);
  return copy.kind === "kept" ? { kind: "kept", value: copy.value } : copy;
}

/** Durable when it returns; until then the value of before may be read. */
export function keepTwice(at: KeptAt, value: Value): void {
  const before = newest(at);
  const kept = { ...value, written: before.kind === "kept" ? before.written + 1 : 1 };
  const text = JSON.stringify({ ...kept, crc32: checksumOf(kept) }, null, 2);
  at.files.makeDirectory(at.directory);
  for (const path of pathsOf(at)) at.files.replace(path, Buffer.from(`${text}\n`));
}

/** The names of both files. */
export function keptNames(name: string): readonly string[] {
  return [`${name}.json`, `${name}.again.json`];
}

function pathsOf({ directory, name }: KeptAt): readonly string[] {
  return keptNames(name).map((file) => join(directory, file));
}

function newest(at: KeptAt): Copy {
  const there = new Set(at.files.list(at.directory));
  const failures: unknown[] = [];
  let newest: Copy = { kind: "none" };
  for (const [index, path] of pathsOf(at).entries()) {
    if (!there.has(keptNames(at.name)[index] ?? "")) continue;
    try {
      const copy = copyOf(new TextDecoder().decode(at.files.read(path)));
      if (newest.kind !== "kept" || (copy.kind === "kept" && copy.written > newest.written)) {
        newest = copy;
      }
    } catch (error) {
      failures.push(error);
    }
  }
  // What the system can't read now it may read later: what is forgotten is done again.
  if (newest.kind !== "kept" && failures.length > 0) throw failures[0];
  return newest;
}

function copyOf(text: string): Copy {
  try {
    const { crc32: checksum, ...kept } = JSON.parse(text);
    const { written, ...value } = kept;
    // As earlier versions wrote it: once, and without a checksum.
    if (written === undefined) return { kind: "kept", written: 0, value };
    return checksum === checksumOf(kept) ? { kind: "kept", written, value } : { kind: "damaged" };
  } catch {
    return { kind: "damaged" };
  }
}

function checksumOf(kept: Value): number {
  return crc32(JSON.stringify(kept));
}
