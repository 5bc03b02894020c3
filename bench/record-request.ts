/**
 * What one request costs that is recorded with a fresh object of 5 labels: a latency
 * histogram and a counter by status (ours also keeps what windows and percentiles
 * need), with all label sets known, drawn at random.
 */
import { MeterProvider, MetricReader } from "@opentelemetry/sdk-metrics";
import { Counter, Histogram, Registry } from "prom-client";
import { LATENCY_BOUNDS_MS } from "../src/metrics/log-buckets.ts";
import { MetricsCollector } from "../src/metrics/metrics-collector.ts";
import { type Contestant, compare, type Row } from "./measure.ts";

const REGIONS = ["us-west", "us-east", "eu-central", "ap-south"];
const TIERS = ["free", "basic", "premium", "enterprise"];
const ENVIRONMENTS = ["prod", "staging"];
const LABEL_NAMES = ["endpoint", "model_version", "environment", "region", "customer_tier"];

type LabelSet = {
  readonly endpoint: string;
  readonly version: string;
  readonly environment: string;
  readonly region: string;
  readonly tier: string;
};

export function labelSets(count: number): LabelSet[] {
  // As in a service: the name of an endpoint is one string, used again and again.
  const endpoints = Array.from({ length: Math.ceil(count / 32) }, (_, i) => `prod-agent-${i}`);
  return Array.from({ length: count }, (_, i) => ({
    endpoint: endpoints[Math.floor(i / 32)] ?? "",
    region: REGIONS[i % 4] ?? "",
    tier: TIERS[Math.floor(i / 4) % 4] ?? "",
    environment: ENVIRONMENTS[Math.floor(i / 16) % 2] ?? "",
    version: "v2",
  }));
}

const SEQUENCE = 8_192;

/** Which series each record is of, and its latency, drawn before the clock starts. */
function draw(series: number) {
  const random = seeded(42);
  const which = new Uint32Array(SEQUENCE);
  const latencies = new Float64Array(SEQUENCE);
  for (let i = 0; i < SEQUENCE; i++) {
    which[i] = Math.floor(random() * series);
    latencies[i] = Math.exp(3 + random() * 4);
  }
  return { which, latencies };
}

export function recordRequestRows(): Row[] {
  return [64, 1_000, 10_000].flatMap((series) => recordRows(series));
}

function recordRows(series: number): Row[] {
  const sets = labelSets(series);
  const { which, latencies } = draw(series);
  const at = (i: number) => sets[which[i % SEQUENCE] ?? 0] ?? (sets[0] as LabelSet);
  const latencyAt = (i: number) => latencies[i % SEQUENCE] ?? 0;

  const ours = new MetricsCollector();
  const ourRun = (times: number) => {
    for (let i = 0; i < times; i++) {
      const { endpoint, version, environment, region, tier } = at(i);
      ours.recordRequest(endpoint, {
        latencyMs: latencyAt(i),
        statusCode: 200,
        modelVersion: version,
        labels: { environment, region, customer_tier: tier },
      });
    }
  };

  const { histogram, counter } = promClient();
  const promRun = (times: number) => {
    for (let i = 0; i < times; i++) {
      const { endpoint, version, environment, region, tier } = at(i);
      const labels = {
        endpoint,
        model_version: version,
        environment,
        region,
        customer_tier: tier,
      };
      histogram.observe(labels, latencyAt(i) / 1_000);
      counter.inc({ ...labels, status_code: 200 });
    }
  };

  const otel = openTelemetry(series);
  const otelRun = (times: number) => {
    for (let i = 0; i < times; i++) {
      const { endpoint, version, environment, region, tier } = at(i);
      const labels = {
        endpoint,
        model_version: version,
        environment,
        region,
        customer_tier: tier,
      };
      otel.histogram.record(latencyAt(i) / 1_000, labels);
      otel.counter.add(1, { ...labels, status_code: 200 });
    }
  };

  // Every series is known before the first measured round.
  const rows = compare(
    `record_request@${series}`,
    [
      contestant("ours", ourRun, 4 * SEQUENCE),
      contestant("prom-client", promRun, SEQUENCE),
      contestant("@opentelemetry/sdk-metrics", otelRun, SEQUENCE),
    ],
    21,
  );
  ours.close();
  return rows;
}

export function boundHandleRows(): Row[] {
  const sets = labelSets(64);
  const { which, latencies } = draw(64);
  const ours = new MetricsCollector();
  const bound = sets.map(({ endpoint, version, environment, region, tier }) =>
    ours.request({
      endpointName: endpoint,
      modelVersion: version,
      labels: { environment, region, customer_tier: tier },
    }),
  );
  const handles = Array.from(which, (index) => bound[index] ?? (bound[0] as (typeof bound)[0]));
  const ourRun = (times: number) => {
    for (let i = 0; i < times; i++) {
      const at = i & (SEQUENCE - 1);
      handles[at]?.record(latencies[at] ?? 0, 200);
    }
  };

  const { histogram, counter } = promClient();
  const promBound = sets.map(({ endpoint, version, environment, region, tier }) => {
    const labels = [endpoint, version, environment, region, tier] as const;
    return {
      histogram: histogram.labels(...labels),
      counter: counter.labels(...labels, "200"),
    };
  });
  const promHandles = Array.from(
    which,
    (index) => promBound[index] ?? (promBound[0] as (typeof promBound)[0]),
  );
  const promRun = (times: number) => {
    for (let i = 0; i < times; i++) {
      const at = i & (SEQUENCE - 1);
      const handle = promHandles[at];
      handle?.histogram.observe((latencies[at] ?? 0) / 1_000);
      handle?.counter.inc();
    }
  };
  const rows = compare(
    "bound_handle@64",
    [
      contestant("ours", ourRun, 64 * SEQUENCE),
      contestant("prom-client, its own bound handles", promRun, SEQUENCE),
    ],
    31,
  );
  ours.close();
  return rows;
}

function contestant(name: string, run: (times: number) => void, timesPerRound: number): Contestant {
  return { name, run, timesPerRound };
}

function promClient() {
  const registry = new Registry();
  return {
    histogram: new Histogram({
      name: "request_latency_seconds",
      help: "h",
      labelNames: LABEL_NAMES,
      buckets: LATENCY_BOUNDS_MS.map((bound) => bound / 1_000),
      registers: [registry],
    }),
    counter: new Counter({
      name: "request_total",
      help: "h",
      labelNames: [...LABEL_NAMES, "status_code"],
      registers: [registry],
    }),
  };
}

class OnDemandReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

function openTelemetry(series: number) {
  const provider = new MeterProvider({
    readers: [new OnDemandReader({ cardinalitySelector: () => series + 1 })],
  });
  const meter = provider.getMeter("bench");
  return {
    histogram: meter.createHistogram("request_latency_seconds", {
      advice: { explicitBucketBoundaries: LATENCY_BOUNDS_MS.map((bound) => bound / 1_000) },
    }),
    counter: meter.createCounter("request_total"),
  };
}

/** The same sequence in every run (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
