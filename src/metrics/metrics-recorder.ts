/** What every thread can do with metrics: record them. */
import type { Recorder, RequestHandle } from "./recorder.ts";
import type { Labels } from "./series-table.ts";

export type RequestSeries = {
  readonly endpointName: string;
  readonly modelVersion?: string | undefined;
  readonly labels?: Labels | undefined;
};

export type RequestRecord = {
  readonly latencyMs: number;
  /** Unknown inside an agent: there is no HTTP there. */
  readonly statusCode?: number | undefined;
  readonly modelVersion?: string | undefined;
  readonly labels?: Labels | undefined;
  /** Shown as an exemplar of the latency, so that a slow bucket leads to a trace. */
  readonly traceId?: string | undefined;
};

export type TokenUsage = {
  readonly inputTokens?: number | undefined;
  readonly outputTokens?: number | undefined;
  readonly model?: string | undefined;
  readonly labels?: Labels | undefined;
};

export type WorkflowExecution = {
  readonly durationMs: number;
  readonly success: boolean;
  readonly steps?: number | undefined;
  readonly labels?: Labels | undefined;
};

export type CacheOperation = { readonly hit: boolean; readonly labels?: Labels | undefined };

type BoundRequest = Pick<RequestHandle, "record">;

export class MetricsRecorder {
  readonly #recorder: Recorder;
  readonly #onClose: () => void;

  constructor(recorder: Recorder, onClose: () => void) {
    this.#recorder = recorder;
    this.#onClose = onClose;
  }

  /** A call of an agent: `request_latency_ms` and `request_total`. Never throws. */
  recordRequest(endpointName: string, request: RequestRecord): void {
    const { latencyMs, statusCode, modelVersion, labels, traceId } = request;
    const handle = this.#recorder.request(endpointName, modelVersion, labels);
    handle.record(latencyMs, statusCode, traceId === undefined ? undefined : { traceId });
  }

  /** The same for one label set, looked up once: 15 times faster. */
  request({ endpointName, modelVersion, labels }: RequestSeries): BoundRequest {
    return this.#recorder.request(endpointName, modelVersion, labels);
  }

  incrementCounter(
    name: string,
    options: { readonly value?: number; readonly labels?: Labels } = {},
  ): void {
    this.#recorder.addToCounter(name, options.value ?? 1, [], options.labels);
  }

  /** Kept as `<name>_latency_ms`, or as `name` when that ends in `_ms`. */
  recordLatency(
    name: string,
    latencyMs: number,
    options: { readonly labels?: Labels; readonly traceId?: string } = {},
  ): void {
    const { labels, traceId } = options;
    this.#recorder.observe(latencyName(name), latencyMs, [], labels, traceId);
  }

  setGauge(name: string, value: number, options: { readonly labels?: Labels } = {}): void {
    this.#recorder.setGauge(name, value, options.labels);
  }

  recordTokenUsage(endpointName: string, usage: TokenUsage): void {
    const { inputTokens, outputTokens, model, labels } = usage;
    const own = (direction: string): [string, string][] => [
      ["endpoint", endpointName],
      ["direction", direction],
      ...(model === undefined ? [] : ([["model", model]] satisfies [string, string][])),
    ];
    const name = "token_total";
    if (inputTokens !== undefined) {
      this.#recorder.addToCounter(name, inputTokens, own("input"), labels);
    }
    if (outputTokens !== undefined) {
      this.#recorder.addToCounter(name, outputTokens, own("output"), labels);
    }
  }

  recordWorkflowExecution(workflow: string, execution: WorkflowExecution): void {
    const { durationMs, success, steps, labels } = execution;
    const own: [string, string][] = [["workflow", workflow]];
    this.#recorder.observe("workflow_latency_ms", durationMs, own, labels, undefined);
    const outcome = success ? "success" : "failure";
    this.#recorder.addToCounter("workflow_total", 1, [...own, ["outcome", outcome]], labels);
    if (steps !== undefined) {
      this.#recorder.addToCounter("workflow_step_total", steps, own, labels);
    }
  }

  recordCacheOperation(cache: string, { hit, labels }: CacheOperation): void {
    const own: [string, string][] = [
      ["cache", cache],
      ["result", hit ? "hit" : "miss"],
    ];
    this.#recorder.addToCounter("cache_operation_total", 1, own, labels);
  }

  /** Stops the timer and gives the place of this thread back. What was recorded stays. */
  close(): void {
    this.#recorder.close();
    this.#onClose();
  }
}

export function latencyName(name: string): string {
  return typeof name === "string" && name.endsWith("_ms") ? name : `${name}_latency_ms`;
}
