/**
 * The public face of the monitoring components: what a service imports as
 * `dspy-databricks-agents/monitoring`.
 */
import { createMetricsSender } from "./export/metrics-sender.ts";
import {
  MetricsCollector as Collector,
  type MetricsCollectorOptions,
} from "./metrics/metrics-collector.ts";

export { createDefaultPatterns } from "./errors/default-patterns.ts";
export { ErrorClass, ErrorSeverity } from "./errors/error-severity.ts";
export { ErrorTracker } from "./errors/error-tracker.ts";
export { checkEndpointHealth, createEndpointCheck } from "./health/checks/endpoint-check.ts";
export { createHttpCheck } from "./health/checks/http-check.ts";
export { checkModelRegistryHealth } from "./health/checks/model-registry-check.ts";
export { checkVectorStoreHealth } from "./health/checks/vector-store-check.ts";
export { HealthCheckManager } from "./health/health-check-manager.ts";
export { HealthStatus } from "./health/health-status.ts";
export { expressMetrics } from "./instrument/express.ts";
export { honoMetrics } from "./instrument/hono.ts";
export { monitorFetch } from "./instrument/monitor-fetch.ts";
export { nodeHttpMetrics } from "./instrument/node-http.ts";
export { DashboardIntegration } from "./publish/dashboard-integration.ts";

/** A collector that can also push: `connect` and `logToMlflow` work. */
export class MetricsCollector extends Collector {
  constructor(options: MetricsCollectorOptions = {}) {
    super({ sender: createMetricsSender({ env: process.env }), ...options });
  }
}
