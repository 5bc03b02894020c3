/**
 * MLflow's runs, of Databricks or of a server of one's own, and what is logged to them.
 *
 * Source: databricks-sdk-py 0.156.0, `ExperimentsAPI`, and MLflow 3.17.2.
 */
import { apiPath } from "./api-path.ts";
import type { CallLimits, DatabricksClient } from "./client.ts";
import {
  integerOf,
  type JsonRecord,
  numberOf,
  recordOf,
  recordsOf,
  textOf,
} from "./json-fields.ts";
import { readPages } from "./pages.ts";
import type { JsonAnswer } from "./read-answer.ts";

export type MlflowRun = {
  readonly id: string;
  readonly experimentId: string | null;
  readonly name: string | null;
  /** `RUNNING`, `SCHEDULED`, `FINISHED`, `FAILED` or `KILLED`. */
  readonly status: string | null;
  /** Unix milliseconds. */
  readonly startedMs: number | null;
  /** Unix milliseconds. */
  readonly endedMs: number | null;
  /** The last value of each. */
  readonly metrics: ReadonlyMap<string, number>;
  readonly params: ReadonlyMap<string, string>;
  readonly tags: ReadonlyMap<string, string>;
};

export type MetricInput = {
  readonly key: string;
  readonly value: number;
  /** Unix milliseconds. */
  readonly timestamp: number;
  readonly step?: number;
};

export type KeyValue = { readonly key: string; readonly value: string };

export type LogInput = {
  readonly metrics?: readonly MetricInput[];
  /** Can't be changed once they are logged. */
  readonly params?: readonly KeyValue[];
  readonly tags?: readonly KeyValue[];
};

/** Limits of one `log-batch`. Source: MLflow's REST API, and Databricks' documentation. */
const BATCH_METRICS_MAX = 1000;
const BATCH_PARAMS_MAX = 100;
const BATCH_TAGS_MAX = 100;
const BATCH_ENTRIES_MAX = 1000;
/** Of 1 MB that are allowed; the rest is for what stands around the entries. */
const BATCH_MAX_BYTES = 900_000;
/** Longer values are cut, as MLflow's own client cuts them. */
const PARAM_VALUE_MAX_CHARS = 6000;
const TAG_VALUE_MAX_CHARS = 8000;

export async function createMlflowRun(
  client: DatabricksClient,
  run: {
    readonly experiment_id: string;
    readonly run_name?: string;
    /** Unix milliseconds. */
    readonly start_time?: number;
    readonly tags?: readonly KeyValue[];
  },
  limits: CallLimits = {},
): Promise<MlflowRun> {
  const answer = await client.postJson(apiPath`/api/2.0/mlflow/runs/create`, run, {
    ...limits,
    purpose: `start a run in the MLflow experiment ${run.experiment_id}`,
    permission: editPermission(run.experiment_id),
  });
  return readAnsweredRun(answer);
}

export async function getMlflowRun(
  client: DatabricksClient,
  id: string,
  limits: CallLimits = {},
): Promise<MlflowRun> {
  const answer = await client.getJson(apiPath`/api/2.0/mlflow/runs/get`, {
    ...limits,
    query: { run_id: id },
    purpose: `read MLflow run ${id}`,
    permission: "Give the identity CAN READ on the MLflow experiment of the run.",
  });
  return readAnsweredRun(answer);
}

/** Says how it ended, and when. */
export async function updateMlflowRun(
  client: DatabricksClient,
  run: {
    readonly run_id: string;
    readonly status?: "RUNNING" | "SCHEDULED" | "FINISHED" | "FAILED" | "KILLED";
    /** Unix milliseconds. */
    readonly end_time?: number;
    readonly run_name?: string;
  },
  limits: CallLimits = {},
): Promise<void> {
  await client.postJson(apiPath`/api/2.0/mlflow/runs/update`, run, {
    ...limits,
    purpose: `update MLflow run ${run.run_id}`,
    permission: editPermission(),
    isIdempotent: true,
  });
}

/** All that are found: give a filter that finds few. */
export async function searchMlflowRuns(
  client: DatabricksClient,
  search: {
    readonly experiment_ids: readonly string[];
    /** Such as `tags.release = 'r1' and status = 'FINISHED'`. */
    readonly filter?: string;
    /** Such as `["start_time DESC"]`. */
    readonly order_by?: readonly string[];
    /** Of one page. */
    readonly max_results?: number;
  },
  limits: CallLimits = {},
): Promise<readonly MlflowRun[]> {
  const entries = await readPages("runs", (page) =>
    client.postJson(
      apiPath`/api/2.0/mlflow/runs/search`,
      { ...search, ...page },
      {
        ...limits,
        purpose: `search the runs of the MLflow experiments ${search.experiment_ids.join(", ")}`,
        permission: "Give the identity CAN READ on the MLflow experiments.",
        isIdempotent: true,
      },
    ),
  );
  return recordsOf(entries)
    .map(readRun)
    .filter((run) => run !== null);
}

export type MetricPoint = {
  readonly value: number;
  readonly timestampMs: number;
  readonly step: number;
};

