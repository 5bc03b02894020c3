/** The workspace: which credentials, whether it answers, as whom, and what may be watched. */
import type { DatabricksClient } from "../databricks/client.ts";
import type { Credentials } from "../databricks/credentials.ts";
import { getCurrentUser } from "../databricks/current-user.ts";
import {
  exportServingEndpointMetrics,
  listServingEndpoints,
} from "../databricks/serving-endpoints.ts";
import { MonitorError } from "../monitor-error.ts";
import { type Check, failed, failure, ok, skipped, warning } from "./check.ts";

/** What a token's life and the order of events bear. */
const SKEW_WARNING_MS = 30_000;
const SKEW_FAILED_MS = 5 * 60_000;
const NO_WORKSPACE = "No workspace is configured.";
const CONFIGURE = "export DATABRICKS_HOST=https://… DATABRICKS_TOKEN=…, or give --profile NAME";

export type WorkspaceContext = {
  /** @throws MonitorError where they are incomplete. */
  readonly credentials: () => Credentials | null;
  /** `null` without credentials. */
  readonly client: DatabricksClient | null;
  /** How far this machine's clock is ahead of the workspace's, as its last answer told; `null` before one. */
  readonly clockAheadMs: () => number | null;
};

export function workspaceChecks({
  credentials,
  client,
  clockAheadMs,
}: WorkspaceContext): readonly Check[] {
  return [
    {
      name: "credentials",
      async run() {
        const found = credentials();
        if (!found) return skipped(NO_WORKSPACE, CONFIGURE);
        const kind = found.signIn.kind === "token" ? "an access token" : "a client id and secret";
        return ok(`${found.host} with ${kind}, from the ${found.source}.`);
      },
    },
    {
      name: "workspace",
      async run() {
        if (!client) return skipped(NO_WORKSPACE, CONFIGURE);
        const me = await getCurrentUser(client);
        const groups = me.groups.length > 0 ? `, in ${me.groups.join(", ")}` : "";
        return ok(`${client.host} answers to ${me.userName}${groups}.`);
      },
    },
    {
      name: "clock",
      async run() {
        const aheadMs = clockAheadMs();
        if (aheadMs === null) return skipped("The workspace did not answer.");
        const seconds = Math.round(Math.abs(aheadMs) / 1000);
        const evidence = `This machine's clock is ${seconds} s ${aheadMs >= 0 ? "ahead of" : "behind"} the workspace's.`;
        const fix = "sudo timedatectl set-ntp true";
        if (Math.abs(aheadMs) > SKEW_FAILED_MS) return failed(evidence, fix);
        return Math.abs(aheadMs) > SKEW_WARNING_MS ? warning(evidence, fix) : ok(evidence);
      },
    },
    {
      name: "watching",
      async run() {
        if (!client) return skipped(NO_WORKSPACE, CONFIGURE);
        const { endpoints } = await listServingEndpoints(client);
        const [first] = endpoints;
        if (!first) {
          return warning(
            "No serving endpoint may be seen, or there is none.",
            "give the identity CAN VIEW on the endpoints that are to be watched",
          );
        }
        try {
          await exportServingEndpointMetrics(client, first.name);
        } catch (error) {
          if (!(error instanceof MonitorError)) throw error;
          const { evidence, fix } = failure(error);
          return warning(
            `${endpoints.length} endpoints may be seen. ${evidence}`,
            fix ?? CONFIGURE,
          );
        }
        return ok(
          `${endpoints.length} endpoints may be seen, and the metrics of ${first.name} read.`,
        );
      },
    },
  ];
}
