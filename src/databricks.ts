/**
 * The public face of the Databricks client: what a service imports as
 * `dspy-databricks-agents/databricks`.
 */
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { systemClock } from "./clock.ts";
import { type DatabricksClient as Client, createDatabricksClient } from "./databricks/client.ts";
import { resolveCredentials } from "./databricks/credentials.ts";
import { MonitorError } from "./monitor-error.ts";

export type DatabricksClient = Client;

export const DatabricksClient = {
  /**
   * The workspace and credentials that the standard variables name (`DATABRICKS_HOST`,
   * `DATABRICKS_TOKEN`, …), or the given profile. Nothing is asked of it yet.
   *
   * @throws MonitorError `CREDENTIALS_MISSING` when there are none, `CONFIG_INVALID`
   * when a value cannot be used.
   */
  fromEnvironment({ profile }: { readonly profile?: string } = {}): DatabricksClient {
    const credentials = resolveCredentials({
      env: process.env,
      profile,
      readFile: (path) => readFileSync(path, "utf8"),
      homeDirectory: homedir(),
    });
    if (!credentials) {
      throw new MonitorError(
        "CREDENTIALS_MISSING",
        "cannot tell which Databricks workspace is meant: DATABRICKS_HOST is not set",
        { hint: "Set DATABRICKS_HOST and DATABRICKS_TOKEN, or name a profile." },
      );
    }
    return createDatabricksClient({
      credentials,
      fetch,
      clock: systemClock,
      random: Math.random,
    });
  },
} as const;
