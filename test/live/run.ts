/**
 * `npm run test:live`: the contract cases against the workspace of the credentials. It
 * says what it makes there and asks first; `--yes` answers for you.
 *
 *     DSPY_LIVE_CATALOG=ml DSPY_LIVE_WAREHOUSE=0123456789abcdef npm run test:live
 *
 * Without a warehouse, the cases of the client are left out.
 */
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline/promises";
import { DatabricksClient } from "../../src/databricks.ts";

const warehouse = process.env.DSPY_LIVE_WAREHOUSE;
const { host } = DatabricksClient.fromEnvironment();
const catalog = process.env.DSPY_LIVE_CATALOG;
if (!catalog) {
  process.stderr.write(
    "Set DSPY_LIVE_CATALOG to a catalog in which you may create schemas: the cases make one there, and remove it.\n",
  );
  process.exit(2);
}
if (warehouse) {
  process.stderr.write(
    `On ${host} this makes schemas dspy_live_… in catalog ${catalog}, with a table, a volume, a model and grants in them,
folders in /Shared with a notebook, an alert, a dashboard and an experiment in them, secret scopes, two jobs, one of which
runs and is cancelled, and a notification destination, all of such names, runs some SQL on warehouse ${warehouse}, and
removes all of it; an alert and a dashboard go to the trash.
`,
  );
}
process.stderr.write(
  `On ${host} this makes a schema dspy_live_… in catalog ${catalog}, with a model and a volume in it, and a serving
endpoint of the same name (Small, scaled to zero when idle). It deploys four times, which takes about an hour and
costs what that endpoint costs, and removes all of it in the end. Nothing else is changed.
`,
);
if (!process.argv.includes("--yes")) {
  const asked = createInterface({ input: process.stdin, output: process.stderr });
  const closed = once(asked, "close").then(() => "no");
  const answer = await Promise.race([asked.question("Go on? (yes/no) "), closed]);
  asked.close();
  if (answer.trim() !== "yes") process.exit(1);
}
const files = [...(warehouse ? ["client.test.ts"] : []), "deployer.test.ts"];
/** A build takes a quarter of an hour, or longer. */
const CASE_MAX_MS = 3_600_000;
const { status } = spawnSync(
  process.execPath,
  [
    "--test",
    `--test-timeout=${CASE_MAX_MS}`,
    "--test-reporter=spec",
    "--test-concurrency=1",
    ...files.map((file) => new URL(file, import.meta.url).pathname),
  ],
  { stdio: "inherit" },
);
process.exitCode = status ?? 1;
