/**
 * The package as a user gets it: packed by npm, unpacked next to its dependencies,
 * imported by plain JavaScript and type-checked by a program of somebody else.
 */
import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { build } from "vite";
import * as databricks from "../../src/databricks.ts";
import { compiler, packPackage, root, run, unpackPackage } from "../packed-package.ts";

type Manifest = {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, string | { types: string; default: string }>>;
};
const manifest: Manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

/** Without the page and the recordings of the local workspace, which no import needs: 1.03 MB. */
const PACKED_MAX_BYTES = 1_100_000;

let directory: string;
let consumer: string;
let packed: readonly string[];
let packedBytes: number;

before(() => {
  directory = mkdtempSync(join(tmpdir(), "package-"));
  const { archive, files, sizeBytes } = packPackage(directory);
  packed = files;
  packedBytes = sizeBytes;

  consumer = join(directory, "consumer");
  const modules = join(consumer, "node_modules");
  unpackPackage(archive, modules);
  // Of everything else that is installed here, only what npm would have brought along.
  for (const name of [...Object.keys(manifest.dependencies), "@types/node", "undici-types"]) {
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(join(root, "node_modules", name), join(modules, name));
  }
  writeFileSync(join(consumer, "package.json"), '{"type":"module"}');
});
after(() => rmSync(directory, { recursive: true, force: true }));

test("holds what is run and its types, and nothing that is only for us", () => {
  const outside = packed.filter(
    (path) =>
      !/^dist\/.+\.(js|d\.ts)$/.test(path) &&
      !["CHANGELOG.md", "LICENSE", "README.md", "package.json"].includes(path) &&
      path !== "docs/agent.schema.json" &&
      !/^examples\/([\w-]+\/)?(agent\.py|agent\.yaml|program\.json|README\.md)$/.test(path) &&
      !/^python\/(serving|notebooks|src\/dspy_databricks_agents)\/\w+\.py$/.test(path) &&
      path !== "bin/dspy-databricks.js",
  );
  assert.deepEqual(outside, []);
  for (const file of ["serving/python_model.py", "src/dspy_databricks_agents/instrument.py"]) {
    assert.ok(packed.includes(`python/${file}`), "what a deployed model is made of");
  }
  const forTests = packed.filter((path) =>
    /(^|\/)(test-[^/]*|[^/]*\.test)\.(js|d\.ts)$/.test(path),
  );
  assert.deepEqual(forTests, []);
  assert.ok(packedBytes < PACKED_MAX_BYTES, `${packedBytes} bytes`);
});

test("every export leads to a file that is in it", () => {
  for (const entry of Object.values(manifest.exports)) {
    const targets = typeof entry === "string" ? [entry] : [entry.types, entry.default];
    for (const target of targets) assert.ok(packed.includes(target.replace("./", "")), target);
  }
  assert.ok(
    existsSync(join(consumer, "node_modules/dspy-databricks-agents/bin/dspy-databricks.js")),
  );
});

test("plain JavaScript imports it, by these names", () => {
  writeFileSync(
    join(consumer, "names.js"),
    `for (const entry of ["monitoring", "databricks", "deployment"]) {
       const names = Object.keys(await import(\`dspy-databricks-agents/\${entry}\`));
       console.log(entry, names.toSorted().join(" "));
     }`,
  );
  assert.deepEqual(run(process.execPath, ["names.js"], consumer).trim().split(/\s+/), [
    "monitoring",
    "DashboardIntegration",
    "ErrorClass",
    "ErrorSeverity",
    "ErrorTracker",
    "HealthCheckManager",
    "HealthStatus",
    "MetricsCollector",
    "MlflowLogError",
    "MonitorError",
    "OverallStatus",
    "checkEndpointHealth",
    "checkModelRegistryHealth",
    "checkVectorStoreHealth",
    "createDefaultPatterns",
    "createEndpointCheck",
    "createHttpCheck",
    "expressMetrics",
    "honoMetrics",
    "metricsResponse",
    "monitorFetch",
    "nodeHttpMetrics",
    "sendMetrics",
    "databricks",
    // Each API gives some, and the record of the public API holds them all.
    ...Object.keys(databricks).toSorted(),
    "deployment",
    "DatabricksDeployerWithMonitoring",
    "MonitorError",
    "loadAgentConfig",
    "registerInMlflow",
  ]);
});

