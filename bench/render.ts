/**
 * What a scrape costs: 10 000 series of 5 labels as Prometheus text, with values that
 * change before every time, and no garbage of the last one left, as when a scrape
 * comes every 15 seconds. Both are asked for the bytes of the whole text, as their
 * `/metrics` would write them to a socket: prom-client makes a string, which Node turns
 * into bytes when it is sent. Figures are per series.
 */
import { Counter, Registry } from "prom-client";
import { LATENCY_BOUNDS_MS } from "../src/metrics/log-buckets.ts";
import { MetricsCollector } from "../src/metrics/metrics-collector.ts";
import { mustAgree, readSamples } from "./agree.ts";
import { collectGarbage, compare, type Effort, type Measured, seeded } from "./measure.ts";
import { LABEL_NAMES, labelSets, labelsOf, promClient } from "./request-series.ts";

const SERIES = 10_000;
/** Between two scrapes; two thirds of the series get one. */
const RECORDS_BETWEEN = 10_000;

type Rendering = {
  /** Record the same, whatever it is: which series, and a figure from 0 to 1. */
  readonly record: (series: number, figure: number) => void;
  readonly text: () => string | Promise<string>;
  /** The bytes to send. @returns how many there are. */
  readonly render: () => number | Promise<number>;
};

export async function renderCounters(effort: Effort): Promise<Measured> {
  const sets = labelSets(SERIES).map(labelsOf);
  const metrics = new MetricsCollector({ namespace: "" });
  const registry = new Registry();
  const counter = new Counter({
    name: "orders_total",
    help: "orders_total, as recorded by the service.",
    labelNames: LABEL_NAMES,
    registers: [registry],
  });
  const value = (figure: number) => 1 + Math.floor(figure * 1_000);
  return compareRenderings(`render_counters@${SERIES}`, effort, "minor", {
    ours: {
      record: (series, figure) => {
        const labels = sets[series];
        if (labels) metrics.incrementCounter("orders_total", { value: value(figure), labels });
      },
      text: () => Buffer.concat(metrics.lendPrometheusText().parts).toString(),
      render: () => ourBytes(metrics),
    },
    promClient: {
      record: (series, figure) => counter.inc(sets[series] ?? {}, value(figure)),
      text: () => registry.metrics(),
      render: async () => Buffer.from(await registry.metrics()).length,
    },
  });
}

export async function renderHistograms(effort: Effort): Promise<Measured> {
  const sets = labelSets(SERIES);
  const metrics = new MetricsCollector({ namespace: "" });
  const { histogram, registry } = promClient();
  // Only the histogram: without a status code, requests are counted per series too.
  registry.removeSingleMetric("request_total");
  const latencyMs = (figure: number) => Math.exp(3 + figure * 4);
  const measured = await compareRenderings(`render_histograms@${SERIES}`, effort, "major", {
    ours: {
      record: (series, figure) =>
        metrics.recordLatency("request_latency_ms", latencyMs(figure), {
          labels: labelsOf(sets[series] ?? sets[0]),
        }),
      text: () => Buffer.concat(metrics.lendPrometheusText().parts).toString(),
      render: () => ourBytes(metrics),
    },
    promClient: {
      record: (series, figure) =>
        histogram.observe(labelsOf(sets[series] ?? sets[0]), latencyMs(figure) / 1_000),
      text: () => registry.metrics(),
      render: async () => Buffer.from(await registry.metrics()).length,
    },
  });
  const samples = LATENCY_BOUNDS_MS.length + 3;
  return { ...measured, notes: [`A histogram is ${samples} samples: the figures are of all.`] };
}

async function compareRenderings(
  name: string,
  effort: Effort,
  garbage: "minor" | "major",
  sides: { readonly ours: Rendering; readonly promClient: Rendering },
): Promise<Measured> {
  for (const { record } of [sides.ours, sides.promClient]) {
    const random = seeded(1);
    for (let series = 0; series < SERIES; series++) record(series, random());
  }
  const mustShowTheSame = async () =>
    mustAgree(
      "prom-client",
      readSamples(await sides.ours.text()),
      readSamples(await sides.promClient.text()),
    );
  await mustShowTheSame();
  // Also what is not rendered for the first time.
  const [ours, promClientSide] = [sides.ours, sides.promClient];
  for (let time = 0; time < 3; time++) {
    for (const { record } of [ours, promClientSide]) recordSome(record, seeded(time));
    await mustShowTheSame();
  }

  let bytes = 0;
  const contestant = (who: string, { record, render }: Rendering) => {
    const random = seeded(2);
    return {
      name: who,
      prepare: () => {
        recordSome(record, random);
        collectGarbage(garbage);
      },
      run: async (times: number) => {
        for (let i = 0; i < times; i++) {
          bytes += await render();
        }
      },
    };
  };
  const rows = await compare(
    name,
    [contestant("ours", ours), contestant("prom-client", promClientSide)],
    // What comes before each time takes longer than what is measured.
    { ...effort, rounds: Math.ceil(effort.rounds / 3) },
  );
  if (bytes === 0) throw new Error("Nothing was rendered.");
  return {
    rows: rows.map((row) => ({
      ...row,
      oursNs: row.oursNs / SERIES,
      peerNs: row.peerNs / SERIES,
    })),
    notes: [],
  };
}

/** As `sendMetrics` does it: the parts are given back once they are sent. */
function ourBytes(metrics: MetricsCollector): number {
  const { parts, giveBack } = metrics.lendPrometheusText();
  const bytes = parts.reduce((sum, part) => sum + part.length, 0);
  giveBack();
  return bytes;
}

function recordSome(record: Rendering["record"], random: () => number): void {
  for (let i = 0; i < RECORDS_BETWEEN; i++) record(Math.floor(random() * SERIES), random());
}
