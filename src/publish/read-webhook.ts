/** The address of a webhook, from where agent.yaml says that it is kept. */
import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import type { DatabricksClient } from "../databricks/client.ts";
import { readSecretValue } from "../databricks/secrets.ts";
import { MonitorError } from "../monitor-error.ts";
import { readSecret } from "../notify/read-secret.ts";

/**
 * A path in it starts from the folder of the file that it stands in.
 *
 * @param file such as `agent.yaml`.
 */
export function absoluteReference(reference: string, file: string): string {
  const path = /^file:(.*)$/.exec(reference)?.[1];
  return path === undefined ? reference : `file:${resolve(dirname(file), path)}`;
}

/**
 * @param client of the workspace that keeps the secret; `null` where there is none.
 * @throws MonitorError `CONFIG_INVALID` when there is none, or it is no address.
 */
export async function readWebhook(
  reference: string,
  client: DatabricksClient | null,
): Promise<string> {
  const [, scope, key] = /^\{\{secrets\/([^/{}\s]+)\/([^/{}\s]+)\}\}$/.exec(reference) ?? [];
  if (scope === undefined || key === undefined) {
    return readSecret(reference, {
      env: process.env,
      readFile: (path) => readFile(path, "utf8"),
    });
  }
  if (client === null) {
    throw new MonitorError(
      "CONFIG_INVALID",
      `the webhook is kept in secret ${scope}/${key}, and no workspace is watched`,
      {
        hint: "Set DATABRICKS_HOST, give --profile, or keep the webhook as env:NAME or file:PATH.",
      },
    );
  }
  // Checked as if it stood in a file of that name.
  const secret = await readSecretValue(client, { scope, key });
  return readSecret(`file:secret ${scope}/${key}`, { env: {}, readFile: () => secret.reveal() });
}