test("the monitoring entry loads neither a server nor the command line", () => {
  writeFileSync(
    join(consumer, "loaded.js"),
    `import { registerHooks } from "node:module";
     const loaded = [];
     registerHooks({ load: (url, context, next) => (loaded.push(url), next(url, context)) });
     await import("dspy-databricks-agents/monitoring");
     console.log(loaded.join("\\n"));`,
  );
  const loaded = run(process.execPath, ["loaded.js"], consumer).trim().split("\n");
  assert.ok(loaded.some((url) => url.endsWith("/dist/monitoring.js")));
  const heavy =
    /@hono\/node-server|commander|node:sqlite|node:http2|\/dist\/(cli|server|store|local-workspace)\//;
  assert.deepEqual(
    loaded.filter((url) => heavy.test(url)),
    [],
  );
});

test("an agent's model is made of what the package brings", () => {
  writeFileSync(
    join(consumer, "deploys.js"),
    `import { DatabricksDeployerWithMonitoring, loadAgentConfig } from "dspy-databricks-agents/deployment";
     const file = "node_modules/dspy-databricks-agents/examples/order-agent/agent.yaml";
     const config = await loadAgentConfig(file, { environment: "prod" });
     // Nobody listens there: that it is asked says that the model has been made.
     const deployer = new DatabricksDeployerWithMonitoring({ host: "http://127.0.0.1:9", token: "x" });
     await deployer.deploy(config, { dryRun: true }).catch(({ code }) => console.log(code));`,
  );
  const said = run(process.execPath, ["deploys.js"], consumer);
  assert.equal(said.trim(), "DATABRICKS_UNREACHABLE");
});

test("a worker of a service records into its collector", () => {
  writeFileSync(
    join(consumer, "worker.js"),
    `import { once } from "node:events";
     import { isMainThread, Worker, workerData } from "node:worker_threads";
     import { MetricsCollector } from "dspy-databricks-agents/monitoring";
     if (isMainThread) {
       const metrics = new MetricsCollector();
       const workerData = { metrics: metrics.shareHandle() };
       await once(new Worker(new URL(import.meta.url), { workerData }), "exit");
       console.log(metrics.exportPrometheusFormat().match(/^dspy_request_total.*$/m)?.[0]);
       metrics.close();
     } else {
       const metrics = MetricsCollector.attach(workerData.metrics);
       metrics.recordRequest("qa", { latencyMs: 1, statusCode: 200 });
       metrics.close();
     }`,
  );
  assert.match(run(process.execPath, ["worker.js"], consumer), /\{.*endpoint="qa".*\} 1\n$/);
});

/** What becomes of a service when its bundler takes the package in, or leaves it outside. */
for (const [what, settings, expected] of [
  ["as modules", { format: "es", noExternal: true }, /^CONFIG_INVALID.* external.*1 healthy$/],
  ["as CommonJS", { format: "cjs", noExternal: true }, /^CONFIG_INVALID.* external.*1 healthy$/],
  ["with the package outside", { format: "es", noExternal: false }, /^fine 1 healthy$/],
] as const) {
  test(`a service bundled ${what} works, or says what does not`, async () => {
    writeFileSync(
      join(consumer, "check.js"),
      'export default () => ({ status: "healthy", message: "fine" });',
    );
    writeFileSync(
      join(consumer, "service.js"),
      `import { HealthCheckManager, MetricsCollector } from "dspy-databricks-agents/monitoring";
       const health = new HealthCheckManager();
       async function inModule() {
         try {
           const module = new URL(${JSON.stringify(pathToFileURL(join(consumer, "check.js")).href)});
           health.registerCheck("module", { module });
           return (await health.runCheck("module")).message;
         } catch (error) {
           return error.code + " " + error.hint;
         }
       }
       void inModule().then(async (said) => {
         const metrics = new MetricsCollector();
         metrics.recordLatency("x", 5);
         health.registerCheck("function", () => ({ status: "healthy" }));
         const { status } = await health.runCheck("function");
         console.log(said, metrics.getMetricSummary("x").count, status);
         metrics.close();
         await health.close();
       });`,
    );
    const { format, noExternal } = settings;
    const extension = format === "cjs" ? "cjs" : "mjs";
    await build({
      configFile: false,
      root: consumer,
      logLevel: "silent",
      ssr: noExternal ? { noExternal } : {},
      build: {
        ssr: "service.js",
        outDir: `out-${extension}`,
        rollupOptions: { output: { format, entryFileNames: `service.${extension}` } },
      },
    });
    const bundle = `out-${extension}/service.${extension}`;
    assert.match(run(process.execPath, [bundle], consumer).trim(), expected);
  });
}

