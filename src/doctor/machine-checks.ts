/** What this machine must have: Node, DuckDB where a history is kept, and Python's package where one is named. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { isDuckDbInstalled, loadDuckDb } from "../history/duckdb.ts";
import { type Check, failed, ok, skipped, warning } from "./check.ts";

/** As `engines` of package.json says. */
export const NODE_MIN = [22, 13] as const;
const PYTHON_TIMEOUT_MS = 30_000;
const ANSWER_MAX_CHARS = 300;

export function nodeCheck(version: string): Check {
  return {
    name: "node",
    async run() {
      const [major = 0, minor = 0] = version.replace(/^v/, "").split(".").map(Number);
      const [minMajor, minMinor] = NODE_MIN;
      const isEnough = major > minMajor || (major === minMajor && minor >= minMinor);
      const evidence = `Node ${version} runs this; ${NODE_MIN.join(".")} or later is needed.`;
      return isEnough ? ok(evidence) : failed(evidence, "nvm install 24");
    },
  };
}

export const duckDbCheck: Check = {
  name: "DuckDB",
  async run() {
    const fix = "npm install @duckdb/node-api";
    if (!isDuckDbInstalled()) {
      return warning(
        "DuckDB is not installed: a monitor keeps nothing beyond 24 hours, and query and export have nothing to read.",
        fix,
      );
    }
    try {
      const duckDb = await loadDuckDb();
      const instance = await duckDb.DuckDBInstance.create(":memory:");
      const connection = await instance.connect();
      await connection.run("SELECT 1");
      connection.closeSync();
      instance.closeSync();
      return ok(`DuckDB ${duckDb.version()} answers.`);
    } catch (error) {
      const what = error instanceof Error ? error.message.slice(0, ANSWER_MAX_CHARS) : "unknown";
      return failed(`DuckDB is installed and does not run here: ${what}`, fix);
    }
  },
};

const SCRIPT = `import importlib.metadata as m, json, sys
names = ["dspy-databricks-agents", "dspy", "mlflow"]
def version(name):
    try: return m.version(name)
    except m.PackageNotFoundError: return None
print(json.dumps({"python": sys.version.split()[0], **{name: version(name) for name in names}}))`;

/** @param python the program; `null` where none is named. */
export function pythonCheck(python: string | null, wanted: string): Check {
  return {
    name: "Python package",
    async run() {
      if (python === null) return skipped("No Python was named.", "give --python PATH");
      const fix = `${python} -m pip install ./python`;
      let told: Readonly<Record<string, string | null>>;
      try {
        const { stdout } = await promisify(execFile)(python, ["-c", SCRIPT], {
          timeout: PYTHON_TIMEOUT_MS,
        });
        told = JSON.parse(stdout);
      } catch (error) {
        const code = error instanceof Error && "code" in error ? ` (${String(error.code)})` : "";
        return failed(
          `${python} does not run${code}.`,
          "give --python the path of a Python 3.10 or later",
        );
      }
      const has = Object.entries(told)
        .map(([name, version]) => `${name} ${version ?? "is not there"}`)
        .join(", ");
      if (told["dspy-databricks-agents"] === null) {
        return warning(`The package that reports modules is not there: ${has}.`, fix);
      }
      return told["dspy-databricks-agents"] === wanted
        ? ok(`${has}.`)
        : warning(`It is of another version than this, ${wanted}: ${has}.`, fix);
    },
  };
}
