/**
 * What a deployer promises, written once: `deployer-contract.test.ts` runs it against the
 * local workspace, `npm run test:live` against a real one. The cases build on each other,
 * since a deployment takes a quarter of an hour there.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { AgentConfig } from "../src/config/agent-config.ts";
import type { DatabricksClient } from "../src/databricks/client.ts";
import { queryServingEndpoint } from "../src/databricks/serving-invocations.ts";
import type { Deployer } from "../src/deploy/deployer.ts";
import { MonitorError } from "../src/monitor-error.ts";

export type ContractSetting = {
  readonly deployer: Deployer;
  readonly client: DatabricksClient;
  /** The same agent each time; another release is other content, a broken one does not start. */
  agent(options: { readonly release: string; readonly isBroken?: boolean }): AgentConfig;
  /** The same agent by the name and version of its model. */
  registered(version: number): AgentConfig;
  /** What it answers. */
  readonly question: string;
  /** Takes away all that the cases made, and nothing else. */
  close(): Promise<void>;
};

export function testDeployer(open: () => Promise<ContractSetting>): void {
  let setting: ContractSetting;
  before(async () => {
    setting = await open();
  });
  after(() => setting?.close());
  const deploy = (release: string) => setting.deployer.deploy(setting.agent({ release }));
  const endpointName = () => setting.agent({ release: "1" }).deployment.servingEndpoint;
  const servedVersion = async () =>
    (await setting.deployer.getDeploymentStatus(endpointName())).serving[0]?.modelVersion;

  test("a dry run plans all and makes nothing", async () => {
    const plan = await setting.deployer.deploy(setting.agent({ release: "1" }), { dryRun: true });
    assert.equal(plan.status, "planned");
    assert.deepEqual(
      plan.missingPermissions?.filter(({ state }) => state === "missing"),
      [],
    );
    await assert.rejects(setting.deployer.getDeploymentStatus(endpointName()), {
      code: "ENDPOINT_UNKNOWN",
    });
  });

  test("a first deployment answers and is healthy", async () => {
    const result = await deploy("1");
    assert.deepEqual([result.status, result.modelVersion], ["success", "1"]);
    assert.deepEqual(result.warnings, []);
    const message = { role: "user", content: setting.question };
    const { json } = await queryServingEndpoint(setting.client, endpointName(), {
      input: [message],
    });
    assert.match(JSON.stringify(json), /"output_text"/);
    assert.equal((await setting.deployer.runHealthCheck(endpointName())).status, "healthy");
  });

  test("the same again changes nothing", async () => {
    assert.equal((await deploy("1")).status, "unchanged");
  });

  test("other content is the next version", async () => {
    const result = await deploy("2");
    assert.deepEqual([result.modelVersion, result.previousVersion], ["2", "1"]);
  });

  test("a version that does not start leaves the one before serving", async () => {
    const broken = setting.agent({ release: "3", isBroken: true });
    await assert.rejects(setting.deployer.deploy(broken), { code: "DEPLOYMENT_FAILED" });
    assert.equal(await servedVersion(), "2");
  });

  test("rollback serves the version before, once", async () => {
    const back = { endpointName: endpointName(), from: "2", to: "1" };
    assert.deepEqual(await setting.deployer.rollback(endpointName()), {
      ...back,
      status: "success",
    });
    assert.deepEqual(await setting.deployer.rollback(endpointName()), {
      ...back,
      status: "unchanged",
    });
    assert.equal(await servedVersion(), "1");
  });

  test("a registered version is deployed by its name; one that is not there is refused", async () => {
    const result = await setting.deployer.deploy(setting.registered(2));
    assert.deepEqual([result.status, result.modelVersion], ["success", "2"]);
    await assert.rejects(setting.deployer.deploy(setting.registered(99)), (error) => {
      assert.ok(error instanceof MonitorError && error.code === "MODEL_VERSION_UNKNOWN");
      return true;
    });
  });
}
