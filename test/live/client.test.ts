/**
 * The client's contract, against a real workspace. It is started by `npm run test:live`,
 * which asks before. All that it makes has `dspy_live_` and a random number in its name,
 * and is taken away again, also when a case fails.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { DatabricksClient } from "../../src/databricks.ts";
import { contractCases } from "../client-contract.ts";

const { DSPY_LIVE_CATALOG: catalog, DSPY_LIVE_WAREHOUSE: warehouseId } = process.env;
assert.ok(catalog && warehouseId, "start it by npm run test:live, which asks first");

const prefix = `dspy_live_${randomBytes(4).toString("hex")}`;
const client = DatabricksClient.fromEnvironment();
for (const [name, check] of Object.entries(contractCases)) {
  test(name, () => check({ client, catalog, warehouseId, prefix }));
}
