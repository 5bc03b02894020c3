/**
 * What is known of an agent → elsewhere: its history to Delta tables or a file of JSON,
 * its endpoint's figures of the last minute to a file for Prometheus or an MLflow run.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isAlreadyThere } from "../databricks/databricks-error.ts";
import {
  createMlflowExperiment,
  getMlflowExperimentByName,
} from "../databricks/mlflow-experiments.ts";
import {
  createMlflowRun,
  logMlflowBatch,
  searchMlflowRuns,
  updateMlflowRun,
} from "../databricks/mlflow-runs.ts";
import { exportServingEndpointMetrics } from "../databricks/serving-endpoints.ts";
import { makeWorkspaceDirectories } from "../databricks/workspace-objects.ts";
import { chooseWarehouse } from "../export/delta/delta-target.ts";
import { exportHistory } from "../export/delta/export-history.ts";
import { filePlace, putFile } from "../export/files/file-place.ts";
import { writeHistoryJson } from "../export/files/history-json.ts";
import {
  type DeploymentMinute,
  logDeploymentMinutes,
  readDeploymentSeries,
} from "../export/mlflow/deployment-series.ts";
import { defaultTablePlace } from "../history/databricks-tables.ts";
import { emptyMemory, readEndpointMetrics } from "../ingest/endpoint-metrics/endpoint-metrics.ts";
import { MonitorError } from "../monitor-error.ts";
import { checkOptions } from "../option.ts";
import { workspaceFolder } from "../publish/publish-notebook.ts";
import type { Sample } from "../signals/sample.ts";
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
  /**
   * Where the file of `json` or `prometheus` goes: a path on this machine, `dbfs:/Volumes/…` or
   * `/Volumes/…` in a volume, `/Workspace/…` in the workspace; `exports/` of the data directory by default.
   */
  readonly out?: string | undefined;
};

export type ExportedData = {
  readonly exportFormat: ExportFormat;
  /** What was added by this call. */
  readonly rows: number;
  /** Tables, a file, or an MLflow run. */
  readonly target: string;
  readonly tables?: Readonly<Record<string, number>>;
};

/**
 * @param dataDirectory of the monitor, whose history it is.
 * @throws MonitorError `CONFIG_INVALID` for an option without effect, `HISTORY_MISSING`, `TABLE_CONFLICT`, `ENDPOINT_UNKNOWN`, or what Databricks refuses.
 */
export async function exportMonitoringData(
  context: DeployContext,
  endpointName: string,
  options: ExportOptions,
  dataDirectory: string,
): Promise<ExportedData> {
  checkOptions("exportMonitoringData", options);
  const { exportFormat, out } = options;
  if (out !== undefined && exportFormat !== "json" && exportFormat !== "prometheus") {
    throw new MonitorError("CONFIG_INVALID", `cannot export ${exportFormat} to a file`, {
      hint: "Give out with the formats json and prometheus, which make files.",
    });
  }
  if (exportFormat !== "delta") {
    const ofTables = ["catalog", "schema", "prefix", "warehouseId"] as const;
    const unused = ofTables.find((name) => options[name] !== undefined);
    if (unused !== undefined) {
      throw new MonitorError("CONFIG_INVALID", `${unused} has no effect on ${exportFormat}`, {
        hint: "Leave it out, or export the format delta, which takes it.",
      });
    }
  }
  const history = join(dataDirectory, "history");
  const directory = join(dataDirectory, "exports");
  const placeOf = (ending: string) =>
    filePlace(out ?? join(directory, `${endpointName.replace(/[^\w.-]/g, "_")}${ending}`));
  const { client } = context;
  const onProgress = (message: string) =>
    context.onProgress({ step: "export", state: "waiting", message });
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
        client,
        options.warehouseId ?? process.env.DATABRICKS_WAREHOUSE_ID,
      );
      const exported = await exportHistory(history, { client, place, warehouseId }, { onProgress });
      return {
        exportFormat,
        target: `${place.catalog}.${place.schema}.${place.prefix}`,
        ...exported,
      };
    }
    case "json": {
      const place = placeOf(".ndjson");
      const written = await putFile(place, {
        client,
        directory,
        write: (path) => writeHistoryJson(history, { endpointName, path, onProgress }),
      });
      return { exportFormat, target: place.path, ...written };
    }
    case "prometheus": {
      const place = placeOf(".prom");
      const text = await exportServingEndpointMetrics(client, endpointName);
      const write = (path: string) => writeFile(path, text);
      await putFile(place, { client, directory, write });
      const rows = text.split("\n").filter((line) => /^[^#\s]/.test(line)).length;
      return { exportFormat, rows, target: place.path };
    }
    case "mlflow":
      return { exportFormat, ...(await logFigures(context, endpointName, history)) };
    default:
      throw new MonitorError("CONFIG_INVALID", `exportFormat can't be ${String(exportFormat)}`, {
        hint: "Give delta, json, prometheus or mlflow.",
      });
  }
}

