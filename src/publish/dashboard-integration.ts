/**
 * What a service knows of itself at one moment, put together: health, metrics,
 * errors and one overall status with its reasons; and a Grafana dashboard of the
 * same metrics.
 */

import { backgroundClock, type Clock } from "../clock.ts";
import { type GrafanaDashboard, grafanaDashboard } from "../dashboards/grafana/grafana.ts";
import { monitoringNotebook } from "../dashboards/notebook/notebook.ts";
import type { MetricsSource } from "../dashboards/panels.ts";
import type { DatabricksClient } from "../databricks/client.ts";
import type { ErrorSummary } from "../errors/error-summary.ts";
import type { ErrorTracker } from "../errors/error-tracker.ts";
import { collectedRows } from "../export/delta/collected-rows.ts";
import { exportRows } from "../export/delta/collector-export.ts";
import type { DeltaExport } from "../export/delta/delta-export.ts";
import { chooseWarehouse, type DeltaTarget } from "../export/delta/delta-target.ts";
import type { HealthCheckManager, HealthReport } from "../health/health-check-manager.ts";
import { defaultTablePlace, type TablePlace } from "../history/databricks-tables.ts";
import type { TableName } from "../history/tables.ts";
import { type MetricsCollector, seriesKey } from "../metrics/metrics-collector.ts";
import { prefixOf } from "../metrics/prometheus-names.ts";
import type { MetricsSnapshot } from "../metrics/snapshot.ts";
import type { MetricSummary } from "../metrics/summary.ts";
import { MonitorError } from "../monitor-error.ts";
import { checkAboveZero, checkMethods, checkOptions, checkText, refuseOption } from "../option.ts";
import { readAlertThresholds } from "../rules/alert-thresholds.ts";
import {
  defaultThresholds,
  type OverallStatus,
  overallStatus,
  type StatusThresholds,
} from "./overall-status.ts";
import { notebookPath, publishNotebook } from "./publish-notebook.ts";
import {
  READING_EVERY_MS,
  type RequestCount,
  type RequestCounts,
  RequestHistory,
  sumOf,
} from "./request-history.ts";

export type DashboardOptions = {
  /** Whose workspace the agents of the Grafana dashboard link to. */
  readonly client?: DatabricksClient | undefined;
  /** From where on the overall status is a warning, or critical. */
  readonly thresholds?: Partial<StatusThresholds> | undefined;
  /** The system's by default, with timers that keep no program alive. */
  readonly clock?: DashboardClock | undefined;
};

/** What is used of time; a `Clock` has it. */
export type DashboardClock = Pick<Clock, "now" | "every">;

export type RequestFigures = {
  readonly count: number;
  /** Failed because of the agent: 5xx, and calls that ended without a proper answer. */
  readonly failed: number;
  /** Refused by the endpoint itself for want of capacity: 429. */
  readonly throttled: number;
  /** Refused by the endpoint itself for the caller's fault: other 4xx. */
  readonly client: number;
  /** Of `failed`; this and the other rates are `null` without requests. */
  readonly errorRatePercent: number | null;
  readonly throttledRatePercent: number | null;
  readonly clientRatePercent: number | null;
  readonly latencyMs: MetricSummary | null;
};

export type EndpointFigures = RequestFigures & { readonly endpointName: string };

export type DashboardMetrics = {
  /** Of the time range. */
  readonly requests: RequestFigures & {
    /**
     * From when on they are counted, ISO 8601: the beginning of the range to the
     * minute, or later when the service was started later.
     */
    readonly since: string;
  };
  /** Of the time range, the most requested first, at most 50. */
  readonly endpoints: readonly EndpointFigures[];
  /** Of the time range, by name. */
  readonly latencies: Readonly<Record<string, MetricSummary>>;
  /** Totals since the start, by name and labels as `request_total{endpoint="qa"}`, at most 1 000. */
  readonly counters: Readonly<Record<string, number>>;
  /** Now, at most 1 000. */
  readonly gauges: Readonly<Record<string, number>>;
  /** Counters and gauges that are left out here. */
  readonly omittedSeries: number;
};

