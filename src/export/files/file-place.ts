/**
 * Where a file goes that is exported: on this machine, into a volume or into the workspace,
 * written as Databricks' own command line has it. Whoever reads it finds the file of before or
 * the whole new one.
 */

import { readFile, realpath, rename, rm, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import type { DatabricksClient } from "../../databricks/client.ts";
import { uploadFile } from "../../databricks/files.ts";
import { fileSource } from "../../databricks/upload.ts";
import { importWorkspaceObject } from "../../databricks/workspace-objects.ts";
import { fileFailure } from "../../file-failure.ts";
import { makeDirectory } from "../../make-directory.ts";
import { MonitorError } from "../../monitor-error.ts";

export type FilePlace = {
  readonly kind: "machine" | "volume" | "workspace";
  readonly path: string;
};

/**
 * `dbfs:/Volumes/…` and `/Volumes/…` are in a volume, `/Workspace/…` in the workspace, all else on
 * this machine.
 *
 * @throws MonitorError `CONFIG_INVALID` for a place that can't hold a file.
 */
export function filePlace(out: string): FilePlace {
  const path = out.replace(/^dbfs:\/*(?=\/)/, "");
  if (/^\/Volumes(?:\/|$)/.test(path)) {
    if (/^\/Volumes(?:\/[^/]+){4,}$/.test(path)) return { kind: "volume", path };
    throw unusable(out, "Name a file in it: /Volumes/CATALOG/SCHEMA/VOLUME/NAME");
  }
  if (out.startsWith("dbfs:")) {
    throw unusable(
      out,
      "Give a volume, dbfs:/Volumes/…: the root of DBFS is no place for new files.",
    );
  }
  if (/^\/Workspace(?:\/|$)/.test(path)) {
    if (/^\/Workspace(?:\/[^/]+){2,}$/.test(path)) return { kind: "workspace", path };
    throw unusable(out, "Name a file in a folder of it: /Workspace/Shared/NAME");
  }
  if (path === "" || path.endsWith("/")) throw unusable(out, "Name a file, not a directory.");
  return { kind: "machine", path: resolve(path) };
}

function unusable(out: string, hint: string): MonitorError {
  return new MonitorError("CONFIG_INVALID", `cannot export to "${out}"`, { hint });
}

/**
 * Lets the file be written beside where it is to be, or in `directory`, and puts it there.
 *
 * @param directory on this machine, for what goes elsewhere.
 * @throws MonitorError `FILE_UNWRITABLE` when this machine does not let it be written,
 * `CONFIG_INVALID` when it can't be where it is to be; or what Databricks refuses. What was there
 * before stays then.
 */
export async function putFile<Written>(
  { kind, path }: FilePlace,
  {
    client,
    directory,
    write,
  }: {
    readonly client: DatabricksClient;
    readonly directory: string;
    readonly write: (path: string) => Promise<Written>;
  },
): Promise<Written> {
  const target = kind === "machine" ? await fileBehind(path) : path;
  const home = kind === "machine" ? dirname(target) : directory;
  const unfinished = resolve(home, `.${crypto.randomUUID()}.unfinished`);
  const tried = `cannot export to ${path}`;
  const onThisMachine = async <T>(work: () => T | Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      const place = kind === "machine" ? target : home;
      throw fileFailure(error, { tried, place, passing: unfinished });
    }
  };
  if (kind === "machine" && (await isDevice(target))) return onThisMachine(() => write(target));
  try {
    await onThisMachine(() => makeDirectory(home));
    const written = await onThisMachine(() => write(unfinished));
    if (kind === "machine") await onThisMachine(() => rename(unfinished, target));
    if (kind === "volume") {
      await uploadFile(client, path, await fileSource(unfinished), { overwrite: true });
    }
    if (kind === "workspace") {
      const content = await readFile(unfinished);
      await importWorkspaceObject(client, { path, content, format: "RAW", overwrite: true });
    }
    return written;
  } finally {
    await rm(unfinished, { force: true }).catch(() => {});
  }
}

/** Where a link leads. */
function fileBehind(path: string): Promise<string> {
  return realpath(path).catch(() => path);
}

/** Such as `/dev/null` or a pipe: a file in its place would be no file of the user's. */
async function isDevice(path: string): Promise<boolean> {
  const there = await stat(path).catch(() => null);
  return there !== null && !there.isFile() && !there.isDirectory();
}
