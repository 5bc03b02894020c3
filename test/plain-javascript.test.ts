/**
 * What callers in plain JavaScript get wrong when they set the components up or ask
 * them: an error that says which option, and what to give instead. What stands in the
 * path of requests takes anything.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  createDefaultPatterns,
  createEndpointCheck,
  createHttpCheck,
  DashboardIntegration,
  ErrorTracker,
  expressMetrics,
  HealthCheckManager,
  honoMetrics,
  MetricsCollector,
  MonitorError,
  metricsResponse,
  monitorFetch,
  nodeHttpMetrics,
} from "../src/monitoring.ts";

/** As JavaScript does: no compiler looks at the arguments. */
const make = (component: object, ...given: readonly unknown[]) => {
  if (typeof component !== "function") throw new Error("not a component");
  return Reflect.construct(component, given);
};
const call = (target: object, ...given: readonly unknown[]): unknown => {
  if (typeof target !== "function") throw new Error("not a function");
  return Reflect.apply(target, undefined, given);
};
/** A method of a component that is fine itself. */
const ask = (component: object, method: string, ...given: readonly unknown[]): unknown => {
  const asked = Reflect.get(component, method);
  if (typeof asked !== "function") throw new Error(`no method ${method}`);
  return Reflect.apply(asked, component, given);
};

const metrics = new MetricsCollector();
const errors = new ErrorTracker();
const health = new HealthCheckManager();
const dashboard = new DashboardIntegration(health, metrics, errors);
const noop = () => {};

const wrongOptions: readonly (readonly [what: string, use: () => unknown])[] = [
  ["a collector of null", () => make(MetricsCollector, null)],
  ["a collector of a number", () => make(MetricsCollector, 5)],
  ["a collector of a list", () => make(MetricsCollector, [])],
  ["maxSeries -1", () => make(MetricsCollector, { maxSeries: -1 })],
  ["maxSeries as text", () => make(MetricsCollector, { maxSeries: "100" })],
  ["maxHistorySize null", () => make(MetricsCollector, { maxHistorySize: null })],
  ["a symbol as maxHistorySize", () => make(MetricsCollector, { maxHistorySize: Symbol("a") })],
  ["a namespace that is a number", () => make(MetricsCollector, { namespace: 5 })],
  ["a clock that tells no time", () => make(MetricsCollector, { clock: {} })],
  ["windowSeconds 0", () => ask(metrics, "getMetricSummary", "x", { windowSeconds: 0 })],
  ["windowSeconds as text", () => ask(metrics, "getMetricSummary", "x", { windowSeconds: "60" })],
  ["a big windowSeconds", () => ask(metrics, "getMetricSummary", "x", { windowSeconds: 60n })],
  ["a summary of null", () => ask(metrics, "getMetricSummary", "x", null)],
  ["an export of null", () => ask(metrics, "exportPrometheusFormat", null)],
  ["a connection to nothing", () => ask(metrics, "connect")],
  ["a connection without an address", () => ask(metrics, "connect", {})],
  ["a token of null", () => ask(metrics, "connect", { url: "http://127.0.0.1", token: null })],
  ["headers of null", () => ask(metrics, "connect", { url: "http://127.0.0.1", headers: null })],
  ["no run of MLflow", () => ask(metrics, "logToMlflow")],
  ["a tracker of null", () => make(ErrorTracker, null)],
  ["maxErrors as text", () => make(ErrorTracker, { maxErrors: "100" })],
  ["redact true", () => make(ErrorTracker, { redact: true })],
  ["rules that are no list", () => make(ErrorTracker, { redact: { rules: /a/ } })],
  ["a rule of null", () => make(ErrorTracker, { redact: { rules: [null] } })],
  ["a rule that is text", () => make(ErrorTracker, { redact: { rules: ["password"] } })],
  ["a rule without a pattern", () => make(ErrorTracker, { redact: { rules: [{}] } })],
  ["a key that is a pattern", () => make(ErrorTracker, { redact: { rules: [{ key: /a/ }] } })],
  ["secrets that are no list", () => make(ErrorTracker, { redact: { secrets: "hunter2" } })],
  ["a secret that is not set", () => make(ErrorTracker, { redact: { secrets: [undefined] } })],
  ["onCallbackError as text", () => make(ErrorTracker, { onCallbackError: "log" })],
  ["a tracker's clock as a number", () => make(ErrorTracker, { clock: 5 })],
  ["elapsedMs as a number", () => make(ErrorTracker, { elapsedMs: 5 })],
  ["recent errors of null", () => ask(errors, "getRecentErrors", null)],
  ["severities as text", () => ask(errors, "getRecentErrors", { severities: "error" })],
  ["a severity that is none", () => ask(errors, "getRecentErrors", { severities: ["bad"] })],
  ["a type that is a number", () => ask(errors, "getRecentErrors", { errorType: 5 })],
  ["a summary of errors of null", () => ask(errors, "getErrorSummary", null)],
  ["a resolution of null", () => ask(errors, "resolve", "id", null)],
  ["a manager of null", () => make(HealthCheckManager, null)],
  ["timeoutSeconds as text", () => make(HealthCheckManager, { timeoutSeconds: "5" })],
  ["a big timeoutSeconds", () => make(HealthCheckManager, { timeoutSeconds: 5n })],
  ["maxConcurrent 0", () => make(HealthCheckManager, { maxConcurrent: 0 })],
  ["a manager's clock of nothing", () => make(HealthCheckManager, { clock: {} })],
  ["a check with options of null", () => ask(health, "registerCheck", "a", noop, null)],
  ["a dashboard of nothing", () => make(DashboardIntegration)],
  ["a dashboard in another order", () => make(DashboardIntegration, metrics, health, errors)],
  ["dashboard options null", () => make(DashboardIntegration, health, metrics, errors, null)],
  [
    "thresholds of null",
    () => make(DashboardIntegration, health, metrics, errors, { thresholds: null }),
  ],
  ["a time range as text", () => ask(dashboard, "getDashboardData", { timeRangeMinutes: "5" })],
  ["a Grafana dashboard of null", () => ask(dashboard, "generateGrafanaDashboard", null)],
  [
    "a source of metrics that is none",
    () => ask(dashboard, "generateGrafanaDashboard", { source: "x" }),
  ],
  ["a fetch that records nowhere", () => call(monitorFetch)],
  ["a fetch without metrics", () => call(monitorFetch, {})],
  ["a fetch that is none", () => call(monitorFetch, { metrics, fetch: "fetch" })],
  ["errors that track nothing", () => call(monitorFetch, { metrics, errors: {} })],
  ["Hono without metrics", () => call(honoMetrics, {})],
  ["Express without metrics", () => call(expressMetrics)],
  ["node:http without metrics", () => call(nodeHttpMetrics, noop, {})],
  ["node:http without a listener", () => call(nodeHttpMetrics, { metrics })],
  ["routes that are no list", () => call(nodeHttpMetrics, noop, { metrics, routes: "/a" })],
  ["an answer of no metrics", () => call(metricsResponse)],
  ["an HTTP check of nothing", () => call(createHttpCheck)],
  ["an HTTP check of a status as text", () => httpCheck({ expectedStatus: "ok" })],
  ["an HTTP check of a fetch that is none", () => httpCheck({ fetch: 5 })],
  ["an endpoint check of nothing", () => call(createEndpointCheck)],
  ["default patterns with no callback", () => call(createDefaultPatterns, "log")],
];
const httpCheck = (options: object) =>
  call(createHttpCheck, { url: "http://127.0.0.1", ...options });

