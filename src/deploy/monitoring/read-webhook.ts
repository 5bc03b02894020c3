/** The address of a webhook, from where agent.yaml says that it is kept. */
import { readFile } from "node:fs/promises";
import type { DatabricksClient } from "../../databricks/client.ts";
import { readSecretValue } from "../../databricks/secrets.ts";
import { readSecret } from "../../notify/read-secret.ts";

/** @throws MonitorError `CONFIG_INVALID` when there is none, or it is no address. */
export async function readWebhook(reference: string, client: DatabricksClient): Promise<string> {
  const [, scope, key] = /^\{\{secrets\/([^/{}\s]+)\/([^/{}\s]+)\}\}$/.exec(reference) ?? [];
  if (scope === undefined || key === undefined) {
    return readSecret(reference, {
      env: process.env,
      readFile: (path) => readFile(path, "utf8"),
    });
  }
  // Checked as if it stood in a file of that name.
  const secret = await readSecretValue(client, { scope, key });
  return readSecret(`file:secret ${scope}/${key}`, { env: {}, readFile: () => secret.reveal() });
}
