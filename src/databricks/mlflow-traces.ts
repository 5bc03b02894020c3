/**
 * MLflow's traces, of Databricks or of a server of one's own: which there are, and
 * the answers that hold their spans. Reads only. What a search tells of prompts and
 * answers is not taken over.
 *
 * Source: MLflow 3.17.2, `rest_store.py` and `databricks_artifact_repo.py`.
 */
import { MonitorError } from "../monitor-error.ts";
import { apiPath } from "./api-path.ts";
import type { DatabricksClient } from "./client.ts";
import { type ExternalLinks, isSafeLink } from "./external-links.ts";
import { recordOf, textMapOf, textOf } from "./json-fields.ts";
import {
  type Experiment,
  getMlflowExperiment,
  getMlflowExperimentByName,
  readPermission,
} from "./mlflow-experiments.ts";

export type MlflowServer = {
  readonly client: DatabricksClient;
  /** `null` where the server itself hands out what it keeps in files; Databricks signs an address for each. */
  readonly download: ExternalLinks["getText"] | null;
};

export type TraceInfo = {
  /** Such as `tr-6d1f2e26f6bed259ef6d3265f81d45c0`. */
  readonly traceId: string;
  /** Unix milliseconds, by the clock of whoever sent it. */
  readonly requestTimeMs: number;
  readonly durationMs: number;
  readonly isInProgress: boolean;
  /** Changes when the trace does. */
  readonly version: string;
  /** Spans are kept in files, one per trace, and not in the server's database. */
  readonly isArtifact: boolean;
  readonly tags: ReadonlyMap<string, string>;
  /** JSON text: tokens of the whole trace. */
  readonly tokenUsage: string | null;
  /** The serving endpoint that Databricks says it was. */
  readonly servedBy: string | null;
};

export type TracePage = {
  readonly traces: readonly TraceInfo[];
  /** Entries without an id or a time: nothing can be asked about them. */
  readonly unreadable: number;
  readonly nextPageToken: string | null;
};

type Options = { readonly signal?: AbortSignal | undefined };

/** Most traces in one page of a search, the default of MLflow's own client. */
export const PAGE_TRACES_MAX = 100;
/** Most traces that are asked for at once, as MLflow's own client does. */
export const BATCH_TRACES_MAX = 10;

/**
 * Finds an experiment by its name or its id.
 *
 * @throws MonitorError `MLFLOW_EXPERIMENT_UNKNOWN`.
 */
export async function findExperiment(
  { client }: MlflowServer,
  nameOrId: string,
  limits: Options = {},
): Promise<Experiment> {
  const isId = /^\d{1,30}$/.test(nameOrId);
  const found =
    (isId ? await getMlflowExperiment(client, nameOrId, limits) : null) ??
    (await getMlflowExperimentByName(client, nameOrId, limits));
  if (found) return found;
  throw new MonitorError(
    "MLFLOW_EXPERIMENT_UNKNOWN",
    `there is no MLflow experiment "${nameOrId}" on ${client.host}`,
    {
      hint: "Give --experiment its name as MLflow's page shows it (in Databricks it begins with /), or its id.",
    },
  );
}

/** One page of the traces that began at `fromMs` or later, the oldest first. */
export async function searchTraces(
  { client }: MlflowServer,
  experiment: Experiment,
  {
    fromMs,
    pageToken,
    signal,
  }: Options & { readonly fromMs: number; readonly pageToken: string | null },
): Promise<TracePage> {
  const answer = await client.postJson(
    apiPath`/api/3.0/mlflow/traces/search`,
    {
      locations: [
        { type: "MLFLOW_EXPERIMENT", mlflow_experiment: { experiment_id: experiment.id } },
      ],
      filter: `trace.timestamp_ms >= ${Math.max(0, Math.floor(fromMs))}`,
      max_results: PAGE_TRACES_MAX,
      order_by: ["timestamp_ms ASC"],
      ...(pageToken !== null && { page_token: pageToken }),
    },
    {
      purpose: `search the traces of the MLflow experiment "${experiment.name}"`,
      permission: readPermission(experiment.name),
      isIdempotent: true,
      signal,
    },
  );
  const page = recordOf(answer.json);
  // Protobuf's JSON leaves an empty list out.
  const entries = page?.traces ?? [];
  if (!page || !Array.isArray(entries)) throw answer.unusable("holds no list of traces");
  const traces = entries.map(readTraceInfo).filter((trace) => trace !== null);
  return {
    traces,
    unreadable: entries.length - traces.length,
    nextPageToken: textOf(page.next_page_token),
  };
}

/** The answer that holds these traces with their spans, for `ingest`. Those not complete yet are left out of it. */
export function getTraces(
  { client }: MlflowServer,
  traceIds: readonly string[],
  { signal }: Options = {},
): Promise<string> {
  return client.getText(apiPath`/api/3.0/mlflow/traces/batchGet`, {
    purpose: `read ${traceIds.length === 1 ? `MLflow trace ${traceIds[0]}` : `${traceIds.length} MLflow traces`}`,
    query: { trace_ids: traceIds },
    accept: "application/json",
    signal,
  });
}

/** The file that holds the spans of one trace, for `ingest`. */
export async function getTraceArtifact(
  { client, download }: MlflowServer,
  traceId: string,
  { signal }: Options = {},
): Promise<string> {
  const purpose = `read the spans of MLflow trace ${traceId}`;
  if (!download) {
    return client.getText(apiPath`/ajax-api/2.0/mlflow/get-trace-artifact`, {
      purpose,
      query: { request_id: traceId },
      accept: "application/json",
      signal,
    });
  }
  const answer = await client.getJson(
    apiPath`/api/2.0/mlflow/traces/${traceId}/credentials-for-data-download`,
    { purpose, signal },
  );
  const told = recordOf(recordOf(answer.json)?.credential_info);
  const url = textOf(told?.signed_uri);
  if (!isSafeLink(url)) throw answer.unusable("names no https address");
  const headers = Array.isArray(told?.headers) ? told.headers.map(recordOf) : [];
  return download(
    {
      url,
      headers: Object.fromEntries(
        headers.map((header) => [textOf(header?.name) ?? "", textOf(header?.value) ?? ""]),
      ),
    },
    { purpose, signal },
  );
}

function readTraceInfo(value: unknown): TraceInfo | null {
  const info = recordOf(value);
  const traceId = textOf(info?.trace_id);
  const requestTimeMs = Date.parse(textOf(info?.request_time) ?? "");
  if (!info || traceId === null || !Number.isFinite(requestTimeMs)) return null;

  const tags = textMapOf(info.tags);
  const metadata = textMapOf(info.trace_metadata);
  const state = textOf(info.state);
  const location = tags.get("mlflow.trace.spansLocation");
  return {
    traceId,
    requestTimeMs,
    durationMs: durationMs(info.execution_duration),
    isInProgress: state === "IN_PROGRESS",
    version: [state, info.execution_duration, metadata.get("mlflow.trace.sizeStats")].join(" "),
    isArtifact: location !== "TRACKING_STORE" && location !== "ARCHIVE_REPO",
    tags,
    tokenUsage: metadata.get("mlflow.trace.tokenUsage") ?? null,
    servedBy: metadata.get("mlflow.databricks.modelServingEndpointName") || null,
  };
}

/** `1.511s`, as protobuf writes a duration in JSON. */
function durationMs(value: unknown): number {
  const [, seconds] = /^(\d+(?:\.\d+)?)s$/.exec(textOf(value) ?? "") ?? [];
  return Number(seconds ?? 0) * 1000;
}
