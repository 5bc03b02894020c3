/** What every thread can do with metrics: record them. */
import { keep, NAME_MAX_CHARS } from "./labels.ts";
import { REQUEST_LATENCY, type Recorder } from "./recorder.ts";
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

/** One endpoint, version and label set, looked up once. */
export type BoundRequest = {
  /** Never throws: a latency that is none is counted as rejected, the request still counts. */
  record(
    latencyMs: number,
    statusCode?: number | undefined,
    options?: { readonly traceId?: string | undefined },
  ): void;
};

/**
 * Nothing here throws for what a caller passes: a service must not fail because of what
 * it measures. What cannot be read is counted in `metrics_rejected_total`.
 */
export class MetricsRecorder {
  readonly #recorder: Recorder;
  #onClose: (() => void) | undefined;

  /** @internal Made by `new MetricsCollector()` and `MetricsCollector.attach()`. */
  constructor(recorder: Recorder, onClose: () => void) {
    this.#recorder = recorder;
    this.#onClose = onClose;
  }

  /** A call of an agent: `request_latency_ms` and `request_total`. */
  recordRequest(endpointName: string, request: RequestRecord): void {
    try {
      const { latencyMs, statusCode, modelVersion, labels, traceId } = request;
      const handle = this.#recorder.request(endpointName, modelVersion, labels);
      handle.record(latencyMs, statusCode, traceId === undefined ? undefined : { traceId });
    } catch {
      this.#recorder.reject("unreadable");
    }
  }

  /** The same for one label set, looked up once: in a third of the time. */
  request(series: RequestSeries): BoundRequest {
    try {
      const { endpointName, modelVersion, labels } = series;
      return this.#recorder.request(endpointName, modelVersion, labels);
    } catch {
      return { record: () => this.#recorder.reject("unreadable") };
    }
  }

  incrementCounter(
    name: string,
    options: { readonly value?: number; readonly labels?: Labels } = {},
  ): void {
    try {
      const { value = 1, labels } = options;
      this.#recorder.addToCounter(name, value, [], labels);
    } catch {
      this.#recorder.reject("unreadable");
    }
  }

  /** Kept as `<name>_latency_ms`, or as `name` when that ends in `_ms`; `latency_ms` is `request_latency_ms`. */
  recordLatency(
    name: string,
    latencyMs: number,
    options: { readonly labels?: Labels; readonly traceId?: string } = {},
  ): void {
    try {
      const { labels, traceId } = options;
      this.#recorder.observe(latencyName(name), latencyMs, [], labels, traceId);
    } catch {
      this.#recorder.reject("unreadable");
    }
  }

  setGauge(name: string, value: number, options: { readonly labels?: Labels } = {}): void {
    try {
      this.#recorder.setGauge(name, value, options.labels);
    } catch {
      this.#recorder.reject("unreadable");
    }
  }

  /** A number of tokens that is not known – undefined or null – is not recorded. */
  recordTokenUsage(endpointName: string, usage: TokenUsage): void {
    try {
      const { inputTokens, outputTokens, model, labels } = usage;
      const record = (direction: string, tokens: number) => {
        const own: [string, string][] = [
          ["endpoint", endpointName],
          ["direction", direction],
        ];
        if (isKnown(model)) own.push(["model", model]);
        this.#recorder.addToCounter("token_total", tokens, own, labels);
      };
      if (isKnown(inputTokens)) record("input", inputTokens);
      if (isKnown(outputTokens)) record("output", outputTokens);
    } catch {
      this.#recorder.reject("unreadable");
    }
  }

  recordWorkflowExecution(workflow: string, execution: WorkflowExecution): void {
    try {
      const { durationMs, success, steps, labels } = execution;
      const own: [string, string][] = [["workflow", workflow]];
      this.#recorder.observe("workflow_latency_ms", durationMs, own, labels, undefined);
      const outcome = success ? "success" : "failure";
      this.#recorder.addToCounter("workflow_total", 1, [...own, ["outcome", outcome]], labels);
      if (isKnown(steps)) this.#recorder.addToCounter("workflow_step_total", steps, own, labels);
    } catch {
      this.#recorder.reject("unreadable");
    }
  }

  recordCacheOperation(cache: string, operation: CacheOperation): void {
    try {
      const { hit, labels } = operation;
      const own: [string, string][] = [
        ["cache", cache],
        ["result", hit ? "hit" : "miss"],
      ];
      this.#recorder.addToCounter("cache_operation_total", 1, own, labels);
    } catch {
      this.#recorder.reject("unreadable");
    }
  }

  /**
   * Stops the timer; in a worker also gives its place to the next one, and what is
   * recorded here later is lost. What was recorded before stays.
   */
  close(): void {
    this.#recorder.close();
    this.#onClose?.();
    this.#onClose = undefined;
  }
}

function isKnown<T>(value: T | undefined | null): value is T {
  return value !== undefined && value !== null;
}

const LATENCY_SUFFIX = "_latency_ms";
/** Means the requests wherever a name is given, so that nothing of another meaning hides behind it. */
const REQUEST_LATENCY_SHORT = "latency_ms";

/** The name under which a latency is kept, of the name that a caller gives. */
export function latencyName(name: unknown): string {
  if (name === REQUEST_LATENCY_SHORT) return REQUEST_LATENCY;
  if (typeof name === "string" && name.endsWith("_ms")) return name;
  const stemMaxChars = NAME_MAX_CHARS - LATENCY_SUFFIX.length;
  const isShort = typeof name === "string" && name.length <= stemMaxChars;
  return (isShort ? name : keep(name, stemMaxChars)) + LATENCY_SUFFIX;
}
