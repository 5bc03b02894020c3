/** Volumes, as the answers tell them. */
import { test } from "node:test";
import { type ApiCase, checkApiCase } from "./test-answering-client.ts";
import { createVolume, deleteVolume, getVolume, listVolumes } from "./volumes.ts";

const path = "/api/2.1/unity-catalog/volumes";
const input = {
  catalog_name: "ml",
  schema_name: "agents",
  name: "files",
  volume_type: "MANAGED",
} as const;
const answer = {
  full_name: "ml.agents.files",
  volume_id: "f00d",
  volume_type: "MANAGED",
  owner: "ada@example.com",
};
const volume = {
  fullName: "ml.agents.files",
  id: "f00d",
  volumeType: "MANAGED",
  comment: null,
  owner: "ada@example.com",
  storageLocation: null,
};

for (const [what, ...apiCase] of [
  ["made", (c) => createVolume(c, input), answer, `POST ${path} ${JSON.stringify(input)}`, volume],
  ["read", (c) => getVolume(c, "ml.agents.files"), answer, `GET ${path}/ml.agents.files`, volume],
  [
    "listed",
    (c) => listVolumes(c, { catalogName: "ml", schemaName: "agents" }),
    { volumes: [answer] },
    `GET ${path}?catalog_name=ml&schema_name=agents`,
    [volume],
  ],
  ["deleted", (c) => deleteVolume(c, "ml.agents.files"), {}, `DELETE ${path}/ml.agents.files`],
] as readonly (readonly [string, ...ApiCase])[]) {
  test(`a volume is ${what}`, () => checkApiCase(apiCase));
}
