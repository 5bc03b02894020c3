/**
 * The metrics that Databricks exports for a serving endpoint, in Prometheus
 * text, counted from the requests that this workspace really answered.
 *
 * Request counts are gauges for the last complete minute, whatever `_total`
 * suggests. The histogram of latencies counts since the start, as Prometheus
 * defines one. What was not measured is absent, and never 0; of an endpoint that is scaled
 * to zero nothing is.
 *
 * Source: Databricks, "Track and export serving endpoint health metrics".
 */
import type { Clock } from "../clock.ts";

export type EndpointMetrics = {
  count(request: { readonly status: number; readonly latencyMs: number }): void;
  prometheusText(): string;
};

/** The process's own use of the machine over a minute, in percent; `null` when it was not measured. */
export type ProcessUse = { readonly cpuPercent: number; readonly memoryPercent: number };

export type EndpointMetricsOptions = {
  readonly clock: Clock;
  /** The use of the last complete minute. */
  readonly processUse: () => ProcessUse | null;
  /** What the endpoint is configured for; requests beyond it are not held back. */
  readonly provisionedConcurrency: () => number;
  /** Whether nothing runs that could be measured. */
  readonly isCold: () => boolean;
};

const MINUTE_MS = 60_000;

/** Upper bounds, in milliseconds. Databricks' own are not documented. */
const BUCKET_BOUNDS_MS = [5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000];

type Minute = {
  readonly startMs: number;
  readonly requests: number;
  readonly status4xx: number;
  readonly status5xx: number;
};

export function createEndpointMetrics(options: EndpointMetricsOptions): EndpointMetrics {
  const { clock, processUse, provisionedConcurrency, isCold } = options;
  const firstMinuteMs = minuteOf(clock.now());
  const upTo = new Array<number>(BUCKET_BOUNDS_MS.length).fill(0);
  let count = 0;
  let sumMs = 0;
  let current = emptyMinute(firstMinuteMs);
  let last: Minute | null = null;

  function turnMinute(nowMs: number) {
    const startMs = minuteOf(nowMs);
    if (startMs <= current.startMs) return;
    last = startMs - current.startMs === MINUTE_MS ? current : emptyMinute(startMs - MINUTE_MS);
    current = emptyMinute(startMs);
  }

  return {
    count({ status, latencyMs }) {
      turnMinute(clock.now());
      current = {
        startMs: current.startMs,
        requests: current.requests + 1,
        status4xx: current.status4xx + (status >= 400 && status < 500 ? 1 : 0),
        status5xx: current.status5xx + (status >= 500 ? 1 : 0),
      };
      count += 1;
      sumMs += latencyMs;
      BUCKET_BOUNDS_MS.forEach((boundMs, i) => {
        if (latencyMs <= boundMs) upTo[i] = (upTo[i] ?? 0) + 1;
      });
    },
    prometheusText() {
      turnMinute(clock.now());
      if (isCold()) return "";
      const use = processUse();
      return [
        ...(last ? requestGauges(last) : []),
        ...(use ? useGauges(use) : []),
        ...gauge("provisioned_concurrent_requests_total", provisionedConcurrency(), {
          help: "Number of concurrent requests the endpoint is provisioned for",
        }),
        "# HELP request_latency_ms Latency of requests in milliseconds",
        "# TYPE request_latency_ms histogram",
        ...BUCKET_BOUNDS_MS.map(
          (boundMs, i) => `request_latency_ms_bucket{le="${boundMs}"} ${upTo[i] ?? 0}`,
        ),
        `request_latency_ms_bucket{le="+Inf"} ${count}`,
        `request_latency_ms_sum ${sumMs}`,
        `request_latency_ms_count ${count}`,
        "",
      ].join("\n");
    },
  };
}

function requestGauges({ requests, status4xx, status5xx }: Minute): string[] {
  return [
    ...gauge("request_count_total", requests, { help: "Requests during the last minute" }),
    ...gauge("request_4xx_count_total", status4xx, {
      help: "Requests answered 4xx during the last minute",
    }),
    ...gauge("request_5xx_count_total", status5xx, {
      help: "Requests answered 5xx during the last minute",
    }),
  ];
}

function useGauges({ cpuPercent, memoryPercent }: ProcessUse): string[] {
  return [
    ...gauge("cpu_usage_percentage", cpuPercent, {
      help: "CPU use of the serving process during the last minute",
    }),
    ...gauge("mem_usage_percentage", memoryPercent, {
      help: "Memory use of the serving process at the end of the last minute",
    }),
  ];
}

function gauge(name: string, value: number, { help }: { readonly help: string }): string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} gauge`, `${name} ${value}`];
}

function minuteOf(timeMs: number): number {
  return Math.floor(timeMs / MINUTE_MS) * MINUTE_MS;
}

function emptyMinute(startMs: number): Minute {
  return { startMs, requests: 0, status4xx: 0, status5xx: 0 };
}
