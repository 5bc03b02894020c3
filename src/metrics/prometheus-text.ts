/** What a ledger holds as Prometheus text 0.0.4. */
import type { Ledger, Metric } from "./ledger.ts";
import { HISTOGRAM_BOUNDS_MS, HISTOGRAM_BUCKETS } from "./log-buckets.ts";
import { type createFamilies, escapeHelp, labelText, numberText } from "./prometheus-names.ts";
import { KIND_LATENCY } from "./rows.ts";

export class PrometheusText {
  readonly #ledger: Ledger;
  readonly #familyOf: ReturnType<typeof createFamilies>;

  constructor(ledger: Ledger, familyOf: ReturnType<typeof createFamilies>) {
    this.#ledger = ledger;
    this.#familyOf = familyOf;
  }

  render(metrics: readonly Metric[]): string {
    const lines: string[] = [];
    const buckets = new Float64Array(HISTOGRAM_BUCKETS);
    for (const metric of metrics) {
      const family = this.#familyOf(metric.kind, metric.name);
      lines.push(`# HELP ${family.name} ${escapeHelp(family.help)}`);
      lines.push(`# TYPE ${family.name} ${family.type}`);
      for (const series of metric.series) {
        const labels = labelText(series.labels);
        const braced = labels === "" ? "" : `{${labels}}`;
        if (metric.kind !== KIND_LATENCY) {
          lines.push(`${family.name}${braced} ${numberText(this.#ledger.value(metric, series))}`);
          continue;
        }
        buckets.fill(0);
        const { count, sumMs } = this.#ledger.latency(series, buckets);
        let below = 0;
        buckets.forEach((inBucket, index) => {
          below += inBucket;
          const le = `le="${numberText((HISTOGRAM_BOUNDS_MS[index] ?? 0) / 1_000)}"`;
          lines.push(`${family.name}_bucket{${labels === "" ? le : `${labels},${le}`}} ${below}`);
        });
        lines.push(`${family.name}_sum${braced} ${sumMs / 1_000}`);
        lines.push(`${family.name}_count${braced} ${count}`);
      }
    }
    lines.push("");
    return lines.join("\n");
  }
}
