/**
 * The MLflow models that are written without Python, in the hands of real MLflow: loaded,
 * served over HTTP, asked, and their telemetry received by a monitor. The language model
 * is a stub on loopback; DSPy, MLflow, the programs and the telemetry are the real ones.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { readAgentConfig } from "../../src/config/agent-config.ts";
import { buildModelDirectory } from "../../src/deploy/model-directory/model-directory.ts";
import { readSources } from "../../src/deploy/model-directory/read-sources.ts";
import { responsesAgentSignature } from "../../src/deploy/model-directory/signature.ts";
import { writeModelDirectory } from "../../src/deploy/model-directory/write-model-directory.ts";
import { startMonitor } from "../start-monitor.ts";
import { freePort, runProgram, until } from "./run-program.ts";

const root = new URL("../../", import.meta.url);
const bin = fileURLToPath(new URL(".peers/mlflow/bin/", root));
const record = fileURLToPath(new URL("fixtures/telemetry/record/", root));
const driver = fileURLToPath(new URL("model-directory.py", import.meta.url));
const examples = ["support-rag", "order-agent", "triage-pipeline"];

/** MLflow loads a model in 6 to 13 s on an idle machine. */
const SERVE_MAX_MS = 90_000;

let directory: string;
/** DSPy keeps answers of other runs on the disk, and says no usage of them. */
const noAnswersOfBefore = () => ({ DSPY_CACHEDIR: mkdtempSync(join(directory, "cache-")) });
const pathOf = (name: string) => join(directory, name);
before(async () => {
  directory = mkdtempSync(join(tmpdir(), "models-"));
  for (const name of examples) {
    const file = fileURLToPath(new URL(`examples/${name}/agent.yaml`, root));
    const config = readAgentConfig(readFileSync(file, "utf8"), { file });
    assert.ok("code" in config.model);
    await writeModelDirectory(
      buildModelDirectory(await readSources(config, config.model)),
      pathOf(name),
    );
  }
});
after(() => rmSync(directory, { recursive: true, force: true }));

type Told = {
  readonly metadata: Readonly<Record<string, string>>;
  readonly answer: Answer;
  readonly events: readonly {
    type: string;
    delta?: string;
    item?: { content: [{ text: string }] };
  }[];
  readonly refused: string;
};
type Answer = {
  readonly output: readonly { readonly content: readonly { readonly text: string }[] }[];
  readonly custom_outputs?: Readonly<Record<string, unknown>>;
  readonly usage: { readonly input_tokens: number; readonly output_tokens: number };
};
const textOf = ({ output }: Answer) => output[0]?.content[0]?.text ?? "";

test("MLflow loads each example, and its program answers, plain and streamed", async () => {
  const { code, output } = await runProgram(
    "env",
    [
      ...["-C", directory],
      `${bin}python`,
      driver,
      record,
      ...examples.map((name) => `${name}=${pathOf(name)}`),
    ],
    { env: noAnswersOfBefore() },
  );
  assert.equal(code, 0, output);
  const told = JSON.parse(/^JSON(.*)$/m.exec(output)?.[1] ?? "");
  assert.deepEqual(told.signature, responsesAgentSignature, "the signature is MLflow's own");

  const said: Record<string, RegExp> = {
    "support-rag": /^Goods may be returned within 30 days/,
    "order-agent": /^Order A-1001 was shipped on Monday/,
    "triage-pipeline": /^Order A-1001 was shipped on Monday/,
  };
  for (const name of examples) {
    const { metadata, answer, events, refused }: Told = told[name];
    assert.equal(metadata.task, "agent/v1/responses");
    assert.match(metadata.dspy_databricks_content_hash ?? "", /^[0-9a-f]{64}$/);
    assert.match(textOf(answer), said[name] ?? /^$/);
    assert.ok(answer.usage.input_tokens > 100 && answer.usage.output_tokens > 10, name);
    const written = events.flatMap(({ delta }) => delta ?? []);
    assert.equal(written.join(""), events.find(({ item }) => item)?.item?.content[0].text);
    assert.deepEqual(
      events.slice(-2).map(({ type }) => type),
      ["response.output_item.done", "response.completed"],
    );
    // Two predictors of the pipeline write an `answer`, so that DSPy can't stream it.
    assert.ok(name === "triage-pipeline" ? written.length === 1 : written.length > 3, name);
    assert.match(refused, /custom_inputs names nothing; the program takes question/);
  }
  const { custom_outputs } = (told["triage-pipeline"] as Told).answer;
  assert.deepEqual(custom_outputs, { category: "order", urgency: 2, grounded: true, score: 0.87 });
});

