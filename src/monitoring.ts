/**
 * The public face of the monitoring components: what a service imports as
 * `dspy-databricks-agents/monitoring`.
 */
import { createMetricsSender } from "./export/metrics-sender.ts";
import {
  MetricsCollector as Collector,
  type MetricsCollectorOptions,
} from "./metrics/metrics-collector.ts";
import { checkOptions } from "./option.ts";

export type { GrafanaDashboard } from "./dashboards/grafana/grafana.ts";
export { createDefaultPatterns } from "./errors/default-patterns.ts";
export type { ErrorGroup, GroupState, GroupVersion } from "./errors/error-group.ts";
export type { AlertCallback, ErrorPattern, PatternState } from "./errors/error-pattern.ts";
export { ErrorSeverity } from "./errors/error-severity.ts";
export type { ErrorSummary, SummaryGroup } from "./errors/error-summary.ts";
export type {
  ErrorTrackerOptions,
  RecentErrorsFilter,
  TrackerCounters,
} from "./errors/error-tracker.ts";
export { ErrorTracker } from "./errors/error-tracker.ts";
export type { Context as ErrorContext } from "./errors/kept-context.ts";
export type { KeptError } from "./errors/kept-error.ts";
export type { TrackOptions } from "./errors/track-options.ts";
export type { TrackedError } from "./errors/tracked-error.ts";
export type { DeltaExport } from "./export/delta/delta-export.ts";
export { MlflowLogError } from "./export/mlflow/mlflow-log-error.ts";
export type {
  Check,
  CheckContext,
  CheckResult,
  ComponentResult,
  Evidence,
  ModuleCheck,
} from "./health/check.ts";
export { checkEndpointHealth, createEndpointCheck } from "./health/checks/endpoint-check.ts";
export { createHttpCheck } from "./health/checks/http-check.ts";
export { checkModelRegistryHealth } from "./health/checks/model-registry-check.ts";
export { checkVectorStoreHealth } from "./health/checks/vector-store-check.ts";
export type {
  CheckOptions,
  ComponentHealth,
  HealthCheckManagerOptions,
  HealthReport,
} from "./health/health-check-manager.ts";
export { HealthCheckManager } from "./health/health-check-manager.ts";
export { HealthStatus } from "./health/health-status.ts";
export type { CallErrors, CallMetrics } from "./instrument/call-metrics.ts";
export type { ExpressRequest } from "./instrument/express.ts";
export { expressMetrics } from "./instrument/express.ts";
export type { HonoContext } from "./instrument/hono.ts";
export { honoMetrics } from "./instrument/hono.ts";
export type { MonitoredFetch, MonitorFetchOptions } from "./instrument/monitor-fetch.ts";
export { monitorFetch } from "./instrument/monitor-fetch.ts";
export type { NodeHttpMetricsOptions } from "./instrument/node-http.ts";
export { nodeHttpMetrics } from "./instrument/node-http.ts";
export type { ServedOptions } from "./instrument/served-request.ts";
export type {
  AllMetrics,
  CounterTotals,
  HeldLatency,
  MetricsCollectorOptions,
  MetricsHandle,
} from "./metrics/metrics-collector.ts";
export type {
  BoundRequest,
  CacheOperation,
  MetricsRecorder,
  RequestRecord,
  RequestSeries,
  TokenUsage,
  WorkflowExecution,
} from "./metrics/metrics-recorder.ts";
export type { MetricsResponse, ScrapeAnswer } from "./metrics/metrics-response.ts";
export { metricsResponse, sendMetrics } from "./metrics/metrics-response.ts";
export type { Connection, ConnectOptions, LogToMlflowOptions } from "./metrics/sender.ts";
export type {
  Exemplar,
  LatencySeries,
  MetricsSnapshot,
  SeriesLabels,
  SeriesSnapshot,
} from "./metrics/snapshot.ts";
export type { MetricSummary } from "./metrics/summary.ts";
export type { ErrorCode } from "./monitor-error.ts";
export { MonitorError } from "./monitor-error.ts";
export type {
  DashboardData,
  DashboardMetrics,
  DashboardOptions,
  DeltaExportOptions,
  EndpointFigures,
  GrafanaOptions,
  NotebookRequest,
  RequestFigures,
} from "./publish/dashboard-integration.ts";
export { DashboardIntegration } from "./publish/dashboard-integration.ts";
export type { StatusThresholds } from "./publish/overall-status.ts";
export { OverallStatus } from "./publish/overall-status.ts";
export { ErrorClass } from "./signals/error-class.ts";

/** A collector that can also push: `connect` and `logToMlflow` work. */
export class MetricsCollector extends Collector {
  /** @throws MonitorError `CONFIG_INVALID` for an option that makes no sense. */
  constructor(options: MetricsCollectorOptions = {}) {
    checkOptions("a MetricsCollector", options);
    super({ sender: createMetricsSender({ env: process.env }), ...options });
  }
}
