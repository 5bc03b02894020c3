/** The series that the benchmarks record, and the peers that record the same ones. */
import { MeterProvider, MetricReader } from "@opentelemetry/sdk-metrics";
import { Counter, Histogram, Registry } from "prom-client";
import { LATENCY_BOUNDS_MS } from "../src/metrics/log-buckets.ts";
import { type Samples, sampleKey } from "./agree.ts";
import { seeded } from "./measure.ts";

const REGIONS = ["us-west", "us-east", "eu-central", "ap-south"];
const TIERS = ["free", "basic", "premium", "enterprise"];
const ENVIRONMENTS = ["prod", "staging"];

export const LABEL_NAMES = ["endpoint", "model_version", "environment", "region", "customer_tier"];
export const LATENCY_NAME = "request_latency_seconds";
export const COUNTER_NAME = "request_total";
const BOUNDS_SECONDS = LATENCY_BOUNDS_MS.map((bound) => bound / 1_000);

export type LabelSet = {
  readonly endpoint: string;
  readonly version: string;
  readonly environment: string;
  readonly region: string;
  readonly tier: string;
};

export function labelSets(count: number): [LabelSet, ...LabelSet[]] {
  // As in a service: the name of an endpoint is one string, used again and again.
  const endpoints = Array.from({ length: Math.ceil(count / 32) }, (_, i) => `prod-agent-${i}`);
  const set = (i: number): LabelSet => ({
    endpoint: endpoints[Math.floor(i / 32)] ?? "",
    region: REGIONS[i % 4] ?? "",
    tier: TIERS[Math.floor(i / 4) % 4] ?? "",
    environment: ENVIRONMENTS[Math.floor(i / 16) % 2] ?? "",
    version: "v2",
  });
  return [set(0), ...Array.from({ length: count - 1 }, (_, i) => set(i + 1))];
}

/** As the peers take them; ours has endpoint and version as arguments of their own. */
export function labelsOf({ endpoint, version, environment, region, tier }: LabelSet) {
  return { endpoint, model_version: version, environment, region, customer_tier: tier };
}

/** A power of two. */
export const SEQUENCE = 8_192;

/** Which series each record is of, and its latency, drawn before the clock starts. */
export function draw(series: number) {
  const random = seeded(42);
  const which = new Uint32Array(SEQUENCE);
  const latencies = new Float64Array(SEQUENCE);
  for (let i = 0; i < SEQUENCE; i++) {
    which[i] = Math.floor(random() * series);
    latencies[i] = Math.exp(3 + random() * 4);
  }
  return { which, latencies };
}

export function promClient() {
  const registry = new Registry();
  return {
    registry,
    histogram: new Histogram({
      name: LATENCY_NAME,
      help: "How long calls of agents took.",
      labelNames: LABEL_NAMES,
      buckets: BOUNDS_SECONDS,
      registers: [registry],
    }),
    counter: new Counter({
      name: COUNTER_NAME,
      help: "Calls of agents.",
      labelNames: [...LABEL_NAMES, "status_code"],
      registers: [registry],
    }),
  };
}

class OnDemandReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

export function openTelemetry(series: number) {
  const reader = new OnDemandReader({ cardinalitySelector: () => series + 1 });
  const provider = new MeterProvider({ readers: [reader] });
  const meter = provider.getMeter("bench");
  return {
    histogram: meter.createHistogram(LATENCY_NAME, {
      advice: { explicitBucketBoundaries: BOUNDS_SECONDS },
    }),
    counter: meter.createCounter(COUNTER_NAME),
    samples: () => otelSamples(reader),
  };
}

/** What OpenTelemetry counted, as Prometheus would show it. */
async function otelSamples(reader: OnDemandReader): Promise<Samples> {
  const samples: Samples = new Map();
  const { resourceMetrics } = await reader.collect();
  for (const { descriptor, dataPoints } of resourceMetrics.scopeMetrics.flatMap((s) => s.metrics)) {
    for (const { attributes, value } of dataPoints) {
      const labels = Object.entries(attributes).map(([name, text]) => `${name}="${text}"`);
      const put = (name: string, own: readonly string[], figure: number) =>
        samples.set(sampleKey(name, [...labels, ...own]), figure);
      if (typeof value === "number") {
        put(descriptor.name, [], value);
        continue;
      }
      if (!("buckets" in value) || !("counts" in value.buckets)) continue;
      let below = 0;
      value.buckets.counts.forEach((count, index) => {
        below += count;
        const bound = BOUNDS_SECONDS[index];
        put(`${descriptor.name}_bucket`, [`le="${bound ?? "+Inf"}"`], below);
      });
      put(`${descriptor.name}_sum`, [], value.sum ?? 0);
      put(`${descriptor.name}_count`, [], value.count);
    }
  }
  return samples;
}
