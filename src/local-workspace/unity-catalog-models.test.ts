/** Models as Unity Catalog describes them, and its refusals. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { createTestClock } from "./test-clock.ts";
import { openTestWorkspace } from "./test-workspace.ts";

const createdMs = 1_767_225_600_000;
const workspace = openTestWorkspace({ clock: createTestClock(createdMs) });
after(() => workspace.close());
const BASE = "/api/2.1/unity-catalog/models";

async function check(path: string, expected: { readonly status: number; readonly says: object }) {
  const response = await workspace.request(`${BASE}${path}`);
  assert.equal(response.status, expected.status);
  // As it should be; the assertion finds out whether it is.
  const body = (await response.json()) as Record<string, unknown>;
  const names = Object.keys(expected.says);
  assert.deepEqual(
    Object.fromEntries(names.map((name) => [name, body[name]])),
    expected.says,
    JSON.stringify(body),
  );
}

const version = {
  catalog_name: "main",
  schema_name: "agents",
  model_name: "support_rag",
  version: 1,
  status: "READY",
  created_at: createdMs,
};
const refusal = (code: string, message: string) => ({ error_code: code, message });
const model = "/main.agents.support_rag";

for (const [what, path, status, says] of [
  ["the version that is served", `${model}/versions/1`, 200, { ...version, aliases: undefined }],
  ["its alias", `${model}/aliases/champion`, 200, { ...version, aliases: undefined }],
  ["an alias, however it is spelled", `${model}/aliases/Champion`, 200, version],
  [
    "another version",
    `${model}/versions/2`,
    404,
    refusal(
      "RESOURCE_DOES_NOT_EXIST",
      "Version 2 of model 'main.agents.support_rag' does not exist.",
    ),
  ],
  [
    "another alias",
    `${model}/aliases/latest`,
    404,
    refusal(
      "RESOURCE_DOES_NOT_EXIST",
      "Alias 'latest' of model 'main.agents.support_rag' does not exist.",
    ),
  ],
  [
    "another model",
    "/main.agents.nobody/versions/1",
    404,
    refusal("RESOURCE_DOES_NOT_EXIST", "Model 'main.agents.nobody' does not exist."),
  ],
  [
    "a version that is no number",
    `${model}/versions/latest`,
    400,
    refusal("INVALID_PARAMETER_VALUE", "'latest' is not a model version."),
  ],
] as const) {
  test(what, () => check(path, { status, says }));
}

test("aliases come when they are asked for", async () => {
  const response = await workspace.request(`${BASE}${model}/versions/1?include_aliases=true`);
  const { aliases } = (await response.json()) as { aliases: Record<string, unknown>[] };
  assert.deepEqual(
    aliases.map(({ alias_name, version_num }) => ({ alias_name, version_num })),
    [{ alias_name: "champion", version_num: 1 }],
  );
});
