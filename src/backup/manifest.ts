/**
 * What a backup holds, written behind everything else, so that a backup that was cut off has
 * none. Its format has a version of its own: a newer one is refused, an older one is read.
 */
import * as z from "zod";
import { MonitorError } from "../monitor-error.ts";

export const BACKUP_FORMAT = 1;
export const MANIFEST_NAME = "backup.json";
/** Largest manifest that is read, in bytes. */
export const MANIFEST_MAX_BYTES = 64 * 1024 * 1024;

const manifestSchema = z.object({
  format: z.literal(BACKUP_FORMAT),
  /** Of the product that made it. */
  version: z.string(),
  createdMs: z.number(),
  /** Of the data directory, without what it is in. */
  directory: z.string().regex(/^[\w.-]{1,255}$/),
  journal: z.object({ entries: z.number(), lastSeq: z.number() }),
  /** Agents whose webhook's address is not in it. */
  webhooksLeftOut: z.array(z.string()),
  files: z.array(z.object({ name: z.string(), sizeBytes: z.number(), sha256: z.string() })),
});

export type Manifest = z.infer<typeof manifestSchema>;

/** @throws MonitorError `BACKUP_INVALID`. */
export function readManifest(text: string, file: string): Manifest {
  let told: unknown;
  try {
    told = JSON.parse(text);
  } catch {
    told = null;
  }
  const format = z.object({ format: z.number() }).safeParse(told).data?.format;
  if (format !== undefined && format > BACKUP_FORMAT) {
    throw new MonitorError(
      "BACKUP_INVALID",
      `cannot restore ${file}: a newer version wrote it (format ${format}; this one knows up to ${BACKUP_FORMAT})`,
      {
        hint: "Install that version of dspy-databricks-agents or a newer one, then restore again.",
      },
    );
  }
  const manifest = manifestSchema.safeParse(told);
  if (manifest.success) return manifest.data;
  throw damagedBackup(file, "what it says of itself can't be read");
}

export function damagedBackup(file: string, what: string): MonitorError {
  return new MonitorError("BACKUP_INVALID", `cannot restore ${file}: ${what}`, {
    hint: "Nothing was restored; use another backup, or fetch this one again from where it is kept.",
  });
}