export type DashboardData = {
  /** ISO 8601. */
  readonly timestamp: string;
  readonly timeRangeMinutes: number;
  readonly overallStatus: OverallStatus;
  /** Why it is not healthy, as sentences, the worst first; empty when it is. */
  readonly reasons: readonly string[];
  readonly health: HealthReport;
  readonly metrics: DashboardMetrics;
  readonly errors: ErrorSummary;
};

export type GrafanaOptions = {
  /** That of the metrics by default. */
  readonly namespace?: string | undefined;
  /** Whose metrics they are: those of this service, or the `/metrics` of a monitor. */
  readonly source?: MetricsSource | undefined;
  /** A line of an agent leads to its page in this monitor. */
  readonly monitorUrl?: string | undefined;
};

export type NotebookRequest = {
  readonly agentName: string;
  readonly endpointName: string;
  /** Where the Delta tables are; `ml.monitoring.agent_monitoring_…` by default. */
  readonly tables?: Partial<TablePlace> | undefined;
};

export type DeltaExportOptions = {
  readonly catalog?: string | undefined;
  readonly schema?: string | undefined;
  readonly prefix?: string | undefined;
  /** The SQL warehouse that loads the rows; one that runs by default. */
  readonly warehouseId?: string | undefined;
  /**
   * Whether each call that `recordRequest` was told of is a row of `_requests`; `true` by
   * default. `false` where a monitor exports the requests of the same endpoints to the same
   * tables: each would be there twice.
   */
  readonly requests?: boolean | undefined;
};

const TIME_RANGE_DEFAULT_MINUTES = 60;
/** A day: so far back requests can be counted. */
const TIME_RANGE_MAX_MINUTES = 24 * 60;
/** Each one's latencies are looked through for it, which takes some tenths of a millisecond. */
const ENDPOINTS_MAX = 50;
const SERIES_MAX = 1_000;
/** Critical errors that are looked at for their groups, the newest first. */
const CRITICAL_ERRORS_MAX = 1_000;

export class DashboardIntegration {
  readonly #health: HealthCheckManager;
  readonly #metrics: MetricsCollector;
  readonly #errors: ErrorTracker;
  readonly #client: DatabricksClient | undefined;
  readonly #thresholds: StatusThresholds;
  readonly #clock: DashboardClock;
  readonly #requests = new RequestHistory();
  readonly #collectorId = crypto.randomUUID();
  /** Rows of a round that was not loaded yet: they go first, as they are. */
  #unloaded: ReadonlyMap<TableName, string> | null = null;
  #errorsUpTo = 0;
  /** By thread, the sequence of the next latency that is not exported yet. */
  readonly #latenciesFrom = new Map<number, number>();
  #exporting: Promise<unknown> = Promise.resolve();
  readonly #stopReading: () => void;

  /** @throws MonitorError `CONFIG_INVALID` for a component or a threshold that is none. */
  constructor(
    healthManager: HealthCheckManager,
    metrics: MetricsCollector,
    errorTracker: ErrorTracker,
    options: DashboardOptions = {},
  ) {
    checkComponents({ healthManager, metrics, errorTracker });
    checkOptions("a DashboardIntegration", options);
    const { client, thresholds = {}, clock = backgroundClock } = options;
    checkMethods("clock", clock, {
      methods: ["now", "every"],
      hint: "Give a clock with now() and every(), or none.",
    });
    this.#health = healthManager;
    this.#metrics = metrics;
    this.#errors = errorTracker;
    this.#client = client;
    this.#thresholds = checkedThresholds(thresholds);
    this.#clock = clock;
    this.#readRequests();
    // One that nobody holds any more need not be closed.
    const self = new WeakRef(this);
    const stop = clock.every(READING_EVERY_MS, () => {
      const dashboard = self.deref();
      if (dashboard) dashboard.#readRequests();
      else stop();
    });
    this.#stopReading = stop;
  }

