/** A snapshot as OpenMetrics 1.0 text: with units, creation times and exemplars. */
import {
  type createFamilies,
  escapeHelp,
  escapeLabelValue,
  labelText,
  numberText,
  ROW_KINDS,
} from "./prometheus-names.ts";
import type { LatencySeries, MetricsSnapshot, SeriesSnapshot } from "./snapshot.ts";

type FamilyOf = ReturnType<typeof createFamilies>;

export function renderOpenMetrics(snapshot: MetricsSnapshot, familyOf: FamilyOf): string {
  const byFamily = new Map<string, SeriesSnapshot[]>();
  for (const series of snapshot.series) {
    const key = `${series.kind} ${series.name}`;
    const known = byFamily.get(key);
    if (known) known.push(series);
    else byFamily.set(key, [series]);
  }
  const lines: string[] = [];
  for (const all of byFamily.values()) {
    const [first] = all;
    if (!first) continue;
    const family = familyOf(ROW_KINDS[first.kind], first.name);
    // In OpenMetrics a counter's family goes by the name without `_total`.
    const name = first.kind === "counter" ? family.name.replace(/_total$/, "") : family.name;
    lines.push(`# TYPE ${name} ${family.type}`);
    if (family.type === "histogram") lines.push(`# UNIT ${name} seconds`);
    lines.push(`# HELP ${name} ${escapeHelp(family.help).replaceAll('"', '\\"')}`);
    for (const series of all) {
      const labels = labelText(series.labels);
      if (series.kind === "latency") lines.push(...histogramLines(family.name, labels, series));
      else lines.push(`${sample(family.name, labels)} ${numberText(series.value)}`);
    }
  }
  lines.push("# EOF", "");
  return lines.join("\n");
}

function sample(name: string, labels: string): string {
  return labels === "" ? name : `${name}{${labels}}`;
}

function histogramLines(name: string, labels: string, series: LatencySeries): string[] {
  const { exemplar } = series;
  let isExemplarDue = exemplar !== undefined;
  const lines = series.buckets.map((bucket) => {
    const le = `le="${openNumber(bucket.upToMs / 1_000)}"`;
    const line = `${name}_bucket{${labels === "" ? le : `${labels},${le}`}} ${bucket.count}`;
    if (!exemplar || !isExemplarDue || exemplar.valueMs > bucket.upToMs) return line;
    isExemplarDue = false;
    const trace = escapeLabelValue(exemplar.traceId);
    const atSeconds = (exemplar.timeMs / 1_000).toFixed(3);
    return `${line} # {trace_id="${trace}"} ${exemplar.valueMs / 1_000} ${atSeconds}`;
  });
  lines.push(`${sample(`${name}_sum`, labels)} ${series.sumMs / 1_000}`);
  lines.push(`${sample(`${name}_count`, labels)} ${series.count}`);
  return lines;
}

/** OpenMetrics wants bounds as floating-point numbers: `1.0`. */
function openNumber(value: number): string {
  return Number.isInteger(value) ? `${value}.0` : numberText(value);
}
