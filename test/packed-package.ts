/** The package as npm packs it, for tests of what a user gets. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync } from "node:fs";
import { join } from "node:path";

export const root = new URL("../", import.meta.url).pathname;
export const compiler = join(root, "node_modules/typescript/bin/tsc");

export type PackedPackage = {
  readonly archive: string;
  readonly files: readonly string[];
  readonly sizeBytes: number;
};

/** Builds and packs it in a directory for temporary files. */
export function packPackage(directory: string): PackedPackage {
  const built = join(directory, "built");
  run(process.execPath, [compiler, "-p", "tsconfig.build.json", "--outDir", join(built, "dist")]);
  for (const name of [
    "package.json",
    "README.md",
    "CHANGELOG.md",
    "LICENSE",
    "bin",
    "docs/agent.schema.json",
    "examples",
    "python/serving",
    "python/notebooks",
    "python/src",
  ]) {
    cpSync(join(root, name), join(built, name), { recursive: true });
  }
  const answer = run("npm", ["pack", "--json", "--ignore-scripts"], built);
  const [told] = JSON.parse(answer) as [
    { filename: string; size: number; files: { path: string }[] },
  ];
  return {
    archive: join(built, told.filename),
    files: told.files.map(({ path }) => path),
    sizeBytes: told.size,
  };
}

/** Into a `node_modules` directory, without its dependencies. */
export function unpackPackage(archive: string, modules: string): void {
  const unpacked = join(modules, "dspy-databricks-agents");
  mkdirSync(unpacked, { recursive: true });
  run("tar", ["-xzf", archive, "--strip-components=1", "-C", unpacked]);
}

export function run(command: string, args: readonly string[], directory = root): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd: directory,
    encoding: "utf8",
    timeout: 60_000,
  });
  assert.equal(status, 0, `${command} ${args.join(" ")}: ${error ?? ""}${stdout}${stderr}`);
  return stdout;
}
