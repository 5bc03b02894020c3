/**
 * What goes wrong while an agent is deployed: what mends itself, what is told and how,
 * and that the same command run again then finishes.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { getServingEndpoint } from "../../src/databricks/serving-endpoints.ts";
import type { Fault } from "../../src/local-workspace/core/faults.ts";
import { MonitorError } from "../../src/monitor-error.ts";
import { type AgentOptions, type DeploySetting, openDeploySetting } from "../deploy-setting.ts";

let setting: DeploySetting;
before(() => {
  setting = openDeploySetting({ principals: ["deployer"] });
});
after(() => setting.close());

const deploy = (options: AgentOptions) => setting.deployer().deploy(setting.agent(options));
const servedVersion = async (name: string) =>
  (await getServingEndpoint(setting.client(), name)).servedEntities[0]?.entityVersion;

type Effect =
  | Omit<Extract<Fault, { kind: "answer" }>, "path">
  | Omit<Extract<Fault, { kind: "hang" }>, "path">;
const answer = (status: number, errorCode: string, more = {}) => ({
  kind: "answer" as const,
  status,
  errorCode,
  ...more,
});

/** Each call of a deployment that may fail in a way of its own; those of uploads are alike. */
const calls = [
  "GET /api/2.0/serving-endpoints/{name}",
  "GET /api/2.1/unity-catalog/models/ml.{name}.{name}/versions",
  "GET /api/2.1/unity-catalog/schemas/ml.{name}",
  "POST /api/2.1/unity-catalog/schemas",
  "POST /api/2.0/mlflow/unity-catalog/registered-models/create",
  "POST /api/2.0/mlflow/unity-catalog/model-versions/create",
  "PUT /api/2.0/fs/files/Models/ml/{name}/{name}/1/MLmodel",
  "POST /api/2.0/mlflow/unity-catalog/model-versions/finalize",
  "POST /api/2.0/serving-endpoints",
  "POST /serving-endpoints/{name}/invocations",
  "PATCH /api/2.0/serving-endpoints/{name}/tags",
  "GET /api/2.1/unity-catalog/volumes/ml.{name}.agent_monitoring_files",
  "POST /api/2.1/unity-catalog/volumes",
  "PATCH /api/2.1/unity-catalog/permissions/schema/ml.{name}",
  "POST /api/2.0/sql/statements",
  "POST /api/2.0/workspace/import",
  "POST /api/2.0/alerts",
];

const effects: Readonly<Record<string, Effect>> = {
  "is throttled": answer(429, "REQUEST_LIMIT_EXCEEDED", { retryAfterS: 1 }),
  "answers 503": answer(503, "TEMPORARILY_UNAVAILABLE"),
  "answers 503 although it was done": answer(503, "TEMPORARILY_UNAVAILABLE", { when: "after" }),
  hangs: { kind: "hang" } as const,
  "hangs after it was done": { kind: "hang", when: "after" } as const,
  "is refused, since the token has expired": answer(401, "UNAUTHENTICATED"),
};

let agents = 0;
for (const [what, effect] of Object.entries(effects)) {
  test(`whichever call ${what}, the deployment ends well, at the latest when it is run again`, async () => {
    for (const call of calls) {
      // A call that only reads has nothing done that could be lost.
      if (effect.when === "after" && /^GET /.test(call)) continue;
      const name = `fault${agents++}`;
      const config = setting.agent({ name, schema: name });
      const [method = "", path = ""] = call.replaceAll("{name}", name).split(" ");
      setting.workspace.faults.add({ ...effect, method, path } as Fault);
      const first = await setting
        .deployer()
        .deploy(config)
        .catch((error: unknown) => error);
      assert.ok(!(first instanceof Error) || first instanceof MonitorError, String(first));
      const second = await setting.deployer().deploy(config);
      assert.deepEqual(second.warnings, [], call);
      assert.equal(await servedVersion(name), "1", `${call}: one version, and it is served`);
      const third = await setting.deployer().deploy(config);
      assert.equal(third.status, "unchanged", `${call}: ${JSON.stringify(third.steps)}`);
      setting.workspace.faults.clear();
    }
  });
}

test("a call that may be repeated needs no second run", async () => {
  for (const call of calls.filter((one) => /^(GET|PUT|PATCH) /.test(one))) {
    const name = `fault${agents++}`;
    const [method = "", path = ""] = call.replaceAll("{name}", name).split(" ");
    setting.workspace.faults.add({ ...answer(503, "TEMPORARILY_UNAVAILABLE"), method, path });
    const result = await deploy({ name, schema: name });
    assert.deepEqual([result.status, result.warnings], ["success", []], call);
  }
});

test("what is being created twice, since an answer was lost, is there once", async () => {
  for (const path of [
    "/api/2.0/mlflow/unity-catalog/model-versions/create",
    "/api/2.0/serving-endpoints",
  ]) {
    const name = `fault${agents++}`;
    setting.workspace.faults.add({ kind: "hang", when: "after", method: "POST", path });
    const result = await deploy({ name, schema: name });
    assert.deepEqual([result.status, result.modelVersion], ["success", "1"], path);
  }
});

test("an update that fails in Databricks itself leaves what was served, and the next one goes on", async () => {
  await deploy({ name: "refused" });
  const path = "/api/2.0/serving-endpoints/refused/config";
  setting.workspace.faults.add({ ...answer(500, "INTERNAL_ERROR"), method: "PUT", path, times: 9 });
  await assert.rejects(deploy({ name: "refused", release: "2" }), MonitorError);
  assert.equal(await servedVersion("refused"), "1");
  setting.workspace.faults.clear();
  assert.equal((await deploy({ name: "refused", release: "2" })).modelVersion, "2");
});

