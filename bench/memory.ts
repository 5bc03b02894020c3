/**
 * What a series takes in memory: a latency histogram and a counter of its requests, with
 * 5 labels. Of ours: the heap, and the shared memory that holds the totals.
 */
import { MetricsCollector } from "../src/metrics/metrics-collector.ts";
import { collectGarbage, grouped, type Measured } from "./measure.ts";
import { labelSets, labelsOf, openTelemetry, promClient } from "./request-series.ts";

const SERIES = 10_000;

/** Makes the series, and returns what holds them and the bytes outside of the heap. */
type Fill = () => { readonly held: unknown; readonly sharedBytes: number };

export async function memory(): Promise<Measured> {
  const sets = labelSets(SERIES);
  const ours: Fill = () => {
    const metrics = new MetricsCollector();
    const before = metrics.shareHandle().buffer.byteLength;
    for (const { endpoint, version, environment, region, tier } of sets) {
      metrics.recordRequest(endpoint, {
        latencyMs: 150,
        statusCode: 200,
        modelVersion: version,
        labels: { environment, region, customer_tier: tier },
      });
    }
    // As often as Prometheus comes by: what a scrape keeps counts too.
    metrics.exportPrometheusFormat();
    return { held: metrics, sharedBytes: metrics.shareHandle().buffer.byteLength - before };
  };
  const prom: Fill = () => {
    const client = promClient();
    for (const set of sets) {
      const labels = labelsOf(set);
      client.histogram.observe(labels, 0.15);
      client.counter.inc({ ...labels, status_code: 200 });
    }
    return { held: client, sharedBytes: 0 };
  };
  const otel: Fill = () => {
    const meters = openTelemetry(SERIES);
    for (const set of sets) {
      const labels = labelsOf(set);
      meters.histogram.record(0.15, labels);
      meters.counter.add(1, { ...labels, status_code: 200 });
    }
    return { held: meters, sharedBytes: 0 };
  };
  const notes = [
    ["ours", ours],
    ["prom-client", prom],
    ["@opentelemetry/sdk-metrics", otel],
  ] satisfies [string, Fill][];
  return {
    rows: [],
    notes: [
      `Memory per series (latency histogram and counter, 5 labels, ${grouped(SERIES)} series): ${notes
        .map(([name, fill]) => `${name} ${grouped(bytesPerSeries(fill))} bytes`)
        .join(", ")}`,
    ],
  };
}

function bytesPerSeries(fill: Fill): number {
  const heapBytes = () => {
    collectGarbage("major");
    return process.memoryUsage().heapUsed;
  };
  const before = heapBytes();
  const { held, sharedBytes } = fill();
  const heap = heapBytes() - before;
  return held ? (heap + sharedBytes) / SERIES : 0;
}
