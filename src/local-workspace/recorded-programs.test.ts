/** The examples, as the deployer makes models of them, are known; changed ones are not. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { readAgentConfig } from "../config/agent-config.ts";
import { buildModelDirectory } from "../deploy/model-directory/model-directory.ts";
import { readSources } from "../deploy/model-directory/read-sources.ts";
import { hashOfSources, recordedProgramOf } from "./recorded-programs.ts";
import { agentNames } from "./recordings.ts";

async function modelOf(name: string, environment?: string) {
  const file = fileURLToPath(new URL(`../../examples/${name}/agent.yaml`, import.meta.url));
  const config = readAgentConfig(readFileSync(file, "utf8"), { file, environment });
  assert.ok("code" in config.model);
  return buildModelDirectory(await readSources(config, config.model)).files;
}

for (const name of agentNames) {
  test(`${name} is known, in every environment`, async () => {
    for (const environment of [undefined, "dev", "prod"]) {
      const files = await modelOf(name, environment);
      assert.equal(recordedProgramOf(files), name, hashOfSources(files));
    }
  });

  test(`${name} with one byte more is another program`, async () => {
    const files = new Map(await modelOf(name));
    const code = files.get("code/agent.py") ?? assert.fail();
    files.set("code/agent.py", new Uint8Array([...code, 10]));
    assert.equal(recordedProgramOf(files), null);
    files.set("code/agent.py", code);
    files.set("code/helper.py", new Uint8Array());
    assert.equal(recordedProgramOf(files), null);
  });
}
