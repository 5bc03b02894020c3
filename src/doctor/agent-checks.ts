/** What one agent needs in the workspace: a warehouse, tables, an export that runs, and the right to deploy. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { AgentConfig } from "../config/agent-config.ts";
import type { DatabricksClient } from "../databricks/client.ts";
import { getWarehouse } from "../databricks/warehouses.ts";
import { chooseWarehouse, missingTables } from "../export/delta/delta-target.ts";
import { fullTableName, type TablePlace } from "../history/databricks-tables.ts";
import { tableNames } from "../history/tables.ts";
import { askExports, type ExportState } from "../monitor-client/ask-monitor.ts";
import { type Check, type Finding, failed, ok, skipped, warning } from "./check.ts";

/** What a dry run says is missing. */
export type Missing = {
  readonly privilege: string;
  readonly on: string;
  readonly grant: string;
  readonly state: "missing" | "unknown";
};

export type AgentContext = {
  readonly client: DatabricksClient | null;
  /** `null` where no agent.yaml is named. */
  readonly config: AgentConfig | null;
  readonly warehouseId: string | undefined;
  readonly dataDirectory: string;
  readonly nowMs: number;
  readonly missingPermissions: (config: AgentConfig) => Promise<readonly Missing[]>;
};

/** An export that runs every minute is never older than this. */
const EXPORT_AGE_MAX_MS = 15 * 60_000;
const NO_AGENT = "No agent.yaml was named.";
const NAME_IT = "npx dspy-databricks doctor agent.yaml --env prod";
const NO_TABLES = "agent.yaml names no monitoring.tables.";

export function agentChecks(context: AgentContext): readonly Check[] {
  const { client, config, warehouseId, dataDirectory, nowMs } = context;
  const place = config?.monitoring.tables;

  const withTables =
    (look: (client: DatabricksClient, place: TablePlace) => ReturnType<Check["run"]>) =>
    async () => {
      if (!config) return skipped(NO_AGENT, NAME_IT);
      if (!place) return skipped(NO_TABLES);
      return client ? look(client, place) : skipped("No workspace is configured.");
    };

  return [
    {
      name: "warehouse",
      run: withTables(async (client) => {
        const id = await chooseWarehouse(client, config?.monitoring.warehouseId ?? warehouseId);
        const { name, state, size, autoStopMinutes } = await getWarehouse(client, id);
        const stops = autoStopMinutes
          ? `stops after ${autoStopMinutes} min`
          : "never stops by itself";
        return ok(
          `${name ?? id} (${size ?? "of unknown size"}, ${state ?? "in no known state"}) ${stops}.`,
        );
      }),
    },
    {
      name: "tables",
      run: withTables(async (client, place) => {
        const missing = await missingTables({ client, place }, tableNames);
        const where = `${place.catalog}.${place.schema}.${place.prefix}_…`;
        if (missing.length === 0) return ok(`All ${tableNames.length} tables ${where} are there.`);
        const names = missing.map((name) => fullTableName(place, name)).join(", ");
        return warning(
          `Not there, or not to be seen: ${names}.`,
          `npx dspy-databricks deploy '${config?.file ?? "agent.yaml"}', or npx dspy-databricks export --to ${place.catalog}.${place.schema} --prefix ${place.prefix}`,
        );
      }),
    },
    {
      name: "export",
      run: withTables(async (_, place) => {
        const target = `${place.catalog}.${place.schema}.${place.prefix}`;
        const scheduled = (await askExports(dataDirectory))?.find((one) => one.target === target);
        if (scheduled) return scheduledExport(scheduled, nowMs);
        const fix = `npx dspy-databricks export --data-dir '${dataDirectory}' --to ${place.catalog}.${place.schema} --prefix ${place.prefix}, every minute`;
        // Written anew by each export that brought something.
        const marks = await stat(join(dataDirectory, "history", "exported.json")).catch(() => null);
        if (marks === null) return warning(`Nothing of ${dataDirectory} was exported yet.`, fix);
        const minutes = Math.max(0, Math.round((nowMs - marks.mtimeMs) / 60_000));
        const evidence = `The last rows of ${dataDirectory} were exported ${minutes} min ago.`;
        return nowMs - marks.mtimeMs > EXPORT_AGE_MAX_MS ? warning(evidence, fix) : ok(evidence);
      }),
    },
    {
      name: "deploying",
      async run() {
        if (!config) return skipped(NO_AGENT, NAME_IT);
        if (!client) return skipped("No workspace is configured.");
        const all = await context.missingPermissions(config);
        const missing = all.filter(({ state }) => state === "missing");
        const told = (some: readonly Missing[]) =>
          some.map(({ privilege, on }) => `${privilege} on ${on}`).join(", ");
        const grants = (some: readonly Missing[]) => some.map(({ grant }) => grant).join("; ");
        if (missing.length > 0) {
          return {
            ...failed(`The identity lacks ${told(missing)}.`, grants(missing)),
            isRefused: true,
          };
        }
        return all.length > 0
          ? warning(`Not known whether the identity has ${told(all)}.`, grants(all))
          : ok(`The identity may deploy ${config.deployment.servingEndpoint} with its monitoring.`);
      },
    },
  ];
}

/** What the monitor that exports says of it. */
function scheduledExport(
  { target, state, lastRunMs, reason }: ExportState,
  nowMs: number,
): Finding {
  const ago =
    lastRunMs === null ? "has not run yet" : `ran ${Math.round((nowMs - lastRunMs) / 1000)} s ago`;
  const evidence = `The monitor's export to ${target} ${ago} and is ${state}${reason === null ? "" : `: ${reason}`}.`;
  const fix = "do what the reason asks for; the monitor then goes on by itself";
  if (state === "ok" || state === "waiting") return ok(evidence);
  return state === "lagging" ? warning(evidence, fix) : failed(evidence, fix);
}
