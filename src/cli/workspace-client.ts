/** The workspace that a command writes to, from the standard variables or a profile. */
import { DatabricksClient } from "../databricks.ts";

export function workspaceClient(profile: string | undefined): DatabricksClient {
  return DatabricksClient.fromEnvironment(profile === undefined ? {} : { profile });
}
