/** What a model is made of, and that its hash says whether anything changed. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { parse } from "yaml";
import { readAgentConfig } from "../../config/agent-config.ts";
import { MonitorError } from "../../monitor-error.ts";
import { importsOf, placesOf } from "./imported-files.ts";
import { buildModelDirectory, type ModelDirectory } from "./model-directory.ts";
import { readSources } from "./read-sources.ts";
import { allRequirements } from "./requirements.ts";

const temporary = mkdtempSync(join(tmpdir(), "model-directory-"));
after(() => rmSync(temporary, { recursive: true }));
let folders = 0;

/** The model of an agent with these files, `agent.py` and those given. */
async function build(
  files: Readonly<Record<string, string>> = {},
  model = "{ code: agent.py }",
): Promise<ModelDirectory> {
  const folder = join(temporary, String(folders++));
  const all = { "agent.py": "program = 1\n", ...files };
  for (const [path, text] of Object.entries(all)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  const yaml = `agent:
  name: a
  model: ${model}
  deployment: { catalog: ml, schema: agents, model_name: a, serving_endpoint: a }`;
  const config = readAgentConfig(yaml, { file: join(folder, "agent.yaml") });
  assert.ok("code" in config.model);
  return buildModelDirectory(await readSources(config, config.model));
}

const textOf = ({ files }: ModelDirectory, path: string) =>
  new TextDecoder().decode(files.get(path) ?? assert.fail(`there is no ${path}`));
const codeOf = ({ files }: ModelDirectory) =>
  [...files.keys()].filter((path) => /^code\/(?!dspy_databricks_agents\/)/.test(path));

test("the same sources are the same bytes, wherever they stand", async () => {
  const [one, other] = [await build(), await build()];
  assert.deepEqual([...one.files], [...other.files]);
  assert.equal(one.contentHash, other.contentHash);
  assert.match(one.contentHash, /^[0-9a-f]{64}$/);
});

for (const [what, files, model] of [
  ["the code", { "agent.py": "program = 2\n" }, undefined],
  ["a file that it imports", { "agent.py": "import tools\n", "tools.py": "" }, undefined],
  ["a requirement", {}, "{ code: agent.py, requirements: [numpy] }"],
  ["the language model", {}, "{ code: agent.py, lm: { model: openai/gpt-4o } }"],
  ["the compiled program", { "p.json": "{}" }, "{ code: agent.py, program: p.json }"],
  ["a file that it reads", { "data.txt": "" }, "{ code: agent.py, files: [data.txt] }"],
] as const) {
  test(`the hash changes with ${what}`, async () => {
    const before = await build();
    assert.notEqual((await build(files, model)).contentHash, before.contentHash);
  });
}

test("its parts are where MLflow looks for them", async () => {
  const built = await build(
    { "p.json": '{"predict": {}}' },
    "{ code: agent.py, program: p.json, requirements: [dspy==3.4.1], lm: { model: openai/x, max_tokens: 7, timeout_seconds: 3 } }",
  );
  assert.deepEqual(JSON.parse(textOf(built, "artifacts/agent.json")), {
    module: "agent",
    lm: { model: "openai/x", max_tokens: 7, timeout: 3 },
  });
  assert.equal(textOf(built, "artifacts/program.json"), '{"predict": {}}');
  assert.match(textOf(built, "requirements.txt"), /^dspy==3\.4\.1\nmlflow>=3/);
  const conda = parse(textOf(built, "conda.yaml"));
  assert.deepEqual(
    conda.dependencies.at(-1).pip,
    textOf(built, "requirements.txt").trim().split("\n"),
  );
  const model = parse(textOf(built, "MLmodel"));
  assert.deepEqual(model.metadata, {
    task: "agent/v1/responses",
    dspy_databricks_content_hash: built.contentHash,
  });
  for (const { path } of Object.values<{ path: string }>(model.flavors.python_function.artifacts)) {
    textOf(built, path);
  }
  textOf(built, "code/dspy_databricks_agents/instrument.py");
});

test("Python files that the code imports come along, with theirs and their packages", async () => {
  const built = await build({
    "agent.py":
      "import tools.search as s\nfrom prompts import (\n  one,  # first\n  two,\n)\nimport dspy\n",
    "tools/__init__.py": "",
    "tools/search.py": "from . import index\nfrom .sub.deep import x\nfrom ..prompts import one\n",
    "tools/index.py": "",
    "tools/sub/__init__.py": "",
    "tools/sub/deep.py": "import agent\n",
    "prompts/__init__.py": "",
    "prompts/one.py": "",
    "prompts/two.py": "",
    "prompts/never.py": "",
    "secret.env": "TOKEN=1",
    "test_agent.py": "import agent",
  });
  assert.deepEqual(codeOf(built), [
    "code/agent.py",
    "code/prompts/__init__.py",
    "code/prompts/one.py",
    "code/prompts/two.py",
    "code/tools/__init__.py",
    "code/tools/index.py",
    "code/tools/search.py",
    "code/tools/sub/__init__.py",
    "code/tools/sub/deep.py",
  ]);
});

test("a folder of files comes whole, without what is hidden or compiled", async () => {
  const built = await build(
    { "data/a.txt": "", "data/b/c.json": "", "data/.secret": "", "data/__pycache__/x.pyc": "" },
    "{ code: agent.py, files: [data] }",
  );
  assert.deepEqual(codeOf(built), ["code/agent.py", "code/data/a.txt", "code/data/b/c.json"]);
});

test("code in a folder of its own is imported from there", async () => {
  const built = await build(
    { "src/bot.py": "import tools\n", "src/tools.py": "" },
    "{ code: src/bot.py, files: [src/tools.py] }",
  );
  assert.deepEqual(codeOf(built), ["code/bot.py", "code/tools.py"]);
  assert.equal(JSON.parse(textOf(built, "artifacts/agent.json")).module, "bot");
});

for (const [what, model, said] of [
  [
    "code that is not there",
    "{ code: other.py }",
    /agent\.yaml: model\.code other\.py could not be read \(ENOENT\)/,
  ],
  [
    "a program that is not there",
    "{ code: agent.py, program: p.json }",
    /model\.program could not be read \(ENOENT\)/,
  ],
  [
    "a name that Python can't import",
    "{ code: my-agent.py }",
    /my-agent\.py is not a Python module/,
  ],
  [
    "a file elsewhere",
    "{ code: src/agent.py, files: [agent.py] }",
    /agent\.py stands outside the folder of src\/agent\.py/,
  ],
] as const) {
  test(`${what} is told before anything is deployed`, async () => {
    await assert.rejects(build({ "my-agent.py": "", "src/agent.py": "" }, model), (error) => {
      assert.ok(error instanceof MonitorError && error.code === "CONFIG_INVALID");
      assert.match(error.message, said);
      return true;
    });
  });
}

test("imports are found as Python writes them", () => {
  const found = importsOf(`
import os, a.b as c
from x import (y as z, w)
from . import sibling
from ..up import thing
    from inner import late  # inside a function
from long import one, \\
    two
text = "no import here"
`);
  for (const module of [
    "os",
    "a.b",
    "x",
    "x.y",
    "x.w",
    ".sibling",
    "..up.thing",
    "inner.late",
    "long.two",
  ]) {
    assert.ok(found.includes(module), `${module} in ${found}`);
  }
  assert.ok(!found.includes("here"));
  assert.deepEqual(placesOf("....beyond", "a/b.py"), []);
});

test("what the user asks for replaces what is needed, whichever way it is written", () => {
  assert.deepEqual(allRequirements(["MLflow[extras]==3.20", "opentelemetry_sdk", "numpy"]), [
    "MLflow[extras]==3.20",
    "opentelemetry_sdk",
    "numpy",
    "dspy>=3.3",
    "opentelemetry-exporter-otlp-proto-http>=1.30",
  ]);
});
