/**
 * An OTLP metric data point as it arrived: what `decode-metrics-protobuf.ts` and
 * `decode-metrics-json.ts` both produce, and the limits that both keep.
 */
export type OtlpMetric = {
  readonly name: string;
  /** 1 delta, 2 cumulative; anything else is not specified. Gauges and summaries have none. */
  readonly temporality: number;
  readonly isMonotonic: boolean;
};

export type OtlpMetricPoint = {
  readonly metric: OtlpMetric;
  readonly resource: ResourceIdentity;
  /** Unix milliseconds with their fraction; 0 where none was sent. */
  readonly startMs: number;
  readonly timeMs: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly data: OtlpPointData;
};

export type OtlpPointData =
  | { readonly kind: "gauge" | "sum"; readonly value: number }
  | {
      readonly kind: "histogram";
      readonly count: number;
      readonly sum: number | null;
      /** One fewer than counts, or both empty: the last bucket has no bound. */
      readonly bounds: readonly number[];
      readonly counts: readonly number[];
    }
  /** Its buckets are not read. */
  | { readonly kind: "exponential_histogram"; readonly count: number; readonly sum: number | null }
  | {
      readonly kind: "summary";
      readonly count: number;
      readonly sum: number | null;
      readonly quantiles: readonly (readonly [quantile: number, value: number])[];
    };

/** Whose metrics they are. The other attributes of a resource are not read. */
export type ResourceIdentity = {
  readonly endpoint: string | null;
  readonly service: string | null;
  readonly instance: string | null;
};

export const RESOURCE_KEYS = {
  "dspy.endpoint": "endpoint",
  "service.name": "service",
  "service.instance.id": "instance",
} as const satisfies Record<string, keyof ResourceIdentity>;

export type DecodedMetrics = {
  readonly points: readonly OtlpMetricPoint[];
  /** Data points that were left out, by `MetricDropReason`. */
  readonly dropped: ReadonlyMap<string, number>;
};

/**
 * Why a data point was left out while the rest of the batch was kept. A point is
 * never kept without one of its labels: it would pass for another series.
 *
 * - `metric_name`: the metric has none, or one that is too long.
 * - `metric_labels`: too many, one too long, or one that is no text, number or boolean.
 * - `metric_buckets`: too many buckets or quantiles, or bounds and counts that don't fit together.
 * - `metric_temporality`: neither delta nor cumulative.
 * - `metric_time`: no time, or one that can't be.
 * - `metric_value`: NaN, infinite or negative where a count or latency stands.
 * - `metric_no_value`: the sender says that there is none.
 * - `metric_limit`: the body holds more data points than are taken at once.
 */
export type MetricDropReason =
  | "metric_name"
  | "metric_labels"
  | "metric_buckets"
  | "metric_temporality"
  | "metric_time"
  | "metric_value"
  | "metric_no_value"
  | "metric_limit";

/** Most data points taken from one body. The rest counts as `metric_limit`. */
export const POINT_LIMIT = 20_000;

/** Longest metric name, in UTF-8 bytes; OpenTelemetry allows 255 characters. */
export const METRIC_NAME_LIMIT_BYTES = 255;

/** Most labels of a data point. */
export const LABEL_LIMIT = 32;

/** Longest label name, in UTF-8 bytes. */
export const LABEL_KEY_LIMIT_BYTES = 200;

/** Longest label value, in UTF-8 bytes. */
export const LABEL_VALUE_LIMIT_BYTES = 1024;

/** Most buckets of a histogram, and most quantiles of a summary. */
export const BUCKET_LIMIT = 512;

/** Bit of a data point's flags: no value was recorded. */
export const FLAG_NO_RECORDED_VALUE = 1;

export function countDropped(dropped: Map<string, number>, reason: MetricDropReason): void {
  dropped.set(reason, (dropped.get(reason) ?? 0) + 1);
}
