/** The deployer's contract, against the local workspace: over HTTP, as a real one is asked. */

import { openDeploySetting } from "./deploy-setting.ts";
import { testDeployer } from "./deployer-contract.ts";

testDeployer(async () => {
  const setting = openDeploySetting();
  return {
    client: setting.client(),
    deployer: setting.deployer(),
    question: "Where is my order A-1001?",
    // Without a Python, the local workspace runs no other code than the example's.
    agent: ({ release, isBroken = false }) =>
      setting.agent({ name: "contract", release, ...(isBroken && { code: "raise SystemExit" }) }),
    registered: (version) =>
      setting.agent({
        name: "contract",
        model: `{ name: ml.agents.contract, version: ${version} }`,
      }),
    close: () => setting.close(),
  };
});
