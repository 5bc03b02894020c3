/** Our client and the local workspace, two independent readings of one API, agree. */
import { after, before, test } from "node:test";
import { systemClock } from "../src/clock.ts";
import { createDatabricksClient } from "../src/databricks/client.ts";
import { Secret } from "../src/databricks/secret.ts";
import { listWarehouses } from "../src/databricks.ts";
import { type LocalWorkspace, startLocalWorkspace } from "../src/local-workspace/workspace.ts";
import { contractCases } from "./client-contract.ts";

let workspace: LocalWorkspace;
before(async () => {
  workspace = await startLocalWorkspace({ otlpUrl: null, clock: systemClock });
});
after(() => workspace.close());

for (const [name, check] of Object.entries(contractCases)) {
  test(name, async () => {
    const { url: host, token } = workspace;
    const client = createDatabricksClient({
      credentials: {
        host,
        signIn: { kind: "token", token: new Secret(token) },
        source: "environment",
      },
      fetch,
      clock: systemClock,
      random: Math.random,
    });
    const [warehouse] = await listWarehouses(client);
    await check({ client, catalog: "main", warehouseId: warehouse?.id ?? "", prefix: "contract" });
  });
}
