/**
 * Whether `recordRequest` costs what it costs only by luck: the same 64 series with label
 * objects of many shapes, with values that a quick hash cannot tell apart, and with
 * strings that were only just made. There is no peer: what counts is how far they are
 * apart.
 */
import { MetricsCollector } from "../src/metrics/metrics-collector.ts";
import { mustCount } from "./agree.ts";
import { type Contestant, type Effort, type Measured, measure, nsText } from "./measure.ts";
import { draw, SEQUENCE } from "./request-series.ts";

const SERIES = 64;

type Make = (series: number) => Record<string, string>;

const regions = Array.from({ length: SERIES }, (_, i) => `region-${i}`);
/** Differ in the third character only, of 40. */
const alike = Array.from({ length: SERIES }, (_, i) => {
  const only = String.fromCharCode(48 + i);
  return `ag${only}nt-of-the-department-for-customer-care`;
});
const requestLines = regions.map((region) => `POST /serving/${region}/invocations HTTP/1.1`);
const at = (texts: readonly string[], series: number) => texts[series] ?? "";

const variants: Readonly<Record<string, Make>> = {
  "one shape": (i) => ({ environment: "prod", region: at(regions, i), tier: "free" }),
  "16 shapes": (i) => withName(`label_${i % 16}`, i),
  "64 shapes": (i) => withName(`label_${i}`, i),
  "values that differ in one character of 40": (i) => ({
    environment: "prod",
    region: at(alike, i),
    tier: "free",
  }),
  "values put together for each call": (i) => ({
    environment: "prod",
    region: `region-in-${i % 4}-of-${i}`,
    tier: "free",
  }),
  "values cut out of a longer text": (i) => {
    const line = at(requestLines, i);
    return { environment: "prod", region: line.slice(14, line.indexOf("/", 14)), tier: "free" };
  },
};

function withName(name: string, series: number) {
  return { environment: "prod", [name]: at(regions, series), tier: "free" };
}

export async function labelShapes(effort: Effort): Promise<Measured> {
  const { which, latencies } = draw(SERIES);
  const contestants = Object.entries(variants).map(([name, make]): Contestant & Counted => {
    const metrics = new MetricsCollector();
    let calls = 0;
    return {
      name,
      run: (times) => {
        calls += times;
        for (let i = 0; i < times; i++) {
          const place = i & (SEQUENCE - 1);
          metrics.recordRequest("prod-agent", {
            latencyMs: latencies[place] ?? 0,
            statusCode: 200,
            labels: make(which[place] ?? 0),
          });
        }
      },
      check: () => mustCount(name, metrics.getMetricSummary("latency_ms")?.count ?? 0, calls),
    };
  });
  const ns = await measure(contestants, effort);
  for (const { check } of contestants) check();
  return {
    rows: [],
    notes: [
      `recordRequest by kind of labels (${SERIES} series, the labels' making included):`,
      ...contestants.map(({ name }, index) => `  ${name}: ${nsText(ns[index] ?? 0)}`),
    ],
  };
}

type Counted = { readonly check: () => void };