  /**
   * Runs all health checks and sums up the last `timeRangeMinutes`, 60 by default and
   * at most a day.
   *
   * @throws MonitorError `CONFIG_INVALID` for a time range that makes no sense.
   */
  async getDashboardData(
    options: { readonly timeRangeMinutes?: number | undefined } = {},
  ): Promise<DashboardData> {
    checkOptions("getDashboardData", options);
    const { timeRangeMinutes = TIME_RANGE_DEFAULT_MINUTES } = options;
    checkAboveZero("timeRangeMinutes", timeRangeMinutes, {
      max: TIME_RANGE_MAX_MINUTES,
      unit: "minutes",
    });
    const health = await this.#health.runAllChecks();
    const nowMs = this.#clock.now();
    const totals = this.#metrics.getCounterTotals("request_total");
    const counts = this.#requests.since(nowMs - timeRangeMinutes * 60_000, totals);
    this.#requests.add(totals, nowMs);
    const metrics = this.#figures(counts, timeRangeMinutes * 60);
    const errors = this.#errors.getErrorSummary({ timeWindowMinutes: timeRangeMinutes });
    const evidence = {
      components: health.components,
      requests: metrics.requests,
      latencyP99Ms: metrics.requests.latencyMs?.p99 ?? null,
      patterns: this.#errors.getPatterns(),
      ...this.#openErrors(errors),
    };
    return {
      timestamp: new Date(nowMs).toISOString(),
      timeRangeMinutes,
      ...overallStatus(evidence, this.#thresholds),
      health,
      metrics,
      errors,
    };
  }

  /**
   * The dashboard for the metrics that `exportPrometheusFormat` shows, in the form that
   * Grafana's API takes. What a file or an import in the browser wants is its `dashboard`.
   *
   * @throws MonitorError `CONFIG_INVALID` for a `monitorUrl` that is no address.
   */
  generateGrafanaDashboard(options: GrafanaOptions = {}): GrafanaDashboard {
    checkOptions("generateGrafanaDashboard", options);
    const { namespace = this.#metrics.namespace, source = "service", monitorUrl } = options;
    if (source !== "service" && source !== "monitor") {
      refuseOption("source", source, 'Give "service" or "monitor".');
    }
    const { errorRateWarningPercent, errorRateThresholdPercent, latencyP99ThresholdMs } =
      this.#thresholds;
    return grafanaDashboard({
      prefix: prefixOf(namespace),
      source,
      errorRatePercent: { warning: errorRateWarningPercent, critical: errorRateThresholdPercent },
      latencyP99Ms: latencyP99ThresholdMs,
      monitorUrl: monitorUrl === undefined ? undefined : baseOf(monitorUrl),
      workspaceUrl: this.#client?.host,
    });
  }

  /**
   * Puts the notebook of an agent into the workspace, over the one that stands there.
   *
   * @throws MonitorError `CONFIG_INVALID` without a `client`, or what Databricks refuses.
   */
  async createMonitoringNotebook(request: NotebookRequest): Promise<{ readonly path: string }> {
    checkOptions("createMonitoringNotebook", request);
    const { agentName, endpointName, tables } = request;
    checkText("agentName", agentName);
    checkText("endpointName", endpointName);
    const { latencyP99ThresholdMs, errorRateThresholdPercent } = this.#thresholds;
    const notebook = monitoringNotebook({
      agentName,
      endpointName,
      place: { ...defaultTablePlace, ...tables },
      thresholds: readAlertThresholds({ latencyP99ThresholdMs, errorRateThresholdPercent }),
    });
    const path = notebookPath(endpointName);
    await publishNotebook(this.#clientFor("create a notebook"), path, notebook);
    return { path };
  }

  /**
   * Loads what came since the last call into the Delta tables: each request, each latency that is
   * still held and each error once, counters and gauges as they are now, and the health checks.
   * What could not be loaded goes first the next time.
   *
   * @throws MonitorError `CONFIG_INVALID` without a `client`, or what Databricks refuses.
   */
  async exportToDeltaTable(options: DeltaExportOptions = {}): Promise<DeltaExport> {
    checkOptions("exportToDeltaTable", options);
    const { warehouseId, requests = true, ...given } = options;
    if (typeof requests !== "boolean") refuseOption("requests", requests, "Give true or false.");
    const client = this.#clientFor("export to Delta tables");
    const named = Object.entries(given).filter(([, value]) => value !== undefined);
    const place: TablePlace = { ...defaultTablePlace, ...Object.fromEntries(named) };
    // One at a time: two would send the same rows.
    const exported = this.#exporting
      .catch(() => {})
      .then(async () => {
        const target = { client, place, warehouseId: await chooseWarehouse(client, warehouseId) };
        const before = this.#unloaded && (await this.#load(this.#unloaded, target));
        const now = await this.#load(await this.#collect(client, requests), target);
        return before ? sumOfExports(before, now) : now;
      });
    this.#exporting = exported;
    return exported;
  }

  async #load(rows: ReadonlyMap<TableName, string>, target: DeltaTarget): Promise<DeltaExport> {
    this.#unloaded = rows;
    const loaded = await exportRows(rows, this.#collectorId, target);
    this.#unloaded = null;
    return loaded;
  }

  async #collect(
    client: DatabricksClient,
    requests: boolean,
  ): Promise<ReadonlyMap<TableName, string>> {
    const { components } = await this.#health.runAllChecks();
    const latencies = this.#metrics.getHeldLatencies().filter(({ thread, sequence }) => {
      const from = this.#latenciesFrom.get(thread) ?? sequence;
      // Sequences begin anew after 2^32.
      return ((sequence - from) | 0) >= 0;
    });
    for (const { thread, sequence } of latencies) this.#latenciesFrom.set(thread, sequence + 1);
    const errorsUpTo = this.#errorsUpTo;
    const errors = this.#errors.getRecentErrors().filter(({ sequence }) => sequence > errorsUpTo);
    for (const { sequence } of errors) this.#errorsUpTo = Math.max(this.#errorsUpTo, sequence);
    return collectedRows({
      collectorId: this.#collectorId,
      workspaceId: new URL(client.host).host,
      nowMs: this.#clock.now(),
      latencies,
      values: this.#metrics.snapshot().series.filter((one) => one.kind !== "latency"),
      errors,
      components,
      requests,
    });
  }

