/**
 * What each chart of an agent shows, shaped from the API's series: which lines, in
 * which unit, against which limit. Pure data, so that the drawing, the words for
 * screen readers and the table all say the same.
 */
import type { AgentView } from "../api.ts";
import { formatCost, formatCount, formatDuration, formatSpan } from "../format.ts";
import type { ChartId } from "../route.ts";
import { type FiringSpan, firingSpans } from "./firing-spans.ts";

export type ChartLine = {
  readonly label: string;
  /** The custom property of its colour. */
  readonly colour: string;
  /** One per slice; `null` is a gap. */
  readonly values: readonly (number | null)[];
};

export type ChartSpec = {
  readonly id: ChartId;
  readonly title: string;
  /** `per 5 s`, for what is counted by slice. */
  readonly per: string | null;
  /** Lines are measured, each for itself; parts are counted and stand on one another. */
  readonly kind: "lines" | "parts";
  readonly format: (value: number) => string;
  /** Counts have no half steps on their axis. */
  readonly wholeSteps: boolean;
  readonly timesMs: readonly number[];
  readonly sliceMs: number;
  readonly lines: readonly ChartLine[];
  readonly limit: { readonly value: number; readonly label: string } | null;
  /** Said in place of a drawing without values. */
  readonly whenEmpty: string;
  readonly firing: readonly FiringSpan[];
  readonly marks: readonly { readonly timeMs: number; readonly label: string }[];
};

/** More classes than this are summed up as "other": more colours can't be told apart. */
const ERROR_CLASSES_MAX = 4;

export function chartsOf(view: AgentView): ChartSpec[] {
  const { series, thresholds } = view;
  const total = sum(series.succeeded) + sum(series.failed);
  const base = {
    timesMs: series.timesMs,
    sliceMs: view.sliceSeconds * 1000,
    limit: null,
    firing: firingSpans(view.changes),
    whenEmpty: total === 0 ? "No requests in this range" : "Not told by this telemetry",
    marks: view.changes
      .filter((change) => change.kind === "deployment")
      .map((change) => ({ timeMs: change.timeMs, label: change.to })),
  };
  const per = `per ${formatSpan(base.sliceMs).replace(/^1\s/, "")}`;
  const counted = { ...base, kind: "parts", per, wholeSteps: true, format: formatCount } as const;

  return [
    {
      ...base,
      id: "latency",
      title: "Latency",
      per: null,
      kind: "lines",
      format: formatDuration,
      wholeSteps: false,
      lines: [
        { label: "p99", colour: "--chart-strong", values: series.p99Ms },
        { label: "p95", colour: "--chart-middle", values: series.p95Ms },
        { label: "p50", colour: "--chart-weak", values: series.p50Ms },
      ],
      limit:
        thresholds.latencyP99Ms === null
          ? null
          : {
              value: thresholds.latencyP99Ms,
              label: `p99 limit ${formatDuration(thresholds.latencyP99Ms)}`,
            },
    },
    {
      ...counted,
      id: "traffic",
      title: "Requests by outcome",
      lines: [
        { label: "succeeded", colour: "--chart-middle", values: series.succeeded },
        { label: "failed", colour: "--chart-failed", values: series.failed },
      ],
    },
    {
      ...counted,
      id: "errors",
      title: "Errors by class",
      lines: errorLines(series.errorsByClass),
      whenEmpty: "No errors in this range",
    },
    {
      ...counted,
      id: "tokens",
      title: "Tokens",
      lines: [
        { label: "input", colour: "--chart-weak", values: series.inputTokens },
        { label: "output", colour: "--chart-strong", values: series.outputTokens },
      ],
    },
    {
      ...counted,
      id: "cost",
      title: "Cost",
      wholeSteps: false,
      format: formatCost,
      lines: [{ label: "cost", colour: "--chart-middle", values: series.costUsd }],
    },
  ];
}

/** Whether the telemetry told anything at all: a chart of nothing is said in words instead. */
export function hasValues(spec: ChartSpec): boolean {
  return spec.lines.some((line) => line.values.some((value) => value !== null));
}

/** Each line lifted by those below it, in the same order. A gap in all of them stays a gap. */
export function stackLines(lines: readonly ChartLine[]): (number | null)[][] {
  const length = lines[0]?.values.length ?? 0;
  const reached: (number | null)[] = Array.from({ length }, () => null);
  return lines.map((line) => {
    line.values.forEach((value, index) => {
      if (value !== null) reached[index] = (reached[index] ?? 0) + value;
    });
    return [...reached];
  });
}

/** The end of a line: its last known value. */
export function lastValue(values: readonly (number | null)[]): number | null {
  return values.findLast((value) => value !== null) ?? null;
}

function errorLines(byClass: Record<string, number[]>): ChartLine[] {
  const classes = Object.entries(byClass)
    .map(([label, values]) => ({ label: label.replaceAll("_", " "), values, total: sum(values) }))
    .filter((one) => one.total > 0)
    .sort((a, b) => b.total - a.total || a.label.localeCompare(b.label));
  // By name, so that two classes don't swap their colours when one overtakes the other.
  const named = classes.slice(0, ERROR_CLASSES_MAX).sort((a, b) => a.label.localeCompare(b.label));
  const rest = classes.slice(ERROR_CLASSES_MAX);

  const lines: ChartLine[] = named.map(({ label, values }, index) => ({
    label,
    values,
    colour: `--chart-class-${index + 1}`,
  }));
  if (rest.length > 0) {
    const length = rest[0]?.values.length ?? 0;
    lines.push({
      label: "other",
      colour: "--chart-weak",
      values: Array.from({ length }, (_, slice) => sum(rest.map((one) => one.values[slice] ?? 0))),
    });
  }
  return lines;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
