/**
 * What a service knows of itself at one moment, put together: health, metrics,
 * errors and one overall status with its reasons; and a Grafana dashboard of the
 * same metrics.
 */
import { type GrafanaDashboard, grafanaDashboard } from "../dashboards/grafana/grafana.ts";
import type { ErrorSummary, ErrorTracker } from "../errors/error-tracker.ts";
import type { HealthCheckManager, HealthReport } from "../health/health-check-manager.ts";
import type { MetricsCollector } from "../metrics/metrics-collector.ts";

export type OverallStatus = "healthy" | "warning" | "critical";

export type DashboardData = {
  /** ISO 8601. */
  readonly timestamp: string;
  readonly timeRangeMinutes: number;
  readonly overallStatus: OverallStatus;
  /** Why it is not healthy, as sentences, the worst first; empty when it is. */
  readonly reasons: readonly string[];
  readonly health: HealthReport;
  readonly metrics: {
    /** Latency of requests over the time range; `null` without any. */
    readonly requestLatencyMs: NonNullable<ReturnType<MetricsCollector["getMetricSummary"]>> | null;
    readonly all: ReturnType<MetricsCollector["getAllMetrics"]>;
  };
  readonly errors: ErrorSummary;
};

/** Errors of severity `error` within the time range from which on the status is a warning. */
const ERRORS_WARNING = 1;

export class DashboardIntegration {
  readonly #health: HealthCheckManager;
  readonly #metrics: MetricsCollector;
  readonly #errors: ErrorTracker;

  constructor(health: HealthCheckManager, metrics: MetricsCollector, errors: ErrorTracker) {
    this.#health = health;
    this.#metrics = metrics;
    this.#errors = errors;
  }

  /** Runs all health checks and sums up the last `timeRangeMinutes`, 60 by default. */
  async getDashboardData(
    options: { readonly timeRangeMinutes?: number } = {},
  ): Promise<DashboardData> {
    const timeRangeMinutes = options.timeRangeMinutes ?? 60;
    const health = await this.#health.runAllChecks();
    const errors = this.#errors.getErrorSummary({ timeWindowMinutes: timeRangeMinutes });
    const windowSeconds = timeRangeMinutes * 60;
    return {
      timestamp: health.timestamp,
      timeRangeMinutes,
      ...overall(health, errors),
      health,
      metrics: {
        requestLatencyMs: this.#metrics.getMetricSummary("latency_ms", { windowSeconds }) ?? null,
        all: this.#metrics.getAllMetrics(),
      },
      errors,
    };
  }

  generateGrafanaDashboard(): GrafanaDashboard {
    return grafanaDashboard();
  }
}

/** An unhealthy component or a critical error is critical; what is degraded, unknown or failing is a warning. */
export function overall(
  { components }: Pick<HealthReport, "components">,
  { bySeverity }: Pick<ErrorSummary, "bySeverity">,
): Pick<DashboardData, "overallStatus" | "reasons"> {
  const told = (status: string) =>
    components
      .filter((component) => component.status === status)
      .map(({ name, message }) => `${name} is ${status}${message === "" ? "." : `: ${message}`}`);
  const count = (n: number, word: string) => `${n} ${word}${n === 1 ? "" : "s"}.`;
  const critical = [
    ...told("unhealthy"),
    ...(bySeverity.critical > 0 ? [count(bySeverity.critical, "critical error")] : []),
  ];
  const warning = [
    ...told("degraded"),
    ...told("unknown"),
    ...(bySeverity.error >= ERRORS_WARNING ? [count(bySeverity.error, "error")] : []),
  ];
  const overallStatus =
    critical.length > 0 ? "critical" : warning.length > 0 ? "warning" : "healthy";
  return { overallStatus, reasons: [...critical, ...warning] };
}
