/** What a ledger holds as Prometheus text 0.0.4. */
import type { Ledger, Metric, Series } from "./ledger.ts";
import type { LentText } from "./lent-text.ts";
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
/** With the longest labels that there can be, half a MiB. */
const SERIES_AT_ONCE = 5;
/** Nobody has asked for so long: the text is let go. */
const KEPT_TEXT_IDLE_MS = 5 * 60_000;

const BUCKET_LABELS: readonly string[] = Array.from(
  HISTOGRAM_BOUNDS_MS,
  (boundMs) => `le="${numberText(boundMs / 1_000)}"`,
);

/** After the buckets. */
const SUM_LINE = HISTOGRAM_BUCKETS;

/** Where numbers have no room to grow, much is moved: no more at a time than the first cache holds. */
const SEGMENT_BYTES = 32 * 1024;
/** Otherwise what each part costs counts, which is 40 ns. */
const ROOMY_SEGMENT_BYTES = 256 * 1024;

/** Lines of series of one metric that stand side by side. */
type Segment = { readonly slab: TextSlab; readonly first: number; series: number };
type Shown = { readonly metric: Metric; readonly segments: Segment[]; series: number };

export class PrometheusText {
  readonly #ledger: Ledger;
  readonly #familyOf: FamilyOf;
  /** Of the counters or gauges of a segment. */
  #figures = new Float64Array(64);
  /** Of one histogram. */
  readonly #values = new Float64Array(HISTOGRAM_BUCKETS + 2);
  /** In the order in which they appeared; those that are shown only when used, in between. */
  readonly #shown = new Map<Metric, Shown>();
  readonly #isRoomy: boolean;
  readonly #segmentBytes: number;
  #sizeBytes = 0;
  #isTooLong = false;
  #askedMs = 0;

  /** @param options.isRoomy whether there may be blanks before numbers; see text-slab.ts. */
  constructor(ledger: Ledger, familyOf: FamilyOf, { isRoomy }: { readonly isRoomy: boolean }) {
    this.#isRoomy = isRoomy;
    this.#segmentBytes = isRoomy ? ROOMY_SEGMENT_BYTES : SEGMENT_BYTES;
    this.#ledger = ledger;
    this.#familyOf = familyOf;
  }

  render(metrics: readonly Metric[], nowMs: number): string {
    const slabs = this.#upToDate(metrics, nowMs);
    if (!slabs) return renderPlainly(this.#ledger, this.#familyOf, metrics);
    return slabs.map(String).join("");
  }

  /** The same without making a string, which is most of the time for a long text. */
  lend(metrics: readonly Metric[], nowMs: number): LentText {
    const slabs = this.#upToDate(metrics, nowMs);
    if (!slabs) {
      const text = renderPlainly(this.#ledger, this.#familyOf, metrics);
      return { parts: [Buffer.from(text)], giveBack: () => {} };
    }
    const lent = slabs.map((slab) => slab.lend());
    let isLent = true;
    return {
      parts: lent.map(({ bytes }) => bytes),
      giveBack: () => {
        if (isLent) for (const { readers } of lent) readers.count--;
        isLent = false;
      },
    };
  }

  /** @returns nothing when there is too much to keep. */
  #upToDate(metrics: readonly Metric[], nowMs: number): TextSlab[] | undefined {
    this.#askedMs = nowMs;
    for (const metric of metrics) if (!this.#isTooLong) this.#show(metric);
    if (this.#isTooLong) return undefined;
    return metrics.flatMap((metric) => {
      const segments = this.#shown.get(metric)?.segments ?? [];
      for (const segment of segments) this.#setValues(metric, segment);
      return segments.map(({ slab }) => slab);
    });
  }

  /** Called now and then. */
  rest(nowMs: number): void {
    if (this.#shown.size > 0 && nowMs - this.#askedMs > KEPT_TEXT_IDLE_MS) this.#forget();
  }

  #forget(): void {
    this.#shown.clear();
    this.#sizeBytes = 0;
  }

  /** Gives lines to every series that has none yet. Neither series nor metrics ever go. */
  #show(metric: Metric): void {
    let shown = this.#shown.get(metric);
    if (!shown) {
      shown = { metric, segments: [], series: 0 };
      this.#shown.set(metric, shown);
    }
    while (shown.series < metric.series.length) {
      let segment = shown.segments.at(-1);
      if (!segment || segment.slab.sizeBytes >= this.#segmentBytes) {
        segment = {
          slab: new TextSlab({ isRoomy: this.#isRoomy }),
          first: shown.series,
          series: 0,
        };
        shown.segments.push(segment);
      }
      const { slab } = segment;
      const before = slab.sizeBytes;
      const at = shown.series;
      const added = metric.series.slice(at, at + SERIES_AT_ONCE);
      slab.insert(slab.lines, this.#textsOf(metric, added, at === 0));
      segment.series += added.length;
      shown.series += added.length;
      this.#sizeBytes += slab.sizeBytes - before;
      if (this.#sizeBytes > KEPT_TEXT_BYTES_MAX) {
        this.#isTooLong = true;
        this.#forget();
        return;
      }
    }
  }

  #textsOf(metric: Metric, series: readonly Series[], isFirst: boolean): string[] {
    const family = this.#familyOf(metric.kind, metric.name);
    const texts = series.flatMap(({ labels }) => sampleTexts(family.name, metric, labels));
    if (isFirst) texts[0] = `${headOf(family)}\n${texts[0]}`;
    return texts;
  }

  #setValues(metric: Metric, { slab, first, series: count }: Segment): void {
    const ledger = this.#ledger;
    let line = 0;
    if (metric.kind !== KIND_LATENCY) {
      if (this.#figures.length < count) this.#figures = new Float64Array(count * 2);
      for (let i = 0; i < count; i++) {
        const series = metric.series[first + i];
        if (series) this.#figures[i] = ledger.value(metric, series);
      }
      slab.setRun(0, this.#figures, count);
      return;
    }
    const values = this.#values;
    for (let i = first; i < first + count; i++) {
      const series = metric.series[i];
      if (!series) continue;
      histogramSamples(ledger, series, values);
      slab.setRun(line, values);
      line += values.length;
    }
  }
}

/** The samples of a histogram, in the order of their lines. */
function histogramSamples(ledger: Ledger, series: Series, values: Float64Array): void {
  ledger.cumulative(series, values);
  values[SUM_LINE] = (values[SUM_LINE] ?? 0) / 1_000;
  values[SUM_LINE + 1] = values[SUM_LINE - 1] ?? 0;
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
  const values = new Float64Array(HISTOGRAM_BUCKETS + 2);
  for (const metric of metrics) {
    const family = familyOf(metric.kind, metric.name);
    lines.push(headOf(family));
    for (const series of metric.series) {
      const texts = sampleTexts(family.name, metric, series.labels);
      if (metric.kind !== KIND_LATENCY) {
        lines.push(`${texts[0]}${numberText(ledger.value(metric, series))}`);
        continue;
      }
      histogramSamples(ledger, series, values);
      texts.forEach((text, index) => {
        lines.push(`${text}${numberText(values[index] ?? 0)}`);
      });
    }
  }
  lines.push("");
  return lines.join("\n");
}
