/**
 * The process in which a scheduled export runs, one for each run: apart from the monitor,
 * so that neither DuckDB's work nor its failure touches what watches and alerts.
 */
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { systemClock } from "../../clock.ts";
import { createDatabricksClient } from "../../databricks/client.ts";
import { resolveCredentials } from "../../databricks/credentials.ts";
import { MonitorError } from "../../monitor-error.ts";
import { chooseWarehouse } from "../delta/delta-target.ts";
import { type ExportTarget, exportHistory } from "../delta/export-history.ts";
import { failureOf } from "./export-failure.ts";
import type { ExportAnswer, ExportOrder, OrderedTarget } from "./export-order.ts";

process.once("message", (order: ExportOrder) => void serve(order));
// The monitor decides when it ends; a terminal tells both of them.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => {});
// What it is in the middle of is done again by the next.
process.on("disconnect", () => process.exit(0));

async function serve({ directory, target }: ExportOrder): Promise<void> {
  try {
    // Another one is waited for by the schedule.
    const exported = await exportHistory(directory, await targetOf(target), { lockWaitMs: 0 });
    const { rows, warnings } = exported;
    answer({ kind: "exported", rows, warnings });
  } catch (error) {
    answer({ kind: "failed", failure: failureOf(error) });
  }
}

async function targetOf(target: OrderedTarget): Promise<ExportTarget> {
  if (target.kind === "directory") return target;
  const credentials = resolveCredentials({
    env: process.env,
    profile: target.profile ?? undefined,
    readFile: (path) => readFileSync(path, "utf8"),
    homeDirectory: homedir(),
  });
  if (!credentials) {
    throw new MonitorError("CREDENTIALS_MISSING", "no credentials to export with", {
      hint: "Set DATABRICKS_HOST and DATABRICKS_TOKEN, or give --profile.",
    });
  }
  const client = createDatabricksClient({
    credentials,
    fetch,
    clock: systemClock,
    random: Math.random,
  });
  const wanted = target.warehouseId ?? process.env.DATABRICKS_WAREHOUSE_ID;
  const warehouseId = await chooseWarehouse(client, wanted);
  return { client, place: target.place, warehouseId, way: target.way };
}

function answer(message: ExportAnswer): void {
  process.send?.(message, () => process.disconnect());
}
