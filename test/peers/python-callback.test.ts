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
import { cacheHitsOf, errorsOf, failuresOf, runLive, sum } from "./live-program.ts";
import { runProgram } from "./run-program.ts";

const folder = new URL("../../python/", import.meta.url).pathname;
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
    const { agent, outside, calls } = await runLive("callback", environment);
    const requests = agent.recent.map(({ request }) => request);
    assert.equal(requests.length, outside.length);
    assert.deepEqual(agent.run.tokens, {
      input: sum(outside, "inputTokens"),
      output: sum(outside, "outputTokens"),
      cacheRead: sum(outside, "cachedTokens"),
    });
    assert.equal(agent.run.cacheHits, cacheHitsOf(outside));
    assert.ok(cacheHitsOf(outside) >= 2);
    const models = [...agent.models.values()].map(({ model, run }) => [model, run.calls]);
    assert.deepEqual(models, [["gpt-4o-mini", sum(outside, "modelCalls")]]);
    assert.deepEqual([...agent.conventions], ["callback"]);

    // 19 requests of Rag itself, and one of each of three branches of Batch.
    assert.deepEqual(callsByPath(agent), {
      "module self": 23,
      "retriever self.retrieve": 19,
      "module self.generate": 19,
      "module self.generate.predict": 19,
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
    const modules = Object.entries(calls).filter(([name]) => name.startsWith("module "));
    assert.equal(
      modules.reduce((total, [, count]) => total + count, 0),
      23 + 3 * 19 + 4 * 3 + 7 + 2 * 3,
    );

    const survived = { "~ tool": 1, "~ adapter_parse": 1, "~ max_iterations": 1 };
    assert.deepEqual(errorsOf(agent), { ...failuresOf(outside), ...survived });
    const paths = [...agent.groups.values()].map(({ first }) => first.path);
    assert.deepEqual(
      new Set(paths),
      new Set(["self.generate.predict", "execute_tool broken", "self"]),
    );
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

/** Each program has a `self` of its own. */
function callsByPath({ places }: Agent): Record<string, number> {
  const calls: Record<string, number> = {};
  for (const { kind, path, run } of places.inOrder) {
    const key = `${kind} ${path}`;
    calls[key] = (calls[key] ?? 0) + run.calls;
  }
  return calls;
}