/**
 * Minute by minute where the history knows the agent's requests, a run for each version
 * that was served; else what the endpoint tells of its last minute, in a run of its own.
 */
async function logFigures(
  context: DeployContext,
  endpointName: string,
  history: string,
): Promise<{ readonly rows: number; readonly target: string }> {
  const { client, clock } = context;
  const folder = workspaceFolder(endpointName);
  const name = `${folder}/figures`;
  const series = await readDeploymentSeries(history, { endpointName, nowMs: clock.now() }).catch(
    (error: unknown) => {
      if (error instanceof MonitorError && error.code === "HISTORY_MISSING") return null;
      throw error;
    },
  );
  await makeWorkspaceDirectories(client, folder);
  const experimentId = await experimentOf(client, name);
  if (!series || series.size === 0) {
    return logLastMinute(context, { endpointName, name, experimentId });
  }
  let rows = 0;
  const runs: string[] = [];
  for (const [version, minutes] of series) {
    const runId = await runOf(context, { endpointName, experimentId, version, minutes });
    rows += await logDeploymentMinutes(client, runId, minutes);
    const message = `version ${version ?? "unknown"}, minutes: ${minutes.length}`;
    context.onProgress({ step: "export", state: "waiting", message });
    runs.push(runId);
  }
  return { rows, target: `${name}, ${runs.length === 1 ? "run" : "runs"} ${runs.join(", ")}` };
}

const VERSION_TAG = "dspy_databricks.model_version";

/** The run of a version, which is made with its first export. */
async function runOf(
  { client }: DeployContext,
  {
    endpointName,
    experimentId,
    version,
    minutes,
  }: {
    readonly endpointName: string;
    readonly experimentId: string;
    readonly version: string | null;
    readonly minutes: readonly DeploymentMinute[];
  },
): Promise<string> {
  const value = version ?? "unknown";
  const known = await searchMlflowRuns(client, { experiment_ids: [experimentId] });
  const found = known.find(({ tags }) => tags.get(VERSION_TAG) === value);
  if (found) return found.id;
  const { id } = await createMlflowRun(client, {
    experiment_id: experimentId,
    run_name: version === null ? endpointName : `${endpointName} version ${version}`,
    start_time: Math.min(...minutes.map(({ minuteMs }) => minuteMs)),
    tags: [
      { key: "endpoint_name", value: endpointName },
      { key: VERSION_TAG, value },
    ],
  });
  return id;
}

async function logLastMinute(
  { client, clock }: DeployContext,
  {
    endpointName,
    name,
    experimentId,
  }: { readonly endpointName: string; readonly name: string; readonly experimentId: string },
) {
  const text = await exportServingEndpointMetrics(client, endpointName);
  const nowMs = clock.now();
  const { samples } = readEndpointMetrics({
    endpoint: endpointName,
    text,
    polledAtMs: nowMs,
    memory: emptyMemory,
  });
  const { id } = await createMlflowRun(client, {
    experiment_id: experimentId,
    run_name: new Date(nowMs).toISOString(),
    start_time: nowMs,
    tags: [{ key: "endpoint_name", value: endpointName }],
  });
  const metrics = [...samples, ...deploymentSamples(samples)].map((sample) => ({
    key: sample.name,
    value: sample.value,
    timestamp: sample.timeMs,
  }));
  await logMlflowBatch(client, id, { metrics });
  await updateMlflowRun(client, { run_id: id, status: "FINISHED", end_time: clock.now() });
  return { rows: metrics.length, target: `${name}, run ${id}` };
}

/** The same under the names that a deployment's figures have. */
function deploymentSamples(
  samples: readonly Sample[],
): Pick<Sample, "name" | "value" | "timeMs">[] {
  const newest = (name: string) => samples.findLast((sample) => sample.name === name);
  const renamed = [
    ["deployment_latency_p50", newest("request_latency_ms_p50")],
    ["deployment_latency_p99", newest("request_latency_ms_p99")],
  ] as const;
  const requests = newest("request_count_total");
  const failed = newest("request_5xx_count_total");
  return [
    ...renamed.flatMap(([name, sample]) => (sample ? [{ ...sample, name }] : [])),
    ...(requests && failed && requests.value > 0
      ? [
          {
            name: "deployment_success_rate",
            value: 1 - failed.value / requests.value,
            timeMs: requests.timeMs,
          },
        ]
      : []),
  ];
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
