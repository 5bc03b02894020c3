/**
 * What one request costs that is recorded with a fresh object of 5 labels: a latency
 * histogram and a counter by status (ours also keeps what windows and percentiles
 * need), with all label sets known, drawn at random. And the same with handles that
 * were bound to their labels before.
 */
import { MetricsCollector } from "../src/metrics/metrics-collector.ts";
import { mustAgree, mustCount, readSamples, type Samples } from "./agree.ts";
import { type Contestant, compare, type Effort, type Measured } from "./measure.ts";
import {
  COUNTER_NAME,
  draw,
  labelSets,
  labelsOf,
  openTelemetry,
  promClient,
  SEQUENCE,
} from "./request-series.ts";

type Recording = Contestant & { readonly samples: () => Samples | Promise<Samples> };

export async function recordRequest(series: number, effort: Effort): Promise<Measured> {
  const contestants = [
    ourRequests(series),
    promClientRequests(series),
    otelRequests(series),
  ] as const;
  return compareRecordings(`record_request@${series}`, contestants, effort);
}

export async function boundHandle(effort: Effort): Promise<Measured> {
  return compareRecordings("bound_handle@64", [ourHandles(64), promClientHandles(64)], effort);
}

async function compareRecordings(
  name: string,
  contestants: readonly [Recording, ...Recording[]],
  effort: Effort,
): Promise<Measured> {
  // Every series is known before the first measured round, and the same in all.
  for (const { run } of contestants) await run(4 * SEQUENCE);
  const [ours, ...peers] = contestants;
  const counted = await ours.samples();
  for (const peer of peers) mustAgree(peer.name, counted, await peer.samples());

  const calls = contestants.map(() => 4 * SEQUENCE);
  const counting = ({ name: who, run }: Recording, index: number): Contestant => ({
    name: who,
    run: (times) => {
      calls[index] = (calls[index] ?? 0) + times;
      return run(times);
    },
  });
  const rows = await compare(
    name,
    [counting(ours, 0), ...peers.map((peer, index) => counting(peer, index + 1))],
    effort,
  );
  for (const [index, contestant] of contestants.entries()) {
    mustCount(contestant.name, totalOf(await contestant.samples()), calls[index] ?? 0);
  }
  return { rows, notes: [] };
}

function totalOf(samples: Samples): number {
  let total = 0;
  for (const [key, value] of samples) if (key.startsWith(`${COUNTER_NAME}{`)) total += value;
  return total;
}

function ourRequests(series: number): Recording {
  const sets = labelSets(series);
  const { which, latencies } = draw(series);
  const metrics = new MetricsCollector({ namespace: "" });
  return {
    name: "ours",
    run: (times) => {
      for (let i = 0; i < times; i++) {
        const at = i & (SEQUENCE - 1);
        const { endpoint, version, environment, region, tier } = sets[which[at] ?? 0] ?? sets[0];
        metrics.recordRequest(endpoint, {
          latencyMs: latencies[at] ?? 0,
          statusCode: 200,
          modelVersion: version,
          labels: { environment, region, customer_tier: tier },
        });
      }
    },
    samples: () => readSamples(metrics.exportPrometheusFormat()),
  };
}

function promClientRequests(series: number): Recording {
  const sets = labelSets(series);
  const { which, latencies } = draw(series);
  const { histogram, counter, registry } = promClient();
  return {
    name: "prom-client",
    run: (times) => {
      for (let i = 0; i < times; i++) {
        const at = i & (SEQUENCE - 1);
        const labels = labelsOf(sets[which[at] ?? 0] ?? sets[0]);
        histogram.observe(labels, (latencies[at] ?? 0) / 1_000);
        counter.inc({ ...labels, status_code: 200 });
      }
    },
    samples: async () => readSamples(await registry.metrics()),
  };
}

function otelRequests(series: number): Recording {
  const sets = labelSets(series);
  const { which, latencies } = draw(series);
  const { histogram, counter, samples } = openTelemetry(series);
  return {
    name: "@opentelemetry/sdk-metrics",
    run: (times) => {
      for (let i = 0; i < times; i++) {
        const at = i & (SEQUENCE - 1);
        const labels = labelsOf(sets[which[at] ?? 0] ?? sets[0]);
        histogram.record((latencies[at] ?? 0) / 1_000, labels);
        counter.add(1, { ...labels, status_code: 200 });
      }
    },
    samples,
  };
}

function ourHandles(series: number): Recording {
  const { which, latencies } = draw(series);
  const metrics = new MetricsCollector({ namespace: "" });
  const bound = labelSets(series).map(({ endpoint, version, environment, region, tier }) =>
    metrics.request({
      endpointName: endpoint,
      modelVersion: version,
      labels: { environment, region, customer_tier: tier },
    }),
  );
  const handles = Array.from(which, (index) => bound[index]);
  return {
    name: "ours",
    run: (times) => {
      for (let i = 0; i < times; i++) {
        const at = i & (SEQUENCE - 1);
        handles[at]?.record(latencies[at] ?? 0, 200);
      }
    },
    samples: () => readSamples(metrics.exportPrometheusFormat()),
  };
}

function promClientHandles(series: number): Recording {
  const { which, latencies } = draw(series);
  const { histogram, counter, registry } = promClient();
  const bound = labelSets(series).map((set) => {
    const labels = labelsOf(set);
    return {
      histogram: histogram.labels(labels),
      counter: counter.labels({ ...labels, status_code: 200 }),
    };
  });
  const handles = Array.from(which, (index) => bound[index]);
  return {
    name: "prom-client (bound)",
    run: (times) => {
      for (let i = 0; i < times; i++) {
        const at = i & (SEQUENCE - 1);
        const handle = handles[at];
        handle?.histogram.observe((latencies[at] ?? 0) / 1_000);
        handle?.counter.inc();
      }
    },
    samples: async () => readSamples(await registry.metrics()),
  };
}