test("the program that is deployed is the one that was recorded, by its release", async () => {
  const program = `
import agent, dspy
from dspy_databricks_agents.release import Releases
lm = dspy.LM("openai/gpt-4o-mini", temperature=0.2, max_tokens=500, num_retries=0)
print("RELEASE", Releases().of(agent.program, lm).hash)`;
  const folder = fileURLToPath(new URL("examples/support-rag/", root));
  const { output } = await runProgram(`${bin}python`, ["-c", program], {
    env: {
      PYTHONPATH: `${fileURLToPath(new URL("python/src/", root))}:${folder}`,
      PYTHONDONTWRITEBYTECODE: "1",
    },
  });
  const recorded = new URL("fixtures/telemetry/support-rag/01-ordinary.otlp.pb.gz", root);
  const spans = gunzipSync(readFileSync(recorded)).toString("latin1");
  const [, release] = /dspy\.release[^0-9a-f]+([0-9a-f]{16})/.exec(spans) ?? [];
  assert.match(output, new RegExp(`^RELEASE ${release}$`, "m"));
});

test("`mlflow models serve` answers, and the telemetry tells which module did what", {
  timeout: 180_000,
}, async () => {
  const monitor = await startMonitor();
  const stub = spawn(`${bin}python`, [driver, record], { stdio: ["pipe", "pipe", "inherit"] });
  const [line] = await once(stub.stdout, "data");
  const port = await freePort();
  const args = ["-m", pathOf("triage-pipeline"), "--env-manager", "local", "--host", "127.0.0.1"];
  const server = spawn(`${bin}mlflow`, ["models", "serve", ...args, "--port", String(port)], {
    stdio: ["ignore", "pipe", "pipe"],
    // Its server is a child of it, and ends with its group.
    detached: true,
    // MLflow keeps traces where it is started.
    cwd: directory,
    env: {
      ...process.env,
      ...noAnswersOfBefore(),
      PATH: `${bin}:${process.env.PATH}`,
      OPENAI_BASE_URL: String(line).trim(),
      OPENAI_API_KEY: "x",
      OTEL_EXPORTER_OTLP_ENDPOINT: monitor.url,
      DSPY_ENDPOINT: "triage-pipeline",
      DSPY_MODEL_VERSION: "7",
    },
  });
  let output = "";
  server.stdout.on("data", (chunk) => (output += chunk));
  server.stderr.on("data", (chunk) => (output += chunk));
  try {
    const url = `http://127.0.0.1:${port}`;
    await until(
      "the start of the served model",
      async () => (await fetch(`${url}/ping`)).ok || null,
      SERVE_MAX_MS,
    );
    const answer = await ask(url, "What is the state of order A-4001?");
    assert.match(textOf(answer), /^Order A-4001 was shipped/);
    const refused = await fetch(`${url}/invocations`, bodyOf({ input: [] }));
    assert.equal(refused.status, 400, await refused.text());

    const agent = await until("its telemetry", async () => {
      const found = monitor.monitor.state.agents.get("triage-pipeline");
      return found && found.recent.length > 0 ? found : null;
    });
    const paths = agent.places.inOrder.map(({ kind, path }) => `${kind} ${path}`);
    for (const path of [
      "module self",
      "module self.triage",
      "module self.agent",
      "module self.check",
      "tool execute_tool lookup_order",
    ]) {
      assert.ok(paths.includes(path), `${path} in ${paths.join(", ")}`);
    }
    const [request] = agent.recent.map((one) => one.request);
    assert.equal(request?.modelVersion, "7");
    assert.deepEqual(
      [agent.run.tokens?.input, agent.run.tokens?.output],
      [answer.usage.input_tokens, answer.usage.output_tokens],
      "the monitor counts the tokens that the caller was told",
    );
  } catch (error) {
    throw new Error(output, { cause: error });
  } finally {
    await endGroup(server);
    stub.stdin.end();
    await monitor.close();
  }
});

const bodyOf = (body: unknown) => ({
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify(body),
});

async function ask(url: string, content: string): Promise<Answer> {
  const response = await fetch(
    `${url}/invocations`,
    bodyOf({ input: [{ role: "user", content }] }),
  );
  const text = await response.text();
  assert.equal(response.status, 200, text);
  return JSON.parse(text) as Answer; // as the signature says, which was just compared
}

async function endGroup(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.pid === undefined) return;
  const gone = once(child, "close");
  process.kill(-child.pid, "SIGTERM");
  await gone;
}
