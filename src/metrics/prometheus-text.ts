/** What a ledger holds as Prometheus text 0.0.4. */
import type { Ledger, Metric, Series } from "./ledger.ts";
import { HISTOGRAM_BOUNDS_MS, HISTOGRAM_BUCKETS } from "./log-buckets.ts";
import { type createFamilies, escapeHelp, labelText, numberText } from "./prometheus-names.ts";
import { KIND_LATENCY } from "./rows.ts";
import { TextSlab } from "./text-slab.ts";

type FamilyOf = ReturnType<typeof createFamilies>;

/**
 * Of the text that is kept from one scrape to the next, and what belongs to it: room for
 * 300 000 counters or 17 000 histograms. A longer text is written anew each time.
 * While it grows there may be two of it for a moment.
 */
export const KEPT_TEXT_BYTES_MAX = 64 * 1024 * 1024;
/** With the longest labels that there can be, less than 10 MB: the limit is seen in time. */
const SERIES_AT_ONCE = 100;
/** Nobody has asked for so long: the text is let go. */
const KEPT_TEXT_IDLE_MS = 5 * 60_000;

const BUCKET_LABELS: readonly string[] = Array.from(
  HISTOGRAM_BOUNDS_MS,
  (boundMs) => `le="${numberText(boundMs / 1_000)}"`,
);

/** The lines of a metric: those of `series` of its series, beginning with line `first`. */
type Shown = { readonly metric: Metric; first: number; series: number };

export class PrometheusText {
  readonly #ledger: Ledger;
  readonly #familyOf: FamilyOf;
  readonly #buckets = new Float64Array(HISTOGRAM_BUCKETS);
  #slab = new TextSlab();
  #shown: Shown[] = [];
  #isTooLong = false;
  #askedMs = 0;

  constructor(ledger: Ledger, familyOf: FamilyOf) {
    this.#ledger = ledger;
    this.#familyOf = familyOf;
  }

  render(metrics: readonly Metric[], nowMs: number): string {
    this.#askedMs = nowMs;
    if (!this.#isTooLong) this.#showAll(metrics);
    if (this.#isTooLong) return renderPlainly(this.#ledger, this.#familyOf, metrics);
    for (const { metric, first } of this.#shown) this.#setValues(metric, first);
    return this.#slab.toString();
  }

  /** Called now and then. */
  rest(nowMs: number): void {
    if (this.#shown.length > 0 && nowMs - this.#askedMs > KEPT_TEXT_IDLE_MS) this.#forget();
  }

  #forget(): void {
    this.#slab = new TextSlab();
    this.#shown = [];
  }

  /** Gives lines to every series that has none yet. Neither series nor metrics ever go. */
  #showAll(metrics: readonly Metric[]): void {
    let line = 0;
    for (const [index, metric] of metrics.entries()) {
      let shown = this.#shown[index];
      if (shown?.metric !== metric) {
        shown = { metric, first: line, series: 0 };
        this.#shown.splice(index, 0, shown);
      }
      shown.first = line;
      const perSeries = linesOf(metric);
      while (shown.series < metric.series.length) {
        const added = metric.series.slice(shown.series, shown.series + SERIES_AT_ONCE);
        const texts = this.#textsOf(metric, added, shown.series === 0);
        this.#slab.insert(line + shown.series * perSeries, texts);
        shown.series += added.length;
        if (this.#slab.sizeBytes > KEPT_TEXT_BYTES_MAX) {
          this.#isTooLong = true;
          this.#forget();
          return;
        }
      }
      line += shown.series * perSeries;
    }
  }

  #textsOf(metric: Metric, series: readonly Series[], isFirst: boolean): string[] {
    const family = this.#familyOf(metric.kind, metric.name);
    const texts = series.flatMap(({ labels }) => sampleTexts(family.name, metric, labels));
    if (isFirst) texts[0] = `${headOf(family)}\n${texts[0]}`;
    return texts;
  }

  #setValues(metric: Metric, first: number): void {
    const slab = this.#slab;
    const ledger = this.#ledger;
    let line = first;
    if (metric.kind !== KIND_LATENCY) {
      for (const series of metric.series) slab.set(line++, ledger.value(metric, series));
      return;
    }
    const buckets = this.#buckets;
    for (const series of metric.series) {
      for (let i = 0; i < HISTOGRAM_BUCKETS; i++) buckets[i] = 0;
      const { count, sumMs } = ledger.latency(series, buckets);
      let below = 0;
      for (let i = 0; i < HISTOGRAM_BUCKETS; i++) {
        below += buckets[i] ?? 0;
        slab.set(line++, below);
      }
      slab.set(line++, sumMs / 1_000);
      slab.set(line++, count);
    }
  }
}

function linesOf(metric: Metric): number {
  return metric.kind === KIND_LATENCY ? HISTOGRAM_BUCKETS + 2 : 1;
}

function headOf(family: ReturnType<FamilyOf>): string {
  return `# HELP ${family.name} ${escapeHelp(family.help)}\n# TYPE ${family.name} ${family.type}`;
}

/** The lines of a series without their values. */
function sampleTexts(name: string, metric: Metric, labels: Series["labels"]): string[] {
  const text = labelText(labels);
  const braced = text === "" ? "" : `{${text}}`;
  if (metric.kind !== KIND_LATENCY) return [`${name}${braced} `];
  const bucket = text === "" ? `${name}_bucket{` : `${name}_bucket{${text},`;
  return [
    ...BUCKET_LABELS.map((le) => `${bucket}${le}} `),
    `${name}_sum${braced} `,
    `${name}_count${braced} `,
  ];
}

/** The same text, keeping nothing. */
function renderPlainly(ledger: Ledger, familyOf: FamilyOf, metrics: readonly Metric[]): string {
  const lines: string[] = [];
  const buckets = new Float64Array(HISTOGRAM_BUCKETS);
  for (const metric of metrics) {
    const family = familyOf(metric.kind, metric.name);
    lines.push(headOf(family));
    for (const series of metric.series) {
      const texts = sampleTexts(family.name, metric, series.labels);
      if (metric.kind !== KIND_LATENCY) {
        lines.push(`${texts[0]}${numberText(ledger.value(metric, series))}`);
        continue;
      }
      buckets.fill(0);
      const { count, sumMs } = ledger.latency(series, buckets);
      let below = 0;
      const cumulative = Array.from(buckets, (inBucket) => {
        below += inBucket;
        return below;
      });
      const values = [...cumulative, sumMs / 1_000, count];
      texts.forEach((text, index) => {
        lines.push(`${text}${numberText(values[index] ?? 0)}`);
      });
    }
  }
  lines.push("");
  return lines.join("\n");
}