  #clientFor(what: string): DatabricksClient {
    if (this.#client) return this.#client;
    throw new MonitorError("CONFIG_INVALID", `cannot ${what}: no client was given`, {
      hint: "Give new DashboardIntegration(…, { client: DatabricksClient.fromEnvironment() }).",
    });
  }

  /** Stops counting requests by the minute. */
  close(): void {
    this.#stopReading();
  }

  #readRequests(): void {
    this.#requests.add(this.#metrics.getCounterTotals("request_total"), this.#clock.now());
  }

  #figures({ sinceMs, byEndpoint }: RequestCounts, windowSeconds: number): DashboardMetrics {
    const metrics = this.#metrics;
    const latency = (labels?: Readonly<Record<string, string>>) =>
      metrics.getMetricSummary("latency_ms", {
        windowSeconds,
        ...(labels === undefined ? {} : { labels }),
      }) ?? null;
    const all = sumOf(byEndpoint.values());
    const endpoints = [...byEndpoint]
      .sort(([, one], [, other]) => other.count - one.count)
      .slice(0, ENDPOINTS_MAX)
      .map(([endpoint, count]) => ({
        endpointName: endpoint,
        ...count,
        ...ratesOf(count),
        latencyMs: latency({ endpoint }),
      }));

    const { series } = metrics.snapshot();
    const names = new Set(series.flatMap(({ kind, name }) => (kind === "latency" ? [name] : [])));
    const counters = valuesOf("counter", series);
    const gauges = valuesOf("gauge", series);
    return {
      requests: {
        ...all,
        ...ratesOf(all),
        latencyMs: latency(),
        since: new Date(sinceMs).toISOString(),
      },
      endpoints,
      latencies: Object.fromEntries(
        [...names].flatMap((name) => {
          const summary = metrics.getMetricSummary(name, { windowSeconds });
          return summary ? [[name, summary]] : [];
        }),
      ),
      counters: counters.shown,
      gauges: gauges.shown,
      omittedSeries: counters.omitted + gauges.omitted,
    };
  }

  #openErrors({ bySeverity, groups, timeWindowMinutes }: ErrorSummary) {
    const isError = bySeverity.error + bySeverity.critical;
    const resolved = groups
      .filter(({ state, severity }) => state === "resolved" && isBad(severity))
      .reduce((sum, { countInWindow }) => sum + countInWindow, 0);
    const criticalIds = new Set(
      bySeverity.critical === 0
        ? []
        : this.#errors
            .getRecentErrors({
              minutes: timeWindowMinutes,
              severities: ["critical"],
              limit: CRITICAL_ERRORS_MAX,
            })
            .map(({ groupId }) => groupId),
    );
    return {
      openErrors: Math.max(0, isError - resolved),
      criticalGroups: [...criticalIds].flatMap((id) => {
        const group = this.#errors.getGroup(id);
        return group && group.state !== "resolved" ? [group] : [];
      }),
      regressedGroups: groups.filter(
        ({ state, id }) => state === "regressed" && !criticalIds.has(id),
      ),
    };
  }
}