/** Every value that was logged of one metric. */
export async function getMlflowMetricHistory(
  client: DatabricksClient,
  { runId, key }: { readonly runId: string; readonly key: string },
  limits: CallLimits = {},
): Promise<readonly MetricPoint[]> {
  const entries = await readPages("metrics", (page) =>
    client.getJson(apiPath`/api/2.0/mlflow/metrics/get-history`, {
      ...limits,
      query: { run_id: runId, metric_key: key, ...page },
      purpose: `read metric "${key}" of MLflow run ${runId}`,
      permission: "Give the identity CAN READ on the MLflow experiment of the run.",
    }),
  );
  return recordsOf(entries).map(({ value, timestamp, step }) => ({
    value: Number(value),
    timestampMs: Number(timestamp ?? 0),
    step: Number(step ?? 0),
  }));
}

/**
 * Logs any number of entries, in as many calls as the limits of one ask for: tags and
 * parameters first. A call that fails may have logged a part of what it held, and the
 * calls after it are not made.
 */
export async function logMlflowBatch(
  client: DatabricksClient,
  runId: string,
  input: LogInput,
  limits: CallLimits = {},
): Promise<void> {
  for (const batch of batchesOf(input)) {
    await client.postJson(
      apiPath`/api/2.0/mlflow/runs/log-batch`,
      {
        run_id: runId,
        ...(batch.tags.length > 0 && { tags: batch.tags }),
        ...(batch.params.length > 0 && { params: batch.params }),
        ...(batch.metrics.length > 0 && { metrics: batch.metrics }),
      },
      { ...limits, purpose: `log to MLflow run ${runId}`, permission: editPermission() },
    );
  }
}

type Entry =
  | { readonly kind: "tags" | "params"; readonly entry: KeyValue }
  | { readonly kind: "metrics"; readonly entry: Readonly<Record<string, unknown>> };

type Batch = { readonly [Kind in Entry["kind"]]: Entry["entry"][] };

const KIND_MAX = {
  tags: BATCH_TAGS_MAX,
  params: BATCH_PARAMS_MAX,
  metrics: BATCH_METRICS_MAX,
} as const;

/** What `logMlflowBatch` sends, call by call. */
export function batchesOf(input: LogInput): readonly Batch[] {
  const batches: Batch[] = [];
  let batch = emptyBatch();
  let count = 0;
  let sizeBytes = 0;
  for (const { kind, entry } of entriesOf(input)) {
    const entryBytes = Buffer.byteLength(JSON.stringify(entry)) + 1;
    const isFull =
      count === BATCH_ENTRIES_MAX ||
      batch[kind].length === KIND_MAX[kind] ||
      sizeBytes + entryBytes > BATCH_MAX_BYTES;
    if (isFull && count > 0) {
      batches.push(batch);
      batch = emptyBatch();
      count = 0;
      sizeBytes = 0;
    }
    batch[kind].push(entry);
    count++;
    sizeBytes += entryBytes;
  }
  return count > 0 ? [...batches, batch] : batches;
}

const emptyBatch = (): Batch => ({ tags: [], params: [], metrics: [] });

function entriesOf({ tags = [], params = [], metrics = [] }: LogInput): readonly Entry[] {
  return [
    ...tags.map((tag) => ({ kind: "tags" as const, entry: cut(tag, TAG_VALUE_MAX_CHARS) })),
    ...params.map((param) => ({
      kind: "params" as const,
      entry: cut(param, PARAM_VALUE_MAX_CHARS),
    })),
    ...metrics.map((metric) => ({
      kind: "metrics" as const,
      // JSON has no NaN; protobuf's JSON writes it as text.
      entry: Number.isFinite(metric.value) ? metric : { ...metric, value: String(metric.value) },
    })),
  ];
}

function cut({ key, value }: KeyValue, maxChars: number): KeyValue {
  return { key, value: value.slice(0, maxChars).toWellFormed() };
}

function editPermission(experiment?: string): string {
  return `Give the identity CAN EDIT on the MLflow experiment${experiment === undefined ? " of the run" : ` ${experiment}`}.`;
}

function readAnsweredRun(answer: JsonAnswer): MlflowRun {
  const record = recordOf(recordOf(answer.json)?.run);
  const run = record && readRun(record);
  if (!run) throw answer.unusable("is no run");
  return run;
}

function readRun(run: JsonRecord): MlflowRun | null {
  const info = recordOf(run.info);
  const data = recordOf(run.data);
  const id = textOf(info?.run_id) ?? textOf(info?.run_uuid);
  if (!info || id === null) return null;
  return {
    id,
    experimentId: textOf(info.experiment_id),
    name: textOf(info.run_name),
    status: textOf(info.status),
    startedMs: integerOf(info.start_time),
    endedMs: integerOf(info.end_time),
    metrics: new Map(
      recordsOf(data?.metrics).flatMap(({ key, value }) => {
        const number = numberOf(value);
        return typeof key === "string" && number !== null ? [[key, number] as const] : [];
      }),
    ),
    params: keyValuesOf(data?.params),
    tags: keyValuesOf(data?.tags),
  };
}

function keyValuesOf(value: unknown): ReadonlyMap<string, string> {
  return new Map(
    recordsOf(value).map(({ key, value }) => [textOf(key) ?? "", textOf(value) ?? ""]),
  );
}
