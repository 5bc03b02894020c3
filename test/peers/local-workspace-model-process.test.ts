/** With a Python, the local workspace serves models as real processes of MLflow. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { systemClock } from "../../src/clock.ts";
import { type LocalWorkspace, startLocalWorkspace } from "../../src/local-workspace/workspace.ts";
import { registerModel } from "./register-model.ts";
import { until } from "./run-program.ts";

const python = new URL("../../.peers/mlflow/bin/python", import.meta.url).pathname;

const files = new Map([
  [
    "MLmodel",
    `flavors:
  python_function:
    loader_module: mlflow.pyfunc.loaders.code_model
    model_code_path: python_model.py
metadata:
  task: agent/v1/responses
`,
  ],
  [
    "python_model.py",
    `import os, sys
import mlflow
from mlflow.pyfunc import PythonModel

class Echo(PythonModel):
    def predict(self, context, model_input, params=None):
        word = model_input["word"][0]
        print(f"asked {word}", file=sys.stderr, flush=True)
        if word == "die":
            os._exit(7)
        return [f"{word} {os.environ['KEY']} {os.environ.get('DATABRICKS_TOKEN', 'none')}"]

mlflow.models.set_model(Echo())
`,
  ],
]);

let workspace: LocalWorkspace;
// Answers as they should be; the assertions find out whether they are.
// biome-ignore lint/suspicious/noExplicitAny: a test reads any field of any answer.
type Answer = { readonly status: number; readonly headers: Headers; readonly body: any };

const call = async (method: string, path: string, body?: object): Promise<Answer> => {
  const response = await fetch(workspace.url + path, {
    method,
    headers: { authorization: `Bearer ${workspace.token}`, "content-type": "application/json" },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  return { status: response.status, headers: response.headers, body: await response.json() };
};
const ask = (word: string) =>
  call("POST", "/serving-endpoints/echo/invocations", { dataframe_records: [{ word }] });
const isReady = async () => {
  const { body } = await call("GET", "/api/2.0/serving-endpoints/echo");
  assert.notEqual(body.state.config_update, "UPDATE_FAILED", JSON.stringify(body));
  return body.state.ready === "READY" && body.state.config_update === "NOT_UPDATING" ? true : null;
};
/** Of the processes that serve the model. */
const processes = () =>
  readdirSync("/proc").filter((id) => {
    try {
      const command = readFileSync(`/proc/${id}/cmdline`, "utf8");
      return (
        /mlflow|uvicorn/.test(command) &&
        readFileSync(`/proc/${id}/environ`, "utf8").includes(`KEY=${KEY}`)
      );
    } catch {
      return false;
    }
  });
const KEY = `key-of-${process.pid}`;

before(async () => {
  process.env.DATABRICKS_TOKEN = "must not reach the model";
  workspace = await startLocalWorkspace({ otlpUrl: null, clock: systemClock, python });
  await registerModel(workspace, "ml.default.echo", files);
  await call("POST", "/api/2.0/secrets/scopes/create", { scope: "s" });
  await call("POST", "/api/2.0/secrets/put", { scope: "s", key: "k", string_value: KEY });
  await call("POST", "/api/2.0/serving-endpoints", {
    name: "echo",
    config: {
      served_entities: [
        {
          entity_name: "ml.default.echo",
          entity_version: "1",
          workload_size: "Small",
          environment_vars: { KEY: "{{secrets/s/k}}" },
        },
      ],
    },
  });
  await until("the endpoint is ready", isReady, 90_000);
});
after(() => workspace.close());

test("it answers, with its secrets resolved and nothing of this process's environment", async () => {
  const { status, headers, body } = await ask("hello");
  assert.equal(status, 200, JSON.stringify(body));
  assert.deepEqual(body, { predictions: [`hello ${KEY} none`] });
  assert.equal(headers.get("served-model-name"), "echo-1");
  assert.equal(headers.get("x-local-workspace"), null);
});

test("what it was not made for is refused as MLflow does", async () => {
  const { status, body } = await call("POST", "/serving-endpoints/echo/invocations", { x: 1 });
  assert.equal(`${status} ${body.error_code}`, "400 BAD_REQUEST");
});

test("its output is in the logs, and nowhere is the secret", async () => {
  await until("the question is in the logs", async () => {
    const { body } = await call("GET", "/api/2.0/serving-endpoints/echo/served-models/echo-1/logs");
    return body.logs.includes("asked hello") ? true : null;
  });
  const { body: build } = await call(
    "GET",
    "/api/2.0/serving-endpoints/echo/served-models/echo-1/build-logs",
  );
  assert.match(build.logs, /The container is ready/);
  const { body } = await call("GET", "/api/2.0/serving-endpoints/echo");
  assert.ok(!JSON.stringify([build, body]).includes(KEY));
});

test("a container that dies is started again, and that is counted", async () => {
  await ask("die");
  await until(
    "the container is there again",
    async () => {
      const { body } = await call("GET", "/api/2.0/serving-endpoints/echo");
      const [{ state }] = body.config.served_entities;
      return /Restarted 1 time/.test(state.deployment_state_message) ? state : null;
    },
    90_000,
  );
  assert.equal((await ask("again")).status, 200);
});

test("nothing runs on when the endpoint is deleted", async () => {
  assert.ok(processes().length > 0);
  await call("DELETE", "/api/2.0/serving-endpoints/echo");
  await until("the processes are gone", async () => (processes().length === 0 ? true : null));
});

test("nothing runs on when the workspace is killed", async () => {
  const directory = mkdtempSync(join(tmpdir(), "killed-"));
  const bin = new URL("../../bin/dspy-databricks.js", import.meta.url).pathname;
  const options = ["--port", "0", "--data-dir", directory, "--python", python];
  const child = spawn(process.execPath, [bin, "local", ...options]);
  try {
    const [printed] = await once(child.stdout, "data");
    const [, url = "", token = ""] = /HOST=(\S+)\nDATABRICKS_TOKEN=(\S+)/.exec(`${printed}`) ?? [];
    await registerModel({ url, token }, "ml.default.echo", files);
    const made = await fetch(`${url}/api/2.0/serving-endpoints`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}` },
      body: JSON.stringify({
        name: "echo",
        config: {
          served_entities: [
            {
              entity_name: "ml.default.echo",
              entity_version: "1",
              workload_size: "Small",
              environment_vars: { KEY },
            },
          ],
        },
      }),
    });
    assert.equal(made.status, 200, await made.text());
    await until("a process serves", async () => (processes().length > 0 ? true : null), 90_000);
  } finally {
    child.kill("SIGKILL");
    await once(child, "exit");
  }
  await until("the processes are gone", async () => (processes().length === 0 ? true : null));
  rmSync(directory, { recursive: true });
});