function sumOfExports(one: DeltaExport, other: DeltaExport): DeltaExport {
  const tables: Record<string, number> = { ...one.tables };
  for (const [name, rows] of Object.entries(other.tables)) {
    tables[name] = (tables[name] ?? 0) + rows;
  }
  return {
    rows: one.rows + other.rows,
    tables,
    warnings: [...one.warnings, ...other.warnings],
  };
}

const isBad = (severity: string) => severity === "error" || severity === "critical";

function ratesOf({ count, failed, throttled, client }: RequestCount) {
  const percent = (part: number) => (count === 0 ? null : (100 * part) / count);
  return {
    errorRatePercent: percent(failed),
    throttledRatePercent: percent(throttled),
    clientRatePercent: percent(client),
  };
}

function valuesOf(kind: "counter" | "gauge", series: MetricsSnapshot["series"]) {
  const values = series.flatMap((one) =>
    one.kind === kind ? [[seriesKey(one.name, one.labels), one.value] as const] : [],
  );
  const shown: Record<string, number> = Object.fromEntries(values.slice(0, SERIES_MAX));
  return { shown, omitted: Math.max(0, values.length - SERIES_MAX) };
}

/** They are easily given in another order. */
function checkComponents(components: Readonly<Record<keyof typeof usedMethods, unknown>>): void {
  for (const [name, { methods, type }] of Object.entries(usedMethods)) {
    const component = Reflect.get(components, name);
    const hint = `Give new DashboardIntegration(healthManager, metrics, errorTracker); this one is a ${type}.`;
    checkMethods(name, component, { methods, hint });
  }
}

const usedMethods = {
  healthManager: { type: "HealthCheckManager", methods: ["runAllChecks"] },
  metrics: { type: "MetricsCollector", methods: ["getCounterTotals", "getMetricSummary"] },
  errorTracker: { type: "ErrorTracker", methods: ["getErrorSummary", "getPatterns"] },
} as const;

function checkedThresholds(given: Partial<StatusThresholds>): StatusThresholds {
  checkOptions("`thresholds`", given);
  const thresholds = { ...defaultThresholds };
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue;
    const isKnown = name in defaultThresholds || name === "latencyP99ThresholdMs";
    if (!isKnown || !(typeof value === "number" && value >= 0)) {
      throw new MonitorError(
        "CONFIG_INVALID",
        `cannot tell the overall status with the threshold ${name} ${String(value)}`,
        {
          hint: `Use a number from 0 on for ${Object.keys(defaultThresholds).join(", ")} or latencyP99ThresholdMs.`,
        },
      );
    }
    Object.assign(thresholds, { [name]: value });
  }
  return thresholds;
}

/** Without what a link must not have: credentials, a query, a slash at the end. */
function baseOf(address: string): string {
  const url = URL.canParse(address) ? new URL(address) : null;
  if (url?.protocol !== "http:" && url?.protocol !== "https:") {
    throw new MonitorError(
      "CONFIG_INVALID",
      "cannot link to the monitor: monitorUrl is no address",
      {
        hint: "Give it as http://127.0.0.1:4318 or https://monitor.example.com.",
      },
    );
  }
  return `${url.origin}${url.pathname}`.replace(/\/+$/, "");
}