const misunderstood: typeof wrongOptions = [
  ["a check that is none", () => ask(health, "registerCheck", "a")],
  ["a check without a name", () => ask(health, "registerCheck")],
  ["no pattern", () => ask(errors, "registerPattern")],
  ["a pattern without a name", () => ask(errors, "registerPattern", { thresholdCount: 1 })],
  [
    "a pattern with a symbol for a count",
    () => ask(errors, "registerPattern", { name: "a", thresholdCount: Symbol("a") }),
  ],
];

for (const [code, uses] of Object.entries({
  CONFIG_INVALID: wrongOptions,
  USAGE_INVALID: misunderstood,
})) {
  for (const [what, use] of uses) {
    test(`${what} is refused with ${code} and a hint`, async () => {
      await assert.rejects(
        async () => await use(),
        (error) => {
          assert.ok(error instanceof MonitorError, String(error));
          assert.equal(error.code, code);
          assert.ok(error.hint.length > 5);
          assert.doesNotMatch(error.message, /hunter2/);
          return true;
        },
      );
    });
  }
}

const hostile: readonly unknown[] = [
  undefined,
  null,
  5n,
  Symbol("a"),
  "text",
  () => {},
  [],
  new Proxy({}, { get: () => assert.fail("a getter that throws"), ownKeys: () => assert.fail("") }),
];

test("what stands in the path of requests takes anything, and throws nothing", () => {
  const collector = new MetricsCollector();
  const tracker = new ErrorTracker();
  const calls: readonly (readonly [object, readonly string[]])[] = [
    [
      collector,
      [
        ...["recordRequest", "request", "incrementCounter", "recordLatency", "setGauge"],
        ...["recordTokenUsage", "recordWorkflowExecution", "recordCacheOperation"],
      ],
    ],
    [tracker, ["trackError", "trackAgentError", "trackDeploymentError"]],
  ];
  for (const [component, methods] of calls) {
    for (const method of methods) {
      for (const first of hostile) {
        for (const second of hostile) {
          for (const third of hostile) ask(component, method, first, second, third);
        }
      }
    }
  }
  assert.ok(collector.rejected > 0);
  const handle = collector.request({ endpointName: "qa" });
  for (const first of hostile) {
    for (const second of hostile)
      for (const third of hostile) ask(handle, "record", first, second, third);
  }
  collector.close();
});
