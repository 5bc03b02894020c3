/**
 * Watches every serving endpoint of a workspace with nothing installed in the
 * agents: the state of each from one list, and its metrics. It only reads, through
 * calls that neither wake an endpoint nor cost anything. What it could not find out
 * is told as unknown, never as zero and never as the last known good.
 */
import type { Clock } from "../clock.ts";
import type { DatabricksClient } from "../databricks/client.ts";
import { DatabricksError } from "../databricks/databricks-error.ts";
import type { EndpointBatch } from "./endpoint-calls.ts";
import { createEndpointMetrics } from "./endpoint-metrics.ts";
import { createEndpointStates } from "./endpoint-states.ts";
import { type PollLoop, startPollLoop } from "./poll-loop.ts";
import { createProgress, type OnProblem, type SourceStatus } from "./progress.ts";

export type SourceName = "endpoints" | "endpoint-metrics";

export type EndpointSourceOptions = {
  readonly client: DatabricksClient;
  readonly clock: Clock;
  /** Between two looks at the states. */
  readonly intervalMs: number;
  /** Between two looks at the metrics, whose values are those of a minute. */
  readonly metricsIntervalMs: number;
  /**
   * Never called twice at a time. What it rejects is not taken as delivered: states
   * come again with the next poll, metrics too, if they still are of the same minute.
   */
  readonly onBatch: (batch: EndpointBatch) => Promise<void>;
  readonly onProblem: OnProblem<SourceName>;
};

export type EndpointSource = {
  status(): SourceStatus<SourceName>[];
  /** Stops asking. Resolves once nothing is under way; no batch comes after that. */
  close(): Promise<void>;
};

export function startEndpointSource(options: EndpointSourceOptions): EndpointSource {
  const { client, clock, intervalMs, metricsIntervalMs } = options;
  const statesProgress = createProgress("endpoints", options);
  const metricsProgress = createProgress("endpoint-metrics", options);
  let metricsLoop: PollLoop | null = null;
  let isClosed = false;

  let lastDelivery: Promise<void> = Promise.resolve();
  function deliver(batch: EndpointBatch): Promise<void> {
    if (batch.samples.length + batch.health.length + batch.dropped.size === 0) {
      return Promise.resolve();
    }
    const delivery = lastDelivery.then(async () => {
      if (!isClosed) await options.onBatch(batch);
    });
    lastDelivery = delivery.catch(() => {});
    return delivery;
  }

  const states = createEndpointStates({
    client,
    clock,
    deliver,
    progress: statesProgress,
    isIdle: (name) => metrics.isIdle(name),
    onListed() {
      metrics.forget();
      if (!isClosed) metricsLoop ??= startMetricsLoop();
    },
  });
  const metrics = createEndpointMetrics({
    client,
    clock,
    intervalMs: metricsIntervalMs,
    deliver,
    progress: metricsProgress,
    watched: () => states.watched(),
  });

  const statesLoop = startPollLoop({
    clock,
    intervalMs,
    poll: states.poll,
    onFailure(error, failures) {
      statesProgress.failed(error);
      // Where even this cannot be delivered, the status says that it fails.
      if (error instanceof DatabricksError) states.tellFailure(error, failures).catch(() => {});
    },
  });

  function startMetricsLoop(): PollLoop {
    return startPollLoop({
      clock,
      intervalMs: metricsIntervalMs,
      poll: metrics.poll,
      onFailure: (error) => metricsProgress.failed(error),
    });
  }

  return {
    status: () => [statesProgress.status(), metricsProgress.status()],
    async close() {
      isClosed = true;
      await Promise.all([statesLoop.close(), metricsLoop?.close()]);
      await states.close();
      await lastDelivery;
    },
  };
}
