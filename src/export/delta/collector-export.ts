/**
 * Sends rows of a service to the Delta tables. What was begun is kept until it is loaded,
 * and sent again as it is: its path follows from what is in it, and is loaded once.
 */
import { createHash } from "node:crypto";
import { fullTableName, volumeOf } from "../../history/databricks-tables.ts";
import type { TableName } from "../../history/tables.ts";
import type { DeltaExport } from "./delta-export.ts";
import { type DeltaTarget, ensureTables, ensureVolume, loadFiles } from "./delta-target.ts";
import { uploadOnce } from "./upload-once.ts";

const HASH_DIGITS = 16;

/** @param rows by table, NDJSON. */
export async function exportRows(
  rows: ReadonlyMap<TableName, string>,
  collectorId: string,
  target: DeltaTarget,
): Promise<DeltaExport> {
  const { client, place } = target;
  await ensureTables(target, [...rows.keys()], {
    marks: {},
    recreate: true,
    makePlace: async () => void (await ensureVolume(target)),
  });
  const loaded: Record<string, number> = {};
  for (const [table, text] of rows) {
    const hash = createHash("sha256").update(text).digest("hex").slice(0, HASH_DIGITS);
    const directory = `${volumeOf(place).path}/collectors/${table}/${collectorId}`;
    const file = `${hash}.ndjson`;
    await uploadOnce(client, `${directory}/${file}`, new TextEncoder().encode(text));
    loaded[fullTableName(place, table)] = await loadFiles(target, table, {
      directory,
      files: [file],
      format: "JSON",
    });
  }
  return {
    rows: Object.values(loaded).reduce((sum, count) => sum + count, 0),
    tables: loaded,
    warnings: [],
  };
}
