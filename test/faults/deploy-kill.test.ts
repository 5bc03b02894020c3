/**
 * A deployer that is killed after any single call of the API, and run again, ends as if
 * nothing had happened: one version, one configuration, everything set up.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { AgentConfig } from "../../src/config/agent-config.ts";
import { getServingEndpoint } from "../../src/databricks/serving-endpoints.ts";
import type { Deployer } from "../../src/deploy/deployer.ts";
import { type AgentOptions, type DeploySetting, openDeploySetting } from "../deploy-setting.ts";

let setting: DeploySetting;
before(() => {
  setting = openDeploySetting();
});
after(() => setting.close());

const EVERY_THIRD = 3;

type Work = (deployer: Deployer, config: AgentConfig) => Promise<unknown>;
const deploy: Work = (deployer, config) => deployer.deploy(config);

/** What is done before, by the releases that are deployed; then the work that is killed. */
async function check(
  what: string,
  given: readonly AgentOptions[],
  options: AgentOptions,
  work: Work,
) {
  const prepare = async (name: string) => {
    for (const one of given)
      await setting.deployer().deploy(setting.agent({ ...one, name, schema: name }));
    return setting.agent({ ...options, name, schema: name });
  };
  const calls: string[] = [];
  const undisturbed = await prepare(`${what}0`);
  const counting = setting.deployer({
    onCall: (_, call) => void calls.push(call),
  });
  await work(counting, undisturbed);
  const wanted = await stateOf(`${what}0`);
  assert.ok(calls.length > 3);

  for (let at = 1; at < calls.length; at++) {
    // Files go up one like the other, and tables are made so.
    const isAlike = [isUpload, isStatement].some((is) =>
      [calls[at - 2], calls[at - 1], calls[at]].every(is),
    );
    if (isAlike) continue;
    const name = `${what}${at}`;
    const config = await prepare(name);
    const call = await killedAfter(at, (deployer) => work(deployer, config));
    // It looked once less often whether the endpoint is ready.
    if (call === null) break;
    await work(setting.deployer(), config);
    const found = JSON.stringify(await stateOf(name)).replaceAll(name, `${what}0`);
    assert.deepEqual(JSON.parse(found), wanted, `killed after call ${at}, ${call}`);
    // Once more there is nothing to do. It is looked at for some, since it is the same code.
    if (at % EVERY_THIRD !== 0) continue;
    await work(setting.deployer(), config);
    assert.deepEqual(
      JSON.parse(JSON.stringify(await stateOf(name)).replaceAll(name, `${what}0`)),
      wanted,
    );
  }
}

const isUpload = (call: string | undefined) => call?.startsWith("PUT /api/2.0/fs/files/") ?? false;

const isStatement = (call: string | undefined) => call === "POST /api/2.0/sql/statements";

test("a first deployment", () => check("new", [], {}, deploy));

test("another version over one that serves", () =>
  check("next", [{ release: "1" }], { release: "2" }, deploy));

test("a part of the requests for another version, with an inference table", () =>
  check(
    "part",
    [{ release: "1" }, { release: "2" }],
    {
      release: "1",
      deployment: ["traffic_percentage: 20", "inference_table: { catalog: ml, schema: agents }"],
    },
    deploy,
  ));

test("a rollback", () =>
  check("back", [{ release: "1" }, { release: "2" }, { release: "3" }], {}, (deployer, { name }) =>
    deployer.rollback(name),
  ));

test("a new version that does not answer, so that the one before serves again", () =>
  check(
    "broken",
    [{ release: "1" }],
    { release: "2", deployment: [], question: "What was never recorded?" },
    (deployer, config) => assert.rejects(deployer.deploy(config), { code: "SMOKE_REQUEST_FAILED" }),
  ));

/** Resolves to the last call that was made; `null` when it was done before. */
function killedAfter(
  at: number,
  work: (deployer: Deployer) => Promise<unknown>,
): Promise<string | null> {
  return new Promise((resolve, reject) => {
    const deployer = setting.deployer({
      onCall(count, call) {
        if (count < at) return;
        resolve(call);
        throw new Error("killed");
      },
    });
    work(deployer).then(() => resolve(null), reject);
  });
}

/** All that is to be the same, without times. */
async function stateOf(name: string) {
  const endpoint = await getServingEndpoint(setting.client(), name);
  const model = `ml.${name}.${name}`;
  const { body } = await setting.workspace.ask(
    `GET /api/2.1/unity-catalog/models/${model}/versions`,
  );
  const volume = await setting.workspace.ask(
    `GET /api/2.1/unity-catalog/volumes/ml.${name}.agent_monitoring_files`,
  );
  const grants = await setting.workspace.ask(
    `GET /api/2.1/unity-catalog/permissions/schema/ml.${name}?principal=analysts`,
  );
  const versions: { version: number; status: string }[] = body.model_versions;
  return {
    ready: endpoint.ready,
    configUpdate: endpoint.configUpdate,
    // A second is a quarter of an hour here: its message says whether it sleeps by now.
    entities: endpoint.servedEntities.map(({ environmentVars, message: _, ...entity }) => ({
      ...entity,
      environmentVars: Object.fromEntries(environmentVars),
    })),
    routes: endpoint.routes,
    inferenceTable: endpoint.inferenceTable,
    // Which configuration it is depends on how often it was changed.
    isVerified: endpoint.tags.get("dspy_verified_config") === String(endpoint.configVersion),
    volume: volume.status,
    grants: grants.body.privilege_assignments,
    versions: versions.map(({ version, status }) => `${version} ${status}`).sort(),
  };
}
