/** Puts a file into a volume under a name that says what is in it: a second time has no effect. */
import type { DatabricksClient } from "../../databricks/client.ts";
import { DatabricksError } from "../../databricks/databricks-error.ts";
import { headFile, uploadFile } from "../../databricks/files.ts";

export async function uploadOnce(
  client: DatabricksClient,
  path: string,
  bytes: Uint8Array,
): Promise<void> {
  try {
    await uploadFile(client, path, bytes, { overwrite: false });
  } catch (error) {
    if (!(error instanceof DatabricksError) || error.call.status !== 409) throw error;
    const there = await headFile(client, path);
    // Half of it, from an upload that broke off: it was not loaded, since loading comes after.
    if (there?.sizeBytes !== bytes.length)
      await uploadFile(client, path, bytes, { overwrite: true });
  }
}
