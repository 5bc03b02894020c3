/**
 * Makes what the peer tests need and no package of ours brings: environments of Python
 * and of npm under `.peers/`, once. Names on the command line choose some of them:
 *
 *     node test/peers/set-up.ts dspy dspy-previous
 */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { runProgram } from "./run-program.ts";

const openTelemetry = [
  "opentelemetry-sdk==1.45.2",
  "opentelemetry-exporter-otlp-proto-http==1.45.2",
];
/** What the Python package is built with and tested by. */
const packageTests = ["hatchling==1.33.0", "pytest==9.2.0", "ruff==0.17.6"];

/** Old versions that a service may still have, which exclude those that we develop with. */
const npmEnvironments: Readonly<Record<string, readonly string[]>> = {
  "old-types": [
    "typescript@5.4.5",
    "hono@4.6.0",
    "express@4.21.2",
    "@types/express@4.17.23",
    "@types/node@22.20.5",
  ],
};

const environments: Readonly<Record<string, readonly string[]>> = {
  python: ["databricks-sdk==0.156.0", ...openTelemetry],
  // Apart, since it brings a hundred packages and versions of its own.
  mlflow: ["mlflow==3.17.2", "dspy==3.4.1", ...openTelemetry],
  openinference: [
    "dspy==3.4.1",
    "openinference-instrumentation-dspy==0.1.48",
    "openinference-instrumentation-litellm==0.1.51",
    ...openTelemetry,
  ],
  dspy: ["dspy==3.4.1", ...openTelemetry, ...packageTests],
  // The file of DuckDB's extension, which DuckDB loads itself.
  "duckdb-delta": ["duckdb-extension-delta==1.5.5"],
  // What a Databricks runtime brings for a notebook, too.
  spark: [
    ...["pyspark==4.2.0", "delta-spark==4.4.0", "deltalake==1.6.6", "pyarrow==24.0.0"],
    ...["matplotlib==3.10.8", "databricks-sdk==0.156.0"],
  ],
  "dspy-previous": ["dspy==3.3.1", ...openTelemetry, ...packageTests],
};

const chosen = process.argv.slice(2);
const unknown = chosen.filter((name) => !(name in environments || name in npmEnvironments));
if (unknown.length > 0) throw new Error(`no such environment: ${unknown.join(", ")}`);

for (const [name, requirements] of Object.entries(environments)) {
  if (chosen.length > 0 && !chosen.includes(name)) continue;
  const environment = new URL(`../../.peers/${name}/`, import.meta.url).pathname;
  const ready = `${environment}ready-${requirements.join("-")}`;
  if (existsSync(ready)) continue;
  process.stderr.write(`Installing ${requirements.join(", ")} under .peers/ …\n`);
  await must("python3", ["-m", "venv", environment]);
  await must(`${environment}bin/pip`, ["install", "--quiet", ...requirements]);
  // Otherwise the first start compiles thousands of files, and a minute passes.
  await must(
    `${environment}bin/python`,
    ["-m", "compileall", "-q", "-j", "0", `${environment}lib`],
    {
      mayFail: true,
    },
  );
  writeFileSync(ready, "");
}

for (const [name, packages] of Object.entries(npmEnvironments)) {
  if (chosen.length > 0 && !chosen.includes(name)) continue;
  const environment = new URL(`../../.peers/${name}/`, import.meta.url).pathname;
  const ready = `${environment}ready-${packages.join("-").replaceAll("/", "-")}`;
  if (existsSync(ready)) continue;
  process.stderr.write(`Installing ${packages.join(", ")} under .peers/ …\n`);
  mkdirSync(environment, { recursive: true });
  const quiet = ["--no-audit", "--no-fund", "--no-save", "--no-package-lock"];
  await must("npm", ["install", "--prefix", environment, ...quiet, ...packages]);
  writeFileSync(ready, "");
}

// The part of Spark that Java brings: jars of Delta, by Maven.
const jars = new URL("../../.peers/spark/jars/", import.meta.url).pathname;
if ((chosen.length === 0 || chosen.includes("spark")) && !existsSync(`${jars}ready-4.4.0`)) {
  process.stderr.write("Fetching the jars of Delta 4.4.0 under .peers/ …\n");
  await must("mvn", [
    ...["-q", "-B", "-f", new URL("delta-jars.pom.xml", import.meta.url).pathname],
    "dependency:copy-dependencies",
    "-DincludeScope=runtime",
    "-DincludeGroupIds=io.delta,io.unitycatalog",
    `-DoutputDirectory=${jars}`,
  ]);
  writeFileSync(`${jars}ready-4.4.0`, "");
}

/** @param mayFail where a package holds files that are for another Python. */
async function must(
  command: string,
  args: readonly string[],
  { mayFail = false } = {},
): Promise<void> {
  const { code, output } = await runProgram(command, args);
  if (code !== 0 && !mayFail) throw new Error(`${command} ${args.join(" ")} failed:\n${output}`);
}
