/** The examples of the pages that concern more than one component run as they stand there. */
import { after, before } from "node:test";
import { systemClock } from "../src/clock.ts";
import { type LocalWorkspace, startLocalWorkspace } from "../src/local-workspace/workspace.ts";
import { testExamples } from "./docs-typescript.ts";

let workspace: LocalWorkspace;
before(async () => {
  workspace = await startLocalWorkspace({ otlpUrl: null, clock: systemClock });
});
after(() => workspace.close());

const env = () => ({ DATABRICKS_HOST: workspace.url, DATABRICKS_TOKEN: workspace.token });
testExamples("docs/monitoring.md", { env });
testExamples("docs/calls.md", { env });
testExamples("docs/local-workspace.md");
