/**
 * Which example a model is, by what is in it: only an example that was not changed is
 * answered from recordings. What counts is the agent's own code and its compiled
 * program, wherever a model directory has them.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Hash to the name of the agent whose recordings answer. */
const hashes: Readonly<Record<string, string>> = JSON.parse(
  readFileSync(new URL("../../../fixtures/telemetry/example-hashes.json", import.meta.url), "utf8"),
);

/** `null` when it is none, or was changed. */
export function exampleOf(modelDirectory: string): string | null {
  return hashes[exampleHash(modelDirectory)] ?? null;
}

/** Of the code that the agent brought, and of its compiled program. */
export function exampleHash(modelDirectory: string): string {
  const own = readdirSync(modelDirectory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(modelDirectory.length + 1))
    .filter((path) => isCode(path) || path === "artifacts/program.json")
    .sort();
  const hash = createHash("sha256");
  for (const path of own) {
    const content = createHash("sha256").update(readFileSync(join(modelDirectory, path)));
    hash.update(`${path}\0${content.digest("hex")}\n`);
  }
  return hash.digest("hex");
}

/** The reporting package that the deployer adds is not the agent's. */
const isCode = (path: string) =>
  path.startsWith("code/") && !/^code\/dspy_databricks_agents\/|__pycache__|\.pyc$/.test(path);
