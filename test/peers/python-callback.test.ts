/**
 * The Python package: its own tests with two versions of DSPy, its installation,
 * and a real program of which the monitor says what its callers and its model say.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { Agent } from "../../src/live/agents.ts";
import { startMonitor } from "../start-monitor.ts";
import { runProgram } from "./run-program.ts";

const folder = new URL("../../python/", import.meta.url).pathname;
const script = new URL("python-callback.py", import.meta.url).pathname;
const binOf = (environment: string) =>
  new URL(`../../.peers/${environment}/bin/`, import.meta.url).pathname;

const SUITE_TIMEOUT_MS = 400_000;

for (const [environment, version] of [
  ["dspy", "3.4.1"],
  ["dspy-previous", "3.3.1"],
] as const) {
  const bin = binOf(environment);

  test(`its own tests pass with DSPy ${version}`, { timeout: SUITE_TIMEOUT_MS }, async () => {
    const found = "import importlib.metadata as m; print(m.version('dspy'))";
    assert.equal((await runProgram(`${bin}python`, ["-c", found])).output.trim(), version);
    const args = ["-m", "pytest", "--rootdir", folder, "-c", `${folder}pyproject.toml`, folder];
    const { code, output } = await runProgram(`${bin}python`, args);
    assert.equal(code, 0, output);
  });

  test(`the monitor's figures are those of the callers and of the model, DSPy ${version}`, async () => {
    const { monitor, url, close } = await startMonitor();
    const { code, output } = await runProgram(`${bin}python`, [script, url], {
      env: { PYTHONPATH: `${folder}src:${folder}tests` },
    });
    await close();
    assert.equal(code, 0, output);
    const ledger: Ledger = JSON.parse(/^LEDGER (.*)$/m.exec(output)?.[1] ?? "null");
    const [agent, ...others] = monitor.state.agents.all();
    assert.ok(agent);
    assert.deepEqual(others, []);
    assert.deepEqual([...monitor.state.dropped.keys()], []);

    assert.deepEqual(figuresOf(agent), ledger);
    assert.equal(agent.endpoint, "qa");
    assert.deepEqual([...agent.conventions], ["callback"]);

    // 16 requests of Rag itself, one of which each of three branches of Batch repeats.
    const calls = callsByPath(agent);
    assert.deepEqual(calls, {
      "module self": 19,
      "retriever self.retrieve": 15,
      "module self.generate": 15,
      "module self.generate.predict": 15,
      "module self.rag": 3,
      "retriever self.rag.retrieve": 3,
      "module self.rag.generate": 3,
      "module self.rag.generate.predict": 3,
      "module self.react": 7,
      "module self.extract": 3,
      "module self.extract.predict": 3,
      "tool execute_tool look_up": 4,
      "tool execute_tool broken": 1,
      "tool execute_tool finish": 2,
    });

    assert.deepEqual(errorsOf(agent), {
      "! lm_provider self.generate.predict": 3, // 429, 500, the dropped stream
      "! lm_context self.generate.predict": 1,
      "! timeout self.generate.predict": 1,
      "! adapter_parse self.generate.predict": 1,
      "~ adapter_parse self.generate.predict": 1, // the second adapter could read it
      "~ tool execute_tool broken": 1,
      "~ max_iterations self": 1,
    });
    const streams = agent.recent.filter(({ request }) => request.firstTokenMs !== null);
    assert.ok(streams.length >= 1);
    for (const { request } of agent.recent) assert.match(request.release ?? "", /^[0-9a-f]{16}$/);
    const releases = agent.recent.map(({ request }) => `${request.program} ${request.release}`);
    assert.equal(new Set(releases).size, 3, "one for each program");
  });
}

test("it installs from the checkout, with what it needs and its types", async () => {
  const target = mkdtempSync(join(tmpdir(), "python-package-"));
  try {
    const options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index"];
    const args = ["-m", "pip", "install", ...options, "--target", target, folder];
    const { code, output } = await runProgram(`${binOf("dspy")}python`, args);
    assert.equal(code, 0, output);
    const files = readdirSync(join(target, "dspy_databricks_agents"));
    assert.ok(files.includes("py.typed"));
    const check =
      "import dspy_databricks_agents as d, importlib.metadata as m;" +
      "print(d.__version__, m.requires('dspy-databricks-agents'), d.__file__)";
    const run = await runProgram(`${binOf("dspy")}python`, ["-c", check], {
      env: { PYTHONPATH: target },
    });
    assert.equal(run.code, 0, run.output);
    assert.match(run.output, /^0\.1\.0 \['dspy>=3\.3', 'opentelemetry-exporter-/);
    assert.ok(run.output.includes(target));
  } finally {
    rmSync(target, { recursive: true, force: true });
  }
});

test("it is clean by its own linter", async () => {
  for (const args of [["check"], ["format", "--check"]]) {
    const { code, output } = await runProgram(`${binOf("dspy")}ruff`, [...args, folder]);
    assert.equal(code, 0, output);
  }
});

type Ledger = {
  readonly requests: number;
  readonly failed: number;
  readonly modelCalls: number;
  readonly cacheHits: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
};

/** The same as the ledger, as the monitor has it. */
function figuresOf({ recent, models, run }: Agent): Ledger {
  const requests = recent.map(({ request }) => request);
  const hits = requests.reduce((sum, { cacheHits }) => sum + (cacheHits ?? 0), 0);
  return {
    requests: requests.length,
    failed: requests.filter(({ errorClass }) => errorClass !== null).length,
    modelCalls: [...models.values()].reduce((sum, model) => sum + model.run.calls, 0),
    cacheHits: hits,
    inputTokens: run.tokens?.input ?? 0,
    outputTokens: run.tokens?.output ?? 0,
  };
}

function callsByPath({ places }: Agent): Record<string, number> {
  return Object.fromEntries(
    [...places.values()].map(({ kind, path, run }) => [`${kind} ${path}`, run.calls]),
  );
}

/** `!` failed the request, `~` was survived. */
function errorsOf({ groups }: Agent): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { first, run } of groups.values()) {
    for (const [mark, count] of [
      ["!", run.count - run.handled],
      ["~", run.handled],
    ] as const) {
      const key = `${mark} ${first.errorClass} ${first.path}`;
      if (count > 0) counts[key] = (counts[key] ?? 0) + count;
    }
  }
  return counts;
}