test("an update that somebody else has begun is waited for", async () => {
  await deploy({ name: "busy" });
  setting.workspace.faults.add({
    ...answer(409, "RESOURCE_CONFLICT"),
    method: "PUT",
    path: "/api/2.0/serving-endpoints/busy/config",
  });
  assert.equal((await deploy({ name: "busy", release: "2" })).status, "success");
});

test("a failed deployment leaves the old version serving, and the mended one goes on", async () => {
  await deploy({ name: "failing" });
  setting.workspace.context.behaviour.failingStarts.set("failing", "No space left on device");
  await assert.rejects(deploy({ name: "failing", release: "2" }), { code: "DEPLOYMENT_FAILED" });
  assert.equal(await servedVersion("failing"), "1");
  setting.workspace.context.behaviour.failingStarts.clear();
  const mended = await deploy({ name: "failing", release: "2" });
  assert.deepEqual([mended.modelVersion, mended.previousVersion], ["2", "1"]);
});

test("a first deployment that failed is finished by the next", async () => {
  setting.workspace.context.behaviour.failingStarts.set("stillborn", "No space left on device");
  await assert.rejects(deploy({ name: "stillborn" }), { code: "DEPLOYMENT_FAILED" });
  setting.workspace.context.behaviour.failingStarts.clear();
  assert.equal((await deploy({ name: "stillborn" })).status, "success");
});

// ─── Messages ───────────────────────────────────────────────────────────────

const messages: string[] = [];

/** Writes down what people are told. */
async function tells(what: string, failing: () => Promise<unknown>): Promise<void> {
  const error = await failing().then(
    () => assert.fail(`${what}: it did not fail`),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof MonitorError, String(error));
  const said = `${error.code}: ${error.message}\n  Hint: ${error.hint}`
    .replaceAll(/\(request [0-9a-f-]+\)/g, "(request …)")
    .replaceAll(/\S*\/(?=agent\.yaml)/g, "");
  messages.push(`# ${what}\n${said}\n`);
}

const failWith = (fault: Fault) => void setting.workspace.faults.add(fault);

test("what people are told says what, where and what to do", async () => {
  await deploy({ name: "told" });
  const asDeployer = (options: AgentOptions) =>
    setting.deployer({ as: "deployer" }).deploy(setting.agent(options));

  await tells("a missing permission to register", () => asDeployer({ name: "forbidden" }));
  await tells("an endpoint that another agent has", async () =>
    setting.deployer().deploy({
      ...setting.agent({ name: "other" }),
      deployment: { ...setting.agent({ name: "other" }).deployment, servingEndpoint: "told" },
    }),
  );
  await tells("an endpoint that somebody else made", () =>
    deploy({ name: "triage-pipeline", schema: "agents" }),
  );
  failWith({
    ...answer(400, "RESOURCE_EXHAUSTED", {
      message: "The workspace has 1000 endpoints, the most it may have.",
    }),
    method: "POST",
    path: "/api/2.0/serving-endpoints",
  });
  await tells("a quota", () => deploy({ name: "many" }));
  await tells("a version that is not there", () =>
    deploy({ name: "told", model: "{ name: ml.agents.told, version: 7 }" }),
  );
  await tells("an alias that is not there", () =>
    deploy({ name: "told", model: "{ name: ml.agents.told, alias: champion }" }),
  );
  await tells("a model that is not there", () =>
    deploy({ name: "told", model: "{ name: ml.agents.nothing, version: 1 }" }),
  );
  await tells("secrets that are not there", () =>
    deploy({ name: "told", deployment: ['environment_vars: { KEY: "{{secrets/agents/key}}" }'] }),
  );
  setting.workspace.context.behaviour.failingStarts.set(
    "told",
    "ModuleNotFoundError: No module named 'tools'",
  );
  await tells("a container that does not start", () => deploy({ name: "told", release: "2" }));
  setting.workspace.context.behaviour.failingStarts.clear();
  await tells("an agent that does not answer", () =>
    deploy({ name: "told", release: "3", question: "What was never recorded?" }),
  );
  await tells("an agent that never answered", () =>
    deploy({ name: "mute", question: "What was never recorded?" }),
  );
  failWith({
    ...answer(401, "UNAUTHENTICATED", { message: "Token is expired." }),
    path: "/api/2.0/serving-endpoints/told",
  });
  await tells("an expired token", () => deploy({ name: "told" }));
  await tells("another environment than it was read for", () =>
    setting.deployer().deploy(setting.agent({ name: "told" }), { environment: "prod" }),
  );
  setting.workspace.context.behaviour.endpointStartMs = 10_000_000;
  await tells("an endpoint that is not ready in time", () =>
    setting
      .deployer({ readyTimeoutMs: 60_000 })
      .deploy(setting.agent({ name: "told", release: "4" })),
  );
  await tells("an update of somebody else that never ends", () =>
    setting
      .deployer({ readyTimeoutMs: 60_000 })
      .deploy(setting.agent({ name: "told", release: "5" })),
  );
  await tells("a rollback while it is being updated", () => setting.deployer().rollback("told"));
  setting.workspace.context.behaviour.endpointStartMs = 5_000;
  await tells("a rollback of nothing", () => setting.deployer().rollback("mute"));
  await tells("a rollback of what is not there", () => setting.deployer().rollback("nothing"));
  await tells("a rollback to a version that is not there", () =>
    setting.deployer().rollback("mute", { to: "9" }),
  );
  await tells("a rollback to no version", () =>
    setting.deployer().rollback("mute", { to: "last" }),
  );

  const path = new URL("deploy-messages.golden.txt", import.meta.url);
  const now = messages.join("\n");
  if (process.env.UPDATE === "1") writeFileSync(path, now);
  assert.equal(now, readFileSync(path, "utf8"), "UPDATE=1 writes it");
});
