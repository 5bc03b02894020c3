/** Services that still have TypeScript 5.4, Hono 4.6 and Express 4 compile with our types, libraries checked too. */
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { packPackage, root, run, unpackPackage } from "../packed-package.ts";

const installed = join(root, ".peers/old-types/node_modules");
let directory: string;

before(() => {
  directory = mkdtempSync(join(tmpdir(), "old-types-"));
  unpackPackage(packPackage(directory).archive, join(directory, "node_modules"));
  for (const name of ["hono", "express", "@types"]) {
    symlinkSync(join(installed, name), join(directory, "node_modules", name));
  }
  writeFileSync(join(directory, "package.json"), '{"type":"module"}');
});
after(() => rmSync(directory, { recursive: true, force: true }));

for (const [what, program] of Object.entries({
  "every component": `
    import { DatabricksClient } from "dspy-databricks-agents/databricks";
    import * as monitoring from "dspy-databricks-agents/monitoring";
    const metrics = new monitoring.MetricsCollector();
    const errors = new monitoring.ErrorTracker();
    const health = new monitoring.HealthCheckManager();
    const client: DatabricksClient = DatabricksClient.fromEnvironment();
    const dashboard = new monitoring.DashboardIntegration(health, metrics, errors, { client });
    const ask: typeof fetch = monitoring.monitorFetch({ metrics, errors });
    const data: monitoring.DashboardData = await dashboard.getDashboardData();
    export { ask, data };`,
  "the middleware in an app of Hono": `
    import { type Context, Hono } from "hono";
    import { honoMetrics, MetricsCollector } from "dspy-databricks-agents/monitoring";
    const metrics = new MetricsCollector();
    const app = new Hono<{ Variables: { tenant: string } }>();
    app.use(honoMetrics({ metrics }));
    app.use("/a/*", honoMetrics({ metrics, endpointName: (context) => context.req.method }));
    app.use("/b/:name", honoMetrics({
      metrics, endpointName: (context: Context) => context.req.param("name"),
    }));
    export { app };`,
  "the middleware in an app of Express": `
    import express, { type Request } from "express";
    import { expressMetrics, MetricsCollector } from "dspy-databricks-agents/monitoring";
    const metrics = new MetricsCollector();
    const app = express();
    app.use(expressMetrics({ metrics }));
    app.use(expressMetrics({ metrics, endpointName: (request: Request) => request.params.name }));
    export { app };`,
})) {
  test(what, () => {
    writeFileSync(join(directory, "program.ts"), program);
    const options = ["--module", "nodenext", "--target", "es2022", "--strict", "--noEmit"];
    const compiler = join(installed, "typescript/bin/tsc");
    const shown = ["--types", "node", "--esModuleInterop", "program.ts"];
    run(process.execPath, [compiler, ...options, ...shown], directory);
  });
}
