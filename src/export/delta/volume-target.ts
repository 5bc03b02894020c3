/**
 * Rows to Databricks through a volume: sealed files as they are, each to a path that
 * follows from what is in it, and `COPY INTO`, which loads each path once. So it may be
 * stopped at any point and done again.
 */
import { createHash } from "node:crypto";
import { DatabricksError } from "../../databricks/databricks-error.ts";
import { listDirectory } from "../../databricks/files.ts";
import { fullTableName, volumeOf } from "../../history/databricks-tables.ts";
import { type DeltaTarget, ensureTables, ensureVolume, loadFiles } from "./delta-target.ts";
import { mergeTarget } from "./merge-target.ts";
import type { RowTarget, SealedFile, SourceTable } from "./row-target.ts";
import { uploadOnce } from "./upload-once.ts";

/** Files of one statement, where all of them are in the volume already. */
const RESUMED_FILES_PER_LOAD = 500;
const HASH_DIGITS = 12;

export function volumeTarget(target: DeltaTarget): RowTarget {
  const { client, place } = target;
  const folderOf = ({ table, sourceId }: SourceTable) =>
    `${volumeOf(place).path}/history/${table}/${sourceId}`;

  return {
    hasGrants: true,
    name: `${client.host}/${place.catalog}.${place.schema}.${place.prefix}`,
    fullNameOf: (table) => fullTableName(place, table),

    async prepare(tables, options) {
      await ensureVolume(target);
      return await ensureTables(target, tables, options);
    },

    async resume(source, known, { files }) {
      const folder = folderOf(source);
      const there = (await listOrNone(folder)).flatMap(({ name, sizeBytes }) => {
        const range = rangeInVolume(name);
        return range ? [{ name, sizeBytes, ...range }] : [];
      });
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
      let rows = 0;
      for (let at = 0; at < there.length; at += RESUMED_FILES_PER_LOAD) {
        const names = there.slice(at, at + RESUMED_FILES_PER_LOAD).map(({ name }) => name);
        rows += await copyInto(source, names);
      }
      return {
        // Somebody may have removed older ones.
        from: there.length === 0 ? 1 : Math.min(...there.map(({ from }) => from)),
        upTo: Math.max(0, ...there.map(({ upTo }) => upTo)),
        rows,
      };
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
    loadRest: (source, file, local) => mergeTarget(target).loadRest(source, file, local),
  };

  function copyInto(source: SourceTable, names: readonly string[]): Promise<number> {
    const directory = folderOf(source);
    return loadFiles(target, source.table, { directory, files: names, format: "PARQUET" });
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

/** Where a history was put back to an earlier state, other rows come under the same places in the journal. */
function nameInVolume({ name }: SealedFile, bytes: Uint8Array): string {
  const hash = createHash("sha256").update(bytes).digest("hex").slice(0, HASH_DIGITS);
  return name.replace(/\.parquet$/, `-${hash}.parquet`);
}

function rangeInVolume(name: string): { readonly from: number; readonly upTo: number } | null {
  const [, from, upTo] = /^rows-(\d{16})-(\d{16})-[0-9a-f]+\.parquet$/.exec(name) ?? [];
  return from === undefined ? null : { from: Number(from), upTo: Number(upTo) };
}
