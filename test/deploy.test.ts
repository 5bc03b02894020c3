/** What a deployment does: from nothing to a monitored endpoint, and back. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { changeGrants } from "../src/databricks/grants.ts";
import { getPermissions, replacePermissions } from "../src/databricks/permissions.ts";
import { getServingEndpoint, updateServingConfig } from "../src/databricks/serving-endpoints.ts";
import { listWarehouses } from "../src/databricks/warehouses.ts";
import { getWorkspaceObject } from "../src/databricks/workspace-objects.ts";
import type { DeploymentResult } from "../src/deploy/deployment-result.ts";
import type { DeployProgress } from "../src/deploy/progress.ts";
import { type DeploySetting, openDeploySetting } from "./deploy-setting.ts";

let setting: DeploySetting;
before(() => {
  setting = openDeploySetting({ principals: ["deployer", "newcomer", "logger"] });
});
after(() => setting.close());

const outcomes = ({ steps }: DeploymentResult) =>
  Object.fromEntries(steps.map(({ name, outcome }) => [name, outcome]));
const writes = () => setting.calls().filter((call) => !/^(GET|HEAD) /.test(call));
const deploy = (options: Parameters<DeploySetting["agent"]>[0]) =>
  setting.deployer().deploy(setting.agent(options));
const servedBy = async (name: string) => {
  const { servedEntities, routes } = await getServingEndpoint(setting.client(), name);
  return servedEntities.map(({ name: entity, entityVersion }) => [
    entityVersion,
    routes.find(({ servedEntityName }) => servedEntityName === entity)?.trafficPercentage,
  ]);
};

test("from nothing to a monitored endpoint, and a second run changes nothing", async () => {
  const config = setting.agent({ name: "first" });
  const progress: DeployProgress[] = [];
  const first = await setting.deployer({ onProgress: (one) => progress.push(one) }).deploy(config);
  assert.equal(first.status, "success");
  assert.deepEqual(first.warnings, []);
  assert.deepEqual([first.modelName, first.modelVersion], ["ml.agents.first", "1"]);
  assert.ok(!("previousVersion" in first));
  assert.deepEqual(outcomes(first), {
    validate: "done",
    "model version": "done",
    upload: "done",
    finalize: "done",
    endpoint: "done",
    wait: "done",
    "inference table": "skipped",
    "smoke request": "done",
    "monitoring: health checks": "unchanged",
    "monitoring: schema and volume": "done",
    "monitoring: Delta tables": "done",
    "monitoring: grants": "done",
    "monitoring: notebook": "done",
    "monitoring: AI/BI dashboard": "done",
    "monitoring: Grafana dashboard": "done",
  });
  for (const { name } of first.steps) {
    const told = progress.filter(({ step }) => step === name).map(({ state }) => state);
    assert.equal(told[0], "started", name);
    assert.ok(["done", "unchanged", "skipped"].includes(told.at(-1) ?? ""), name);
  }

  writes();
  const second = await setting.deployer().deploy(config);
  assert.equal(second.status, "unchanged");
  assert.deepEqual(writes(), []);
});

test("other content is another version, and the one before is known", async () => {
  await deploy({ name: "second" });
  const result = await deploy({ name: "second", release: "2" });
  assert.deepEqual(
    [result.status, result.modelVersion, result.previousVersion],
    ["success", "2", "1"],
  );
  assert.deepEqual(await servedBy("second"), [["2", 100]]);
  const back = await deploy({ name: "second", release: "1" });
  assert.equal(back.modelVersion, "1", "the same content is not registered again");
});

test("a change of the endpoint alone registers nothing", async () => {
  await deploy({ name: "resized" });
  writes();
  const result = await deploy({ name: "resized", deployment: ["compute_size: Medium"] });
  assert.equal(result.status, "success");
  assert.deepEqual(writes(), [
    "PUT /api/2.0/serving-endpoints/resized/config",
    "POST /serving-endpoints/resized/invocations",
    "PATCH /api/2.0/serving-endpoints/resized/tags",
  ]);
});

test("a part of the requests goes to the new version, the rest stays with the one before", async () => {
  await deploy({ name: "canary" });
  await deploy({ name: "canary", release: "2", deployment: ["traffic_percentage: 10"] });
  assert.deepEqual(await servedBy("canary"), [
    ["2", 10],
    ["1", 90],
  ]);
  const same = await deploy({
    name: "canary",
    release: "2",
    deployment: ["traffic_percentage: 10"],
  });
  assert.equal(same.status, "unchanged");
  await deploy({ name: "canary", release: "2" });
  assert.deepEqual(await servedBy("canary"), [["2", 100]]);
  assert.equal((await setting.deployer().rollback("canary")).to, "1");
});

test("the served agent is told who it is, and where its telemetry goes", async () => {
  await deploy({
    name: "telling",
    deployment: ["environment_vars: { DOCS: ml.docs.index }"],
    monitoring: ['telemetry: { endpoint: "https://monitor.example" }'],
  });
  const { servedEntities } = await getServingEndpoint(setting.client(), "telling");
  const variables = Object.fromEntries(servedEntities[0]?.environmentVars ?? []);
  const { DSPY_DEPLOYMENT: record = "", ...others } = variables;
  assert.deepEqual(others, {
    DSPY_ENDPOINT: "telling",
    DSPY_MODEL_VERSION: "1",
    OTEL_EXPORTER_OTLP_ENDPOINT: "https://monitor.example",
    DOCS: "ml.docs.index",
  });
  assert.deepEqual(JSON.parse(record), { agent: "telling", agent_version: "0.0.0" });
});

test("an inference table is there from the start, and for an endpoint that had none", async () => {
  const table = ["inference_table: { catalog: ml, schema: agents }"];
  await deploy({ name: "logged", deployment: table });
  await deploy({ name: "logged-later" });
  writes();
  await deploy({ name: "logged-later", deployment: table });
  assert.deepEqual(writes(), ["PUT /api/2.0/serving-endpoints/logged-later/ai-gateway"]);
  for (const name of ["logged", "logged-later"]) {
    const { inferenceTable } = await getServingEndpoint(setting.client(), name);
    assert.equal(inferenceTable?.tableNamePrefix, name.replaceAll("-", "_"));
    assert.equal((await deploy({ name, deployment: table })).status, "unchanged");
  }
});

test("the schema of an inference table is made where there is none, and who may not is told before", async () => {
  const config = setting.agent({
    name: "logged-apart",
    deployment: ["inference_table: { catalog: ml, schema: requests, prefix: apart }"],
  });
  const plan = () => setting.deployer({ as: "logger" }).deploy(config, { dryRun: true });
  const lacks = async () =>
    (await plan()).missingPermissions?.filter(({ purpose }) =>
      /inference|ml\.requests/.test(purpose),
    );
  assert.deepEqual(
    (await lacks())?.map(({ privilege, on }) => `${privilege} on ${on}`),
    ["USE CATALOG on catalog ml", "CREATE SCHEMA on catalog ml"],
  );
  writes();
  assert.deepEqual((await setting.deployer().deploy(config)).warnings, []);
  const made = writes();
  assert.ok(made.indexOf("POST /api/2.1/unity-catalog/schemas") >= 0);
  assert.ok(
    made.indexOf("POST /api/2.1/unity-catalog/schemas") <
      made.indexOf("POST /api/2.0/serving-endpoints"),
  );
  const again = await setting.deployer().deploy(config, { dryRun: true });
  assert.equal(outcomes(again)["inference table"], "unchanged");
});

test("a model that is registered already is served by version or alias", async () => {
  await deploy({ name: "known" });
  const byVersion = await deploy({
    name: "served",
    model: "{ name: ml.agents.known, version: 1 }",
  });
  assert.deepEqual([byVersion.modelName, byVersion.modelVersion], ["ml.agents.known", "1"]);
  assert.ok(!("upload" in outcomes(byVersion)));
  await setting.workspace.ask(
    "PUT /api/2.1/unity-catalog/models/ml.agents.known/aliases/champion",
    { version_num: 1 },
  );
  const byAlias = await deploy({
    name: "served",
    model: "{ name: ml.agents.known, alias: champion }",
  });
  assert.equal(byAlias.status, "unchanged");
});

test("without monitoring there is only the endpoint", async () => {
  const config = setting.agent({ name: "bare" });
  const result = await setting.deployer().deploy(config, { enableMonitoring: false });
  assert.ok(!("monitoring" in result));
  assert.ok(result.steps.every(({ name }) => !name.startsWith("monitoring")));
});

test("monitoring that fails is a warning, and the deployment stands", async () => {
  setting.workspace.faults.add({
    kind: "answer",
    method: "PATCH",
    path: "/api/2.1/unity-catalog/permissions/schema/ml.other",
    status: 403,
    errorCode: "PERMISSION_DENIED",
    message: "User does not have MANAGE on Schema 'ml.other'.",
  });
  const config = setting.agent({ name: "warned", monitoring: [] });
  const tables = { catalog: "ml", schema: "other", prefix: "x", readers: ["analysts"] };
  const result = await setting.deployer().deploy({
    ...config,
    monitoring: { ...config.monitoring, tables },
  });
  assert.equal(result.status, "success");
  assert.equal(outcomes(result)["monitoring: grants"], "failed");
  assert.equal(outcomes(result)["monitoring: Grafana dashboard"], "done");
  assert.match(result.warnings.join(), /grants failed: cannot change the grants on schema/);
});

test("a dry run says what would be done and what is missing, and writes nothing", async () => {
  const config = setting.agent({ name: "planned" });
  writes();
  const plan = await setting.deployer({ as: "deployer" }).deploy(config, { dryRun: true });
  assert.deepEqual(writes(), []);
  assert.deepEqual([plan.status, plan.modelVersion], ["planned", null]);
  assert.equal(outcomes(plan).endpoint, "planned");
  const lacks = (one: DeploymentResult) =>
    one.missingPermissions?.map(({ privilege, on, state }) => `${state}: ${privilege} on ${on}`);
  assert.deepEqual(lacks(plan), [
    "missing: USE CATALOG on catalog ml",
    "missing: USE SCHEMA on schema ml.agents",
    "missing: CREATE MODEL on schema ml.agents",
    "missing: USE SCHEMA on schema ml.monitoring",
    "missing: CREATE TABLE on schema ml.monitoring",
    // It is there, by another deployment, and may not be seen.
    "missing: READ VOLUME on volume ml.monitoring.agent_monitoring_files",
    "missing: WRITE VOLUME on volume ml.monitoring.agent_monitoring_files",
    "missing: MANAGE on schema ml.monitoring",
  ]);
  assert.equal(
    plan.missingPermissions?.[2]?.grant,
    "GRANT CREATE MODEL ON SCHEMA `ml`.`agents` TO `deployer`",
  );

  const admin = setting.client();
  const give = (type: string, fullName: string, add: readonly string[]) =>
    changeGrants(admin, { type, fullName }, [{ principal: "deployer", add }]);
  await give("catalog", "ml", ["USE_CATALOG"]);
  await give("schema", "ml.agents", ["USE_SCHEMA", "CREATE_MODEL"]);
  await give("schema", "ml.monitoring", ["ALL_PRIVILEGES"]);
  const then = await setting.deployer({ as: "deployer" }).deploy(config, { dryRun: true });
  assert.deepEqual(lacks(then), ["missing: MANAGE on schema ml.monitoring"]);
  await give("schema", "ml.monitoring", ["MANAGE"]);
  const done = await setting.deployer({ as: "deployer" }).deploy(config);
  assert.deepEqual([done.status, done.warnings], ["success", []]);
  const settled = await setting.deployer({ as: "deployer" }).deploy(config, { dryRun: true });
  assert.deepEqual(lacks(settled), []);
  assert.deepEqual(
    settled.steps.filter(({ outcome }) => outcome === "planned"),
    [],
  );
});

test("a dry run says what monitoring lacks: tables of somebody else, warehouse, folder, destination", async () => {
  const config = setting.agent({
    name: "lacking",
    monitoring: ["alerts: { webhook: env:NO_SUCH_WEBHOOK, thresholds: {} }"],
  });
  const admin = setting.client();
  await deploy({ name: "first" }); // whose tables, volume and folder are there
  const [warehouse] = await listWarehouses(admin);
  const folder = await getWorkspaceObject(admin, "/Shared");
  assert.ok(warehouse && folder.id !== null);
  const objects = [
    { type: "warehouses", id: warehouse.id },
    { type: "directories", id: folder.id },
  ];
  const before = await Promise.all(objects.map((object) => getPermissions(admin, object)));
  for (const object of objects) {
    const permission_level = object.type === "warehouses" ? "CAN_VIEW" : "CAN_READ";
    await replacePermissions(admin, object, [{ group_name: "users", permission_level }]);
  }
  const give = (type: string, fullName: string, add: readonly string[]) =>
    changeGrants(admin, { type, fullName }, [{ principal: "newcomer", add }]);
  await give("catalog", "ml", ["USE_CATALOG"]);
  for (const schema of ["ml.agents", "ml.monitoring"]) await give("schema", schema, ["USE_SCHEMA"]);
  await give("table", "ml.monitoring.agent_monitoring_metrics", ["SELECT"]);
  const plan = await setting.deployer({ as: "newcomer" }).deploy(config, { dryRun: true });
  const lacks = plan.missingPermissions?.map(({ privilege, on }) => `${privilege} on ${on}`) ?? [];
  for (const one of [
    "MODIFY on schema ml.monitoring",
    "SELECT on table ml.monitoring.agent_monitoring_requests",
    "READ VOLUME on volume ml.monitoring.agent_monitoring_files",
    "WRITE VOLUME on volume ml.monitoring.agent_monitoring_files",
    `CAN USE on SQL warehouse ${warehouse.id}`,
    "CAN EDIT on folder /Shared/dspy-databricks",
    "workspace admin on the workspace",
  ]) {
    assert.ok(lacks.includes(one), `${one} in ${lacks.join(", ")}`);
  }
  // What is there need not be made, and what was given is not missing.
  for (const one of [
    "SELECT on table ml.monitoring.agent_monitoring_metrics",
    "CREATE TABLE on schema ml.monitoring",
    "CREATE VOLUME on schema ml.monitoring",
  ]) {
    assert.ok(!lacks.includes(one), one);
  }
  for (const [index, object] of objects.entries()) {
    const levels = before[index]?.flatMap(({ principal, levels: [first] }) =>
      first && principal === "users"
        ? [{ group_name: principal, permission_level: first.level }]
        : [],
    );
    await replacePermissions(admin, object, levels ?? []);
  }
});

test("rollback brings the version before back, once, however often it is said", async () => {
  for (const release of ["1", "2", "3"]) await deploy({ name: "rolled", release });
  const deployer = setting.deployer();
  const back = { endpointName: "rolled", from: "3", to: "2" };
  assert.deepEqual(await deployer.rollback("rolled"), { ...back, status: "success" });
  assert.deepEqual(await deployer.rollback("rolled"), { ...back, status: "unchanged" });
  assert.deepEqual(await deployer.rollback("rolled", { to: "2" }), {
    ...back,
    status: "unchanged",
  });
  assert.deepEqual(await deployer.rollback("rolled", { to: "1" }), {
    endpointName: "rolled",
    from: "2",
    to: "1",
    status: "success",
  });
  assert.deepEqual(await servedBy("rolled"), [["1", 100]]);
  const status = await deployer.getDeploymentStatus("rolled");
  assert.deepEqual([status.rolledBackFrom, status.previousVersions], ["2", []]);
  const forward = await deploy({ name: "rolled", release: "3" });
  assert.deepEqual([forward.modelVersion, forward.previousVersion], ["3", "1"]);
});

test("what is served, since when, and how it is", async () => {
  await deploy({ name: "shown" });
  await deploy({ name: "shown", release: "2" });
  const status = await setting.deployer().getMonitoringStatus("shown");
  assert.equal(status.overallStatus, "healthy");
  assert.deepEqual(status.endpoint.previousVersions, ["1"]);
  assert.match(status.endpoint.lastChanged ?? "", /^\d{4}-\d\d-\d\dT/);
  const health = await setting.deployer().runHealthCheck("shown");
  assert.deepEqual(
    health.checks.map(({ name, status: each }) => [name, each]),
    [
      ["endpoint", "healthy"],
      ["model", "healthy"],
    ],
  );
});

test("an index that the agent searches belongs to its health, on whichever machine", async () => {
  await deploy({ name: "searching", monitoring: ["vector_index: ml.docs.nothing"] });
  const { status, checks } = await setting.deployer().runHealthCheck("searching");
  assert.equal(status, "unhealthy");
  assert.deepEqual(
    checks.map(({ name }) => name),
    ["endpoint", "model", "vector_store"],
  );
  await deploy({ name: "searching" });
  assert.equal((await setting.deployer().runHealthCheck("searching")).checks.length, 2);
});

test("of two deployments at once one waits for the other, and nothing is lost", async () => {
  await deploy({ name: "contended" });
  const outcomesOfBoth = await Promise.allSettled([
    deploy({ name: "contended", release: "2" }),
    deploy({ name: "contended", release: "3" }),
  ]);
  // Minutes pass in milliseconds here: the first may find out only after the second is done.
  for (const one of outcomesOfBoth) {
    if (one.status === "fulfilled") continue;
    assert.match(String(one.reason), /served version \d and was deployed anew by somebody else/);
  }
  assert.ok(outcomesOfBoth.some(({ status }) => status === "fulfilled"));
  const [[version] = []] = await servedBy("contended");
  const { previousVersions } = await setting.deployer().getDeploymentStatus("contended");
  assert.deepEqual(previousVersions, [version === "2" ? "3" : "2", "1"]);
});

test("two agents that take the same new endpoint at once don't overwrite each other", async () => {
  const deployAt = (servingEndpoint: string, name: string) => {
    const config = setting.agent({ name });
    const deployment = { ...config.deployment, servingEndpoint };
    return setting.deployer().deploy({ ...config, deployment });
  };
  const both = await Promise.allSettled([deployAt("wanted", "early"), deployAt("wanted", "late")]);
  const refusals = both.flatMap((one) => (one.status === "rejected" ? [one.reason.code] : []));
  assert.deepEqual(refusals, ["ENDPOINT_NAME_TAKEN"]);
});

test("the same deployment twice at once ends as one", async () => {
  const config = setting.agent({ name: "twice" });
  const results = await Promise.all([
    setting.deployer().deploy(config),
    setting.deployer().deploy(config),
  ]);
  const [[version, share] = []] = await servedBy("twice");
  assert.equal(share, 100);
  assert.ok(results.some(({ modelVersion }) => modelVersion === version));
  assert.equal((await setting.deployer().deploy(config)).status, "unchanged");
});

test("who stops waiting leaves what was begun, and the next run goes on with it", async () => {
  const stop = new AbortController();
  const reason = new Error("stopped");
  const config = setting.agent({ name: "stopped" });
  const first = setting
    .deployer({
      signal: stop.signal,
      onProgress: ({ step, state }) => {
        if (step === "wait" && state === "started") stop.abort(reason);
      },
    })
    .deploy(config);
  await assert.rejects(first, reason);
  writes();
  assert.equal((await setting.deployer().deploy(config)).status, "success");
  assert.ok(!writes().some((call) => call === "POST /api/2.0/serving-endpoints"));
});

test("what somebody else deployed by hand is not known, so it is not rolled back", async () => {
  await deploy({ name: "by-hand" });
  const entity = { entity_name: "ml.agents.by-hand", entity_version: "1", workload_size: "Small" };
  await updateServingConfig(setting.client(), "by-hand", { served_entities: [entity] });
  await assert.rejects(setting.deployer().rollback("by-hand"), { code: "DEPLOYMENT_CONFLICT" });
  await deploy({ name: "by-hand", release: "2" });
  assert.equal((await setting.deployer().rollback("by-hand")).to, "1");
});
