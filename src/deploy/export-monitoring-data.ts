/**
 * What is known of an agent → elsewhere: its history to Delta tables or a file of JSON,
 * its endpoint's figures of the last minute to a file for Prometheus or an MLflow run.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isAlreadyThere } from "../databricks/databricks-error.ts";
import {
  createMlflowExperiment,
  getMlflowExperimentByName,
} from "../databricks/mlflow-experiments.ts";
import { createMlflowRun, logMlflowBatch, updateMlflowRun } from "../databricks/mlflow-runs.ts";
import { exportServingEndpointMetrics } from "../databricks/serving-endpoints.ts";
import { makeWorkspaceDirectories } from "../databricks/workspace-objects.ts";
import { chooseWarehouse } from "../export/delta/delta-target.ts";
import { exportHistory } from "../export/delta/export-history.ts";
import { writeHistoryJson } from "../export/files/history-json.ts";
import { defaultTablePlace } from "../history/databricks-tables.ts";
import { emptyMemory, readEndpointMetrics } from "../ingest/endpoint-metrics/endpoint-metrics.ts";
import { MonitorError } from "../monitor-error.ts";
import { checkOptions } from "../option.ts";
import { workspaceFolder } from "../publish/publish-notebook.ts";
import type { DeployContext } from "./progress.ts";
import { getKnownEndpoint } from "./rollback.ts";

export type ExportFormat = "delta" | "json" | "prometheus" | "mlflow";

export type ExportOptions = {
  readonly exportFormat: ExportFormat;
  /** Of the Delta tables; `ml.monitoring.agent_monitoring_…` by default. */
  readonly catalog?: string | undefined;
  readonly schema?: string | undefined;
  readonly prefix?: string | undefined;
  readonly warehouseId?: string | undefined;
};

export type ExportedData = {
  readonly exportFormat: ExportFormat;
  /** What was added by this call. */
  readonly rows: number;
  /** Tables, a file on this machine, or an MLflow run. */
  readonly target: string;
  readonly tables?: Readonly<Record<string, number>>;
};

/**
 * @param dataDirectory of the monitor, whose history it is.
 * @throws MonitorError `HISTORY_MISSING`, `TABLE_CONFLICT`, `ENDPOINT_UNKNOWN`, or what Databricks refuses.
 */
export async function exportMonitoringData(
  context: DeployContext,
  endpointName: string,
  options: ExportOptions,
  dataDirectory: string,
): Promise<ExportedData> {
  checkOptions("exportMonitoringData", options);
  const { exportFormat } = options;
  const history = join(dataDirectory, "history");
  const fileName = endpointName.replace(/[^\w.-]/g, "_");
  await getKnownEndpoint(context, endpointName);
  switch (exportFormat) {
    case "delta": {
      const { catalog, schema, prefix } = options;
      const place = {
        catalog: catalog ?? defaultTablePlace.catalog,
        schema: schema ?? defaultTablePlace.schema,
        prefix: prefix ?? defaultTablePlace.prefix,
      };
      const warehouseId = await chooseWarehouse(
        context.client,
        options.warehouseId ?? process.env.DATABRICKS_WAREHOUSE_ID,
      );
      const exported = await exportHistory(history, { client: context.client, place, warehouseId });
      return {
        exportFormat,
        target: `${place.catalog}.${place.schema}.${place.prefix}`,
        ...exported,
      };
    }
    case "json": {
      const path = join(dataDirectory, "exports", `${fileName}.ndjson`);
      return {
        exportFormat,
        target: path,
        ...(await writeHistoryJson(history, { endpointName, path })),
      };
    }
    case "prometheus": {
      const text = await exportServingEndpointMetrics(context.client, endpointName);
      const path = join(dataDirectory, "exports", `${fileName}.prom`);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, text);
      const rows = text.split("\n").filter((line) => /^[^#\s]/.test(line)).length;
      return { exportFormat, rows, target: path };
    }
    case "mlflow":
      return { exportFormat, ...(await logFigures(context, endpointName)) };
    default:
      throw new MonitorError("CONFIG_INVALID", `exportFormat can't be ${String(exportFormat)}`, {
        hint: "Give delta, json, prometheus or mlflow.",
      });
  }
}

/** A run of its own, so that exporting again is another point in time. */
async function logFigures({ client, clock }: DeployContext, endpointName: string) {
  const text = await exportServingEndpointMetrics(client, endpointName);
  const nowMs = clock.now();
  const { samples } = readEndpointMetrics({
    endpoint: endpointName,
    text,
    polledAtMs: nowMs,
    memory: emptyMemory,
  });
  const folder = workspaceFolder(endpointName);
  const name = `${folder}/figures`;
  await makeWorkspaceDirectories(client, folder);
  const experiment = await experimentOf(client, name);
  const { id } = await createMlflowRun(client, {
    experiment_id: experiment,
    run_name: new Date(nowMs).toISOString(),
    start_time: nowMs,
    tags: [{ key: "endpoint_name", value: endpointName }],
  });
  const metrics = samples.map((sample) => ({
    key: sample.name,
    value: sample.value,
    timestamp: sample.timeMs,
  }));
  await logMlflowBatch(client, id, { metrics });
  await updateMlflowRun(client, { run_id: id, status: "FINISHED", end_time: clock.now() });
  return { rows: metrics.length, target: `${name}, run ${id}` };
}

async function experimentOf(client: DeployContext["client"], name: string): Promise<string> {
  const known = await getMlflowExperimentByName(client, name);
  if (known) return known.id;
  try {
    return await createMlflowExperiment(client, { name });
  } catch (error) {
    if (!isAlreadyThere(error)) throw error;
    const made = await getMlflowExperimentByName(client, name);
    if (!made) throw error;
    return made.id;
  }
}
