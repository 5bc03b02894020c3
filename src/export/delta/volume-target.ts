/**
 * Rows to Databricks through a volume: sealed files as they are, each to a path that
 * follows from what is in it, and `COPY INTO`, which loads each path once. So it may be
 * stopped at any point and done again.
 */
import { createHash } from "node:crypto";
import { DatabricksError } from "../../databricks/databricks-error.ts";
import { deleteFile, listDirectory } from "../../databricks/files.ts";
import { fullTableName, volumeOf } from "../../history/databricks-tables.ts";
import {
  type DeltaTarget,
  ensureTables,
  ensureVolume,
  findVolume,
  loadFiles,
} from "./delta-target.ts";
import { databricksName, hasRowsOf, mergeTarget } from "./merge-target.ts";
import type { RowTarget, SealedFile, SourceTable } from "./row-target.ts";
import { uploadOnce } from "./upload-once.ts";

/** Files of one statement, where all of them are in the volume already. */
const RESUMED_FILES_PER_LOAD = 500;
const HASH_DIGITS = 12;

export function volumeTarget(target: DeltaTarget): RowTarget {
  const { client, place } = target;
  const folderOf = ({ table, sourceId }: SourceTable) =>
    `${volumeOf(place).path}/history/${table}/${sourceId}`;

  let volumeId: string | null = null;
  const byId = mergeTarget(target);

  return {
    hasGrants: true,
    name: databricksName(target),
    knowsHowFar: false,
    merges: "rest",
    fullNameOf: (table) => fullTableName(place, table),

    async prepare(tables, options) {
      const makePlace = async () => {
        volumeId = await ensureVolume(target);
      };
      return await ensureTables(target, tables, { ...options, makePlace });
    },

    // Whether Databricks knows a path of a volume that was made anew it tells nowhere.
    async loader() {
      volumeId ??= await findVolume(target);
      return volumeId;
    },

    async resume(source, known, { files, connection, isMadeAnew, check }) {
      const folder = folderOf(source);
      const there = await filesIn(folder);
      const oldestFirst = known.toSorted((a, b) => a.from - b.from);
      const isThere = async (file: SealedFile | undefined) => {
        if (file === undefined) return false;
        await check([file]);
        return await hasRowsOf(target, source.table, { path: file.path, connection });
      };

      if (isMadeAnew) {
        const [oldest] = oldestFirst;
        // Somebody filled it, as from a copy.
        if (await isThere(oldest)) return { upTo: 0, repeatsUpTo: endOf(known), rows: 0 };
        // The history is loaded as it is now; what is older only the volume has.
        const older = there.filter(({ from }) => from < (oldest?.from ?? Number.POSITIVE_INFINITY));
        const rows = await copyAll(source, older);
        const end = endOf(older);
        const upTo = Math.min(end, (oldest?.from ?? Number.POSITIVE_INFINITY) - 1);
        return { upTo, repeatsUpTo: end, rows };
      }

      const begun = known.filter((file) =>
        there.some(({ from, upTo }) => from === file.from && upTo === file.upTo),
      );
      for (const file of begun) {
        const bytes = files.read(file.path);
        const name = nameInVolume(file, bytes);
        const found = there.find((one) => one.name === name);
        // Of an upload that broke off: it was not loaded, since loading comes after.
        if (found && found.sizeBytes !== bytes.length)
          await uploadOnce(client, `${folder}/${name}`, bytes);
      }
      const rows = await copyAll(source, there);
      const upTo = endOf(there);
      // Rows came by statements, or files of the volume are lost as well as the marks.
      const isBeyond = await isThere(oldestFirst.find((file) => file.upTo > upTo));
      return { upTo, repeatsUpTo: isBeyond ? endOf(known) : 0, rows };
    },

    async withdraw(source, { from, upTo }) {
      const folder = folderOf(source);
      for (const file of await filesIn(folder)) {
        if (file.from >= from && file.upTo <= upTo)
          await deleteFile(client, `${folder}/${file.name}`);
      }
    },

    async load(source, sealed, { files }) {
      const names: string[] = [];
      for (const file of sealed) {
        const bytes = files.read(file.path);
        const name = nameInVolume(file, bytes);
        await uploadOnce(client, `${folderOf(source)}/${name}`, bytes);
        names.push(name);
      }
      return await copyInto(source, names);
    },

    // A path is loaded wholly or not at all; rows can be told apart only by their ids.
    loadRest: (source, file, local) => byId.loadRest(source, file, local),
  };

  async function copyAll(source: SourceTable, there: readonly { readonly name: string }[]) {
    let rows = 0;
    for (let at = 0; at < there.length; at += RESUMED_FILES_PER_LOAD) {
      const names = there.slice(at, at + RESUMED_FILES_PER_LOAD).map(({ name }) => name);
      rows += await copyInto(source, names);
    }
    return rows;
  }

  function copyInto(source: SourceTable, names: readonly string[]): Promise<number> {
    const directory = folderOf(source);
    return loadFiles(target, source.table, { directory, files: names, format: "PARQUET" });
  }

  async function filesIn(folder: string) {
    return (await listOrNone(folder)).flatMap(({ name, sizeBytes }) => {
      const range = rangeInVolume(name);
      return range ? [{ name, sizeBytes, ...range }] : [];
    });
  }

  async function listOrNone(folder: string) {
    try {
      return await listDirectory(client, folder);
    } catch (error) {
      if (error instanceof DatabricksError && error.call.status === 404) return [];
      throw error;
    }
  }
}

function endOf(ranges: readonly { readonly upTo: number }[]): number {
  return Math.max(0, ...ranges.map(({ upTo }) => upTo));
}

/** Where a history was put back to an earlier state, other rows come under the same places in the journal. */
function nameInVolume({ name }: SealedFile, bytes: Uint8Array): string {
  const hash = createHash("sha256").update(bytes).digest("hex").slice(0, HASH_DIGITS);
  return name.replace(/\.parquet$/, `-${hash}.parquet`);
}

function rangeInVolume(name: string): { readonly from: number; readonly upTo: number } | null {
  const [, from, upTo] = /^rows-(\d{16})-(\d{16})-[0-9a-f]+\.parquet$/.exec(name) ?? [];
  return from === undefined ? null : { from: Number(from), upTo: Number(upTo) };
}
