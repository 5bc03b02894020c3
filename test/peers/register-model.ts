/** Registers a model in a workspace, as MLflow's client does it: see `mlflow-registry.py` for the client itself. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { readAgentConfig } from "../../src/config/agent-config.ts";
import { buildModelDirectory } from "../../src/deploy/model-directory/model-directory.ts";
import { readSources } from "../../src/deploy/model-directory/read-sources.ts";

export type Workspace = { readonly url: string; readonly token: string };

/** The files of an example, as the deployer packs them. */
export async function exampleFiles(name: string): Promise<ReadonlyMap<string, Uint8Array>> {
  const file = `examples/${name}/agent.yaml`;
  const config = readAgentConfig(readFileSync(file, "utf8"), { file });
  assert.ok("code" in config.model);
  return buildModelDirectory(await readSources(config, config.model)).files;
}

/** Makes the model's first version, in a schema that is there. */
export async function registerModel(
  { url, token }: Workspace,
  name: string,
  files: ReadonlyMap<string, Uint8Array | string>,
): Promise<void> {
  const registry = "/api/2.0/mlflow/unity-catalog";
  const send = async (method: string, path: string, body: string | Uint8Array<ArrayBuffer>) => {
    const response = await fetch(url + path, {
      method,
      headers: { authorization: `Bearer ${token}` },
      body,
    });
    assert.ok(response.ok, `${method} ${path}: ${response.status} ${await response.text()}`);
  };
  const post = (path: string, body: object) => send("POST", registry + path, JSON.stringify(body));
  await post("/registered-models/create", { name });
  await post("/model-versions/create", { name, source: "test" });
  for (const [path, content] of files) {
    const target = `/Models/${name.replaceAll(".", "/")}/1/${path}`;
    await send(
      "PUT",
      `/api/2.0/fs/files${target}?overwrite=true`,
      new Uint8Array(Buffer.from(content)),
    );
  }
  await post("/model-versions/finalize", { name, version: "1" });
}
