/** One metric of `/metrics` with all its series, and how it is written in Prometheus text 0.0.4. */
import { LATENCY_BOUNDS_MS, type RunTally } from "../live/tally.ts";

export type Labels = Readonly<Record<string, string>>;

export type Value = {
  readonly suffix?: string;
  readonly labels: Labels;
  /** A label of a histogram's bucket. */
  readonly le?: string;
  readonly value: number;
};

export type Family = {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly values: readonly Value[];
};

/** A series that is there only where its value is known. */
export function known(labels: Labels, value: number | null): Value[] {
  return value === null ? [] : [{ labels, value }];
}

export function histogram(labels: Labels, { latencyMs, upToBound }: RunTally): Value[] {
  const buckets = LATENCY_BOUNDS_MS.map((boundMs, index) => ({
    suffix: "_bucket",
    labels,
    le: String(boundMs / 1000),
    value: upToBound[index] ?? 0,
  }));
  return [
    ...buckets,
    { suffix: "_bucket", labels, le: "+Inf", value: latencyMs.count },
    { suffix: "_sum", labels, value: latencyMs.sum / 1000 },
    { suffix: "_count", labels, value: latencyMs.count },
  ];
}

/** Empty without a series. */
export function render({ name, type, help, values }: Family): string {
  if (values.length === 0) return "";
  let text = `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
  // The lines of a histogram have all labels but `le` in common.
  let last: Labels | null = null;
  let pairs = "";
  for (const { suffix = "", labels, le, value } of values) {
    if (labels !== last) {
      pairs = renderPairs(labels);
      last = labels;
    }
    text += `${name}${suffix}${braced(pairs, le)} ${value}\n`;
  }
  return text;
}

function renderPairs(labels: Labels): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${escaped(value)}"`)
    .join(",");
}

function braced(pairs: string, le: string | undefined): string {
  if (le === undefined) return pairs === "" ? "" : `{${pairs}}`;
  return pairs === "" ? `{le="${le}"}` : `{${pairs},le="${le}"}`;
}

function escaped(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
