/** One data point that a service pushed, as the journal keeps it. */
import type { Sample } from "./sample.ts";

export type MetricPoint = {
  readonly endpoint: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** What a new value does to the one before. Only a delta is added to it. */
  readonly mode: "gauge" | "cumulative" | "delta";
  readonly startMs: number;
  readonly timeMs: number;
  readonly values: readonly MetricValue[];
};

/** A histogram has several values: `_count`, `_sum`, `_p50`, … */
export type MetricValue = {
  readonly suffix: string;
  readonly kind: Sample["kind"];
  /** Of a gauge alone it may be no finite number; JSON knows no such number, hence the text. */
  readonly value: number | "NaN" | "Infinity" | "-Infinity";
};
