/**
 * p50, p95 and p99 of the last 60 seconds, of a metric that gets 1 000 samples a second.
 * The peers keep what their documentation advises: a sketch (or histogram) per second,
 * all of the window merged when asked; and the plain way, a sort of the raw samples.
 */
import { DDSketch } from "@datadog/sketches-js";
import { build as buildHistogram, type Histogram } from "hdr-histogram-js";
import { MetricsCollector } from "../src/metrics/metrics-collector.ts";
import {
  compare,
  type Effort,
  flatness,
  grouped,
  type Measured,
  measure,
  nsText,
  seeded,
} from "./measure.ts";

const WINDOW_SECONDS = 60;
const SAMPLES = 60_000;
const SAMPLES_OF_WINDOWS = [20_000, 100_000, 1_000_000];
/** As many as a collector holds by default: then percentiles are exact. */
const SAMPLES_HELD = 10_000;
const FRACTIONS = [0.5, 0.95, 0.99];
/** What ours and DDSketch promise; both bounds together when compared. */
const RELATIVE_ACCURACY = 0.01;

type Quantiles = readonly number[];
type Asked = { readonly name: string; readonly ask: () => Quantiles };

export async function windowQuantiles(effort: Effort): Promise<Measured> {
  const samples = drawSamples(SAMPLES);
  const exact = sorting(samples);
  const contestants = [ours(samples), ddSketch(samples), hdrHistogram(samples), exact] as const;
  for (const asked of contestants) mustBeClose(asked, exact.ask());

  const [first, ...others] = contestants.map(asContestant);
  if (!first) throw new Error("Nothing to measure.");
  const rows = await compare(`window_quantiles@${WINDOW_SECONDS}s`, [first, ...others], effort);
  const sizes = SAMPLES_OF_WINDOWS.map((count) => asContestant(ours(drawSamples(count))));
  const flat = flatness(SAMPLES_OF_WINDOWS, await measure(sizes, effort));
  const [exactNs = 0] = await measure([asContestant(ours(drawSamples(SAMPLES_HELD)))], effort);
  return {
    rows,
    notes: [
      `window_quantiles by samples in the window – ${flat}`,
      `window_quantiles of ${grouped(SAMPLES_HELD)} samples, all held, exactly: ${nsText(exactNs)}`,
    ],
  };
}

/** Latencies in milliseconds, in the order of their time. */
function drawSamples(count: number): Float64Array {
  const random = seeded(7);
  return Float64Array.from({ length: count }, () => Math.exp(3 + random() * 4));
}

/** Of each second of the window, its samples. */
function* seconds(samples: Float64Array): Iterable<Float64Array> {
  const perSecond = samples.length / WINDOW_SECONDS;
  for (let second = 0; second < WINDOW_SECONDS; second++) {
    yield samples.subarray(Math.round(second * perSecond), Math.round((second + 1) * perSecond));
  }
}

function ours(samples: Float64Array): Asked {
  let nowMs = 1_767_225_600_000;
  const clock = { now: () => nowMs, every: () => () => {}, after: () => () => {} };
  const metrics = new MetricsCollector({ clock });
  for (const second of seconds(samples)) {
    for (const value of second) metrics.recordLatency("request_latency_ms", value);
    nowMs += 1_000;
  }
  // The last whole second is over; nothing of the first one is too old.
  nowMs -= 1;
  const options = { windowSeconds: WINDOW_SECONDS };
  return {
    name: "ours",
    ask: () => {
      const summary = metrics.getMetricSummary("latency_ms", options);
      return summary ? [summary.p50, summary.p95, summary.p99] : [];
    },
  };
}

function ddSketch(samples: Float64Array): Asked {
  const sketches = Array.from(seconds(samples), (second) => {
    const sketch = new DDSketch({ relativeAccuracy: RELATIVE_ACCURACY });
    for (const value of second) sketch.accept(value);
    return sketch;
  });
  return {
    name: "@datadog/sketches-js",
    ask: () => {
      const merged = new DDSketch({ relativeAccuracy: RELATIVE_ACCURACY });
      for (const sketch of sketches) merged.merge(sketch);
      return FRACTIONS.map((fraction) => merged.getValueAtQuantile(fraction));
    },
  };
}

/** Whole microseconds: it counts integers. */
function hdrHistogram(samples: Float64Array): Asked {
  const make = (): Histogram =>
    buildHistogram({
      lowestDiscernibleValue: 1,
      highestTrackableValue: 3_600_000_000,
      numberOfSignificantValueDigits: 2,
    });
  const histograms = Array.from(seconds(samples), (second) => {
    const histogram = make();
    for (const value of second) histogram.recordValue(Math.round(value * 1_000));
    return histogram;
  });
  const merged = make();
  return {
    name: "hdr-histogram-js",
    ask: () => {
      merged.reset();
      for (const histogram of histograms) merged.add(histogram);
      return FRACTIONS.map((fraction) => merged.getValueAtPercentile(fraction * 100) / 1_000);
    },
  };
}

function sorting(samples: Float64Array): Asked {
  return {
    name: "a sort of the raw samples",
    ask: () => {
      const sorted = samples.toSorted();
      return FRACTIONS.map((fraction) => sorted[Math.ceil(fraction * sorted.length) - 1] ?? 0);
    },
  };
}

function asContestant({ name, ask }: Asked) {
  let asked = 0;
  return {
    name,
    run: (times: number) => {
      for (let i = 0; i < times; i++) asked += ask()[0] ?? 0;
      if (!(asked > 0)) throw new Error(`${name} found no samples.`);
    },
  };
}

function mustBeClose({ name, ask }: Asked, exact: Quantiles): void {
  const found = ask();
  const isClose = exact.every(
    (value, index) => Math.abs((found[index] ?? 0) - value) <= 1.5 * RELATIVE_ACCURACY * value,
  );
  if (!isClose) throw new Error(`${name} answers ${found}, which is not near ${exact}.`);
}
