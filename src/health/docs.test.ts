/** The examples of `docs/health.md` run as they stand there, and print what their comments say. */
import { after, before } from "node:test";
import { testExamples } from "../../test/docs-typescript.ts";
import { systemClock } from "../clock.ts";
import { type LocalWorkspace, startLocalWorkspace } from "../local-workspace/workspace.ts";

let workspace: LocalWorkspace;
before(async () => {
  workspace = await startLocalWorkspace({ otlpUrl: null, clock: systemClock });
});
after(() => workspace.close());

testExamples("docs/health.md", {
  env: () => ({ DATABRICKS_HOST: workspace.url, DATABRICKS_TOKEN: workspace.token }),
});
