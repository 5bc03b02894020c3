/** The examples of docs/deployment.md run as they stand there, one after the other, against a new workspace. */
import { after, before } from "node:test";
import { systemClock } from "../src/clock.ts";
import { type LocalWorkspace, startLocalWorkspace } from "../src/local-workspace/workspace.ts";
import { createSecret } from "./deploy-setting.ts";
import { testExamples } from "./docs-typescript.ts";

let workspace: LocalWorkspace;
before(async () => {
  workspace = await startLocalWorkspace({ otlpUrl: null, clock: systemClock, examples: false });
  await createSecret(workspace, { scope: "agents", key: "openai_api_key" });
});
after(() => workspace.close());

const env = () => ({ DATABRICKS_HOST: workspace.url, DATABRICKS_TOKEN: workspace.token });
testExamples("docs/deployment.md", { env, folder: "examples/order-agent" });
