/** The table of hashes is that of the examples as the deployer packs them. `UPDATE=1` writes it anew. */
import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { readAgentConfig } from "../../config/agent-config.ts";
import { buildModelDirectory } from "../../deploy/model-directory/model-directory.ts";
import { readSources } from "../../deploy/model-directory/read-sources.ts";
import { writeModelDirectory } from "../../deploy/model-directory/write-model-directory.ts";
import { agentNames } from "../recordings.ts";
import { exampleHash, exampleOf } from "./example-hash.ts";

const table = new URL("../../../fixtures/telemetry/example-hashes.json", import.meta.url);
const temporary = mkdtempSync(join(tmpdir(), "example-hash-"));
after(() => rmSync(temporary, { recursive: true, force: true }));

const directories = new Map<string, string>();
for (const name of agentNames) {
  const file = `examples/${name}/agent.yaml`;
  const config = readAgentConfig(readFileSync(file, "utf8"), { file });
  assert.ok("code" in config.model);
  const directory = join(temporary, name);
  await writeModelDirectory(
    buildModelDirectory(await readSources(config, config.model)),
    directory,
  );
  directories.set(name, directory);
}

test("the table has the hash of each example, and nothing else", () => {
  const hashes = Object.fromEntries(
    Array.from(directories, ([name, directory]) => [exampleHash(directory), name]),
  );
  if (process.env.UPDATE) writeFileSync(table, `${JSON.stringify(hashes, null, 2)}\n`);
  assert.deepEqual(JSON.parse(readFileSync(table, "utf8")), hashes);
});

test("an example that was changed is none", () => {
  const directory = directories.get("order-agent") ?? assert.fail();
  assert.equal(exampleOf(directory), "order-agent");
  appendFileSync(join(directory, "requirements.txt"), "numpy\n");
  assert.equal(exampleOf(directory), "order-agent");
  appendFileSync(join(directory, "artifacts/program.json"), "\n");
  assert.equal(exampleOf(directory), null);
});
