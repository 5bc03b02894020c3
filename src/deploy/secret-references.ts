/**
 * Whether the secrets that the agent refers to are there. Databricks finds out only
 * after it has built a container; names are enough to know it before. No value is read.
 */

import type { AgentConfig } from "../config/agent-config.ts";
import type { DatabricksClient } from "../databricks/client.ts";
import { isNotThere } from "../databricks/databricks-error.ts";
import { listSecrets } from "../databricks/secrets.ts";
import { MonitorError } from "../monitor-error.ts";

type Reference = { readonly variable: string; readonly scope: string; readonly key: string };

/** A sentence for each that is not there. What the identity may not see is not told. */
export async function missingSecrets(
  client: DatabricksClient,
  config: AgentConfig,
): Promise<readonly string[]> {
  const missing: string[] = [];
  const scopes = Map.groupBy(referencesIn(config), ({ scope }) => scope);
  for (const [scope, references] of scopes) {
    const keys = await keysOf(client, scope);
    if (keys === "not told") continue;
    for (const { variable, key } of references) {
      if (keys === "no scope") missing.push(`${variable}: there is no secret scope "${scope}"`);
      else if (!keys.has(key)) missing.push(`${variable}: scope "${scope}" has no key "${key}"`);
    }
  }
  return missing;
}

/** @throws MonitorError `CONFIG_INVALID`. */
export function refuseMissingSecrets(config: AgentConfig, missing: readonly string[]): void {
  if (missing.length === 0) return;
  throw new MonitorError(
    "CONFIG_INVALID",
    `${config.file}: the agent refers to secrets that are not there: ${missing.join("; ")}`,
    {
      hint: "Put them there (databricks secrets create-scope, put-secret), or take the variables out of deployment.environment_vars.",
    },
  );
}

function referencesIn({ deployment, monitoring }: AgentConfig): readonly Reference[] {
  const headers = monitoring.telemetry?.headers;
  const variables = {
    ...(headers !== undefined && { OTEL_EXPORTER_OTLP_HEADERS: headers }),
    ...deployment.environmentVars,
  };
  return Object.entries(variables).flatMap(([variable, value]) =>
    Array.from(
      value.matchAll(/\{\{secrets\/([^/{}]+)\/([^/{}]+)\}\}/g),
      ([, scope = "", key = ""]) => ({
        variable,
        scope,
        key,
      }),
    ),
  );
}

async function keysOf(client: DatabricksClient, scope: string) {
  try {
    return new Set((await listSecrets(client, scope)).map(({ key }) => key));
  } catch (error) {
    if (isNotThere(error)) return "no scope";
    if (error instanceof MonitorError && error.code === "DATABRICKS_FORBIDDEN") return "not told";
    throw error;
  }
}
