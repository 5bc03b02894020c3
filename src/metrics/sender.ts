/**
 * The seam to what sends metrics elsewhere: the collector knows only this type, so
 * it needs no network. `src/monitoring.ts` passes the real one to the constructor.
 */
import type { MetricsSnapshot } from "./snapshot.ts";

/** What a sender may ask a collector for, at any time and as often as it likes. */
export type MetricsSource = {
  snapshot(): MetricsSnapshot;
  exportMlflowFormat(): Record<string, number>;
};

export type ConnectOptions = {
  /** Of a monitor or any OTLP/HTTP receiver, such as `http://127.0.0.1:4318`. */
  readonly url: string;
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly intervalMs?: number;
  /** OTLP resource attributes, such as `service.name`. */
  readonly resource?: Readonly<Record<string, string>>;
};

/** A running push in the background. */
export type Connection = {
  /** Sends what is there now and waits until it has been taken or given up. */
  flush(): Promise<void>;
  /** Sends a last time, then stops. */
  close(): Promise<void>;
};

export type LogToMlflowOptions = {
  readonly runId: string;
  /** The tracking server; without it, `MLFLOW_TRACKING_URI` or the Databricks credentials. */
  readonly url?: string;
  readonly token?: string;
  readonly step?: number;
};

export type MetricsSender = {
  connect(source: MetricsSource, options: ConnectOptions): Connection;
  logToMlflow(source: MetricsSource, options: LogToMlflowOptions): Promise<{ logged: number }>;
};
