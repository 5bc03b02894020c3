/** The one vector search index, and the refusal of others. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { openTestWorkspace } from "../test-workspace.ts";

const workspace = openTestWorkspace();
after(() => workspace.close());
const BASE = "/api/2.0/vector-search";

test("the index is ready", async () => {
  const response = await workspace.request(`${BASE}/indexes/ml.docs.index`);
  const { name, status } = (await response.json()) as { name: string; status: { ready: boolean } };
  assert.equal(`${response.status} ${name} ${status.ready}`, "200 ml.docs.index true");
  assert.ok(!("detailed_state" in status));
});

test("another index does not exist", async () => {
  const response = await workspace.request(`${BASE}/indexes/ml.docs.other`);
  const { error_code, message } = (await response.json()) as Record<string, string>;
  assert.equal(
    `${response.status} ${error_code}: ${message}`,
    "404 RESOURCE_DOES_NOT_EXIST: Vector search index 'ml.docs.other' does not exist.",
  );
});