for (const [name, options] of Object.entries({
  "a strict program, libraries checked too": {
    module: "nodenext",
    strict: true,
    exactOptionalPropertyTypes: true,
  },
  "a bundler's program": { module: "esnext", moduleResolution: "bundler", strict: true },
})) {
  test(`${name} names its types`, () => {
    writeFileSync(join(consumer, "program.ts"), program);
    writeFileSync(
      join(consumer, "tsconfig.json"),
      JSON.stringify({
        compilerOptions: { target: "es2023", noEmit: true, types: ["node"], ...options },
        files: ["program.ts"],
      }),
    );
    run(process.execPath, [compiler, "-p", "."], consumer);
  });
}

const program = `
import { DatabricksClient } from "dspy-databricks-agents/databricks";
import { type AgentConfig, loadAgentConfig } from "dspy-databricks-agents/deployment";
import {
  type Check, type ComponentHealth, type DashboardData, DashboardIntegration, type ErrorGroup,
  type ErrorPattern, ErrorSeverity, type ErrorSummary, ErrorTracker, type GrafanaDashboard,
  HealthCheckManager, type HealthReport, HealthStatus, type MetricSummary, MetricsCollector,
  type MetricsHandle, type MetricsResponse, metricsResponse, MonitorError, monitorFetch,
  OverallStatus, type TrackedError,
} from "dspy-databricks-agents/monitoring";

const healthy: "healthy" = HealthStatus.HEALTHY;
const severe: "error" = ErrorSeverity.ERROR;
const critical: "critical" = OverallStatus.CRITICAL;
const check: Check = async ({ signal }) => ({ name: "db", status: signal.aborted ? "unknown" : healthy });
const health = new HealthCheckManager({ timeoutSeconds: 30 });
health.registerCheck("db", check);
const metrics = new MetricsCollector({ maxHistorySize: 10_000 });
const errors = new ErrorTracker();
const pattern: ErrorPattern = {
  name: "many", thresholdCount: 10, timeWindowSeconds: 300,
  alertCallback: (found: readonly TrackedError[]) => found[0]?.message,
};
errors.registerPattern(pattern);
errors.trackError("api.error", "it failed", { severity: severe, context: { any: [1] }, error: null });
const handle: MetricsHandle = metrics.shareHandle();
MetricsCollector.attach(handle).recordLatency("inference_time", 250);
const summary: MetricSummary | undefined = metrics.getMetricSummary("latency_ms", { windowSeconds: 60 });
const response: MetricsResponse = metricsResponse(metrics, "text/plain");
const report: HealthReport = await health.runAllChecks();
const first: ComponentHealth | undefined = report.components[0];
const told: ErrorSummary = errors.getErrorSummary({ timeWindowMinutes: 60 });
const groups: readonly ErrorGroup[] = told.groups;
const client: DatabricksClient = DatabricksClient.fromEnvironment({ profile: "prod" });
const dashboard = new DashboardIntegration(health, metrics, errors, { client });
const data: DashboardData = await dashboard.getDashboardData({ timeRangeMinutes: 30 });
const grafana: GrafanaDashboard = dashboard.generateGrafanaDashboard();
const ask: typeof fetch = monitorFetch({ metrics, errors });
const config: AgentConfig = await loadAgentConfig("agent.yaml", { environment: "prod" });
const endpoint: string = config.deployment.servingEndpoint;
const p99: number | undefined = config.monitoring.alerts?.thresholds.latencyP99ThresholdMs;
if (new Error() instanceof MonitorError) throw new Error();
// @ts-expect-error: there is no such status.
const wrong: DashboardData["overallStatus"] = "broken";
export { ask, critical, endpoint, p99, data, first, grafana, groups, response, summary, wrong };
`;
