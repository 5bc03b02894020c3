/**
 * A chart in words and as a table, for those who can't see it and those who want
 * the figures. Pure, from the same spec that is drawn.
 */
import { formatClock, formatClockSeconds, formatDated } from "../format.ts";
import { type ChartSpec, hasValues, lastValue } from "./chart-spec.ts";

export function chartWords(spec: ChartSpec): string {
  if (!hasValues(spec)) return `${spec.title}: no values in this range.`;
  const lines = spec.lines.map((line) => {
    const highest = highestOf(line.values);
    const last = lastValue(line.values);
    if (highest === null || last === null) return `${line.label}: no values`;
    const at = minuteOf(spec, spec.timesMs[highest.index] ?? 0);
    return `${line.label}: last ${spec.format(last)}, highest ${spec.format(highest.value)} at ${at}`;
  });
  const title = spec.per ? `${spec.title} ${spec.per}` : spec.title;
  const limit = spec.limit ? [limitWords(spec)] : [];
  return `${title}. ${[...lines, ...limit, ...spec.firing.map(firingWords)].join(". ")}.`;
}

const DAY_MS = 86_400_000;

/** When a slice begins, as exactly as the chart tells slices apart. */
export function sliceTime(spec: ChartSpec, timeMs: number): string {
  return spec.sliceMs < 60_000 ? formatClockSeconds(timeMs) : minuteOf(spec, timeMs);
}

function minuteOf({ sliceMs, timesMs }: ChartSpec, timeMs: number): string {
  return timesMs.length * sliceMs > DAY_MS ? formatDated(timeMs) : formatClock(timeMs);
}

export type TableRow = {
  readonly timeMs: number;
  readonly time: string;
  readonly values: readonly (string | null)[];
};

/** Newest first, since that is what one looks for. */
export function chartTable(spec: ChartSpec): TableRow[] {
  return spec.timesMs
    .map((timeMs, slice) => ({
      timeMs,
      time: sliceTime(spec, timeMs),
      values: spec.lines.map((line) => {
        const value = line.values[slice] ?? null;
        return value === null ? null : spec.format(value);
      }),
    }))
    .reverse();
}

/** A limit guards the first line of its chart. */
function limitWords({ limit, lines }: ChartSpec): string {
  if (!limit) return "";
  const known = (lines[0]?.values ?? []).filter((value) => value !== null);
  const above = known.filter((value) => value > limit.value).length;
  if (above === 0) return `${limit.label}, never passed`;
  return `${limit.label}, passed in ${above} of ${known.length} slices`;
}

function firingWords({ fromMs, toMs }: ChartSpec["firing"][number]): string {
  const from = formatClockSeconds(fromMs);
  return toMs === null
    ? `An alert has been firing since ${from}`
    : `An alert was firing from ${from} to ${formatClockSeconds(toMs)}`;
}

function highestOf(values: readonly (number | null)[]): { value: number; index: number } | null {
  let highest: { value: number; index: number } | null = null;
  values.forEach((value, index) => {
    if (value !== null && (highest === null || value > highest.value)) highest = { value, index };
  });
  return highest;
}
