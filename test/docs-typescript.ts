/**
 * Runs the TypeScript examples of a page of the docs as a user would: the blocks
 * are type-checked, then run, with `dspy-databricks-agents/…` leading to the
 * sources by the `exports` of package.json. What `console.log(…); // says` in an
 * example says must be what it prints, in this order; `…` stands for anything.
 *
 * A block that imports something begins a program; one that imports nothing goes
 * on with the program before it. So a page can be read from top to bottom.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

const root = new URL("../", import.meta.url).pathname;
const RUN_MAX_MS = 30_000;

type Example = {
  /** The last heading before it, and the line where it begins. */
  readonly title: string;
  readonly code: string;
};

export type ExampleOptions = {
  /** Asked when an example is about to run. Added to the environment of the test. */
  readonly env?: () => Readonly<Record<string, string>>;
  /** What takes the place of an address that the page names. Asked as `env` is. */
  readonly addresses?: () => Readonly<Record<string, string>>;
  /** Whose files the examples find where they run, from the root of the project. */
  readonly folder?: string;
};

/** @param page such as `docs/health.md`, from the root of the project. */
export function testExamples(
  page: string,
  { env = () => ({}), addresses = () => ({}), folder }: ExampleOptions = {},
): void {
  const examples = examplesOf(readFileSync(join(root, page), "utf8"));
  let directory = "";
  before(() => {
    directory = mkdtempSync(join(tmpdir(), "docs-"));
    if (folder !== undefined) cpSync(join(root, folder), directory, { recursive: true });
    installSources(directory);
    for (const [index, { code }] of examples.entries()) {
      writeFileSync(join(directory, fileOf(index)), code);
    }
  });
  after(() => rmSync(directory, { recursive: true, force: true }));

  test(`${page}: it has examples`, () => assert.ok(examples.length > 0));

  test(`${page}: the examples have the right types`, async () => {
    assert.equal(await typeErrorsIn(directory), "");
  });

  for (const [index, { title, code: source }] of examples.entries()) {
    test(`${page}: ${title} runs, says what it says, and ends by itself`, async () => {
      let moved = source;
      for (const [from, to] of Object.entries(addresses())) moved = moved.replaceAll(from, to);
      writeFileSync(join(directory, fileOf(index)), moved);
      const { code, stdout, stderr } = await run(directory, [fileOf(index)], env());
      assert.equal(code, 0, stderr);
      saysInOrder(stdout, printedBy(source));
    });
  }
}

export function examplesOf(markdown: string): Example[] {
  const examples: Example[] = [];
  for (const { groups, index } of markdown.matchAll(
    /^(?<fence>```|~~~)ts\n(?<code>[\s\S]*?)^\k<fence>$/gm,
  )) {
    const code = groups?.code ?? "";
    const above = markdown.slice(0, index);
    const heading =
      above
        .match(/^#+ .*$/gm)
        ?.at(-1)
        ?.replace(/^#+ /, "") ?? "";
    const last = examples.at(-1);
    if (/^import /m.test(code) || !last) {
      examples.push({ title: `"${heading}", line ${above.split("\n").length}`, code });
    } else {
      examples[examples.length - 1] = { title: last.title, code: `${last.code}\n${code}` };
    }
  }
  return examples;
}

/** What the comments behind `console.log` say. */
export function printedBy(code: string): string[] {
  return Array.from(code.matchAll(/\bconsole\.log\(.*\);? *\/\/ (.+)$/gm), ([, said = ""]) => said);
}

export function saysInOrder(stdout: string, said: readonly string[]): void {
  const printed = stdout.split("\n");
  let from = 0;
  for (const text of said) {
    const pattern = new RegExp(`^${text.split("…").map(escaped).join(".*")}$`);
    const at = printed.findIndex((line, index) => index >= from && pattern.test(line));
    assert.ok(
      at >= 0,
      `it does not print "${text}" there, but:\n${printed.slice(from).join("\n")}`,
    );
    from = at + 1;
  }
}

const escaped = (text: string) => text.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&");

const fileOf = (index: number) => `example-${index + 1}.ts`;

/** As after `npm install dspy-databricks-agents`, only that the entries are sources. */
export function installSources(directory: string): void {
  const modules = join(directory, "node_modules");
  const installed = join(modules, "dspy-databricks-agents");
  mkdirSync(installed, { recursive: true });
  for (const name of readdirSync(join(root, "node_modules"))) {
    symlinkSync(join(root, "node_modules", name), join(modules, name));
  }
  symlinkSync(join(root, "src"), join(installed, "src"));

  const manifest: { exports: Record<string, string | { default: string }> } = JSON.parse(
    readFileSync(join(root, "package.json"), "utf8"),
  );
  const exports = Object.entries(manifest.exports).flatMap(([name, entry]) =>
    typeof entry === "string"
      ? []
      : [[name, entry.default.replace("./dist/", "./src/").replace(/\.js$/, ".ts")]],
  );
  const writeJson = (path: string, value: unknown) => writeFileSync(path, JSON.stringify(value));
  writeJson(join(installed, "package.json"), {
    name: "dspy-databricks-agents",
    type: "module",
    exports: Object.fromEntries(exports),
  });
  writeJson(join(directory, "package.json"), { type: "module" });
  writeJson(join(directory, "tsconfig.json"), {
    extends: join(root, "tsconfig.json"),
    include: ["*.ts"],
    exclude: [],
  });
}

/** Whether all files there have the right types; what the compiler says where not. */
export async function typeErrorsIn(directory: string): Promise<string> {
  const compiler = join(root, "node_modules/typescript/bin/tsc");
  const { code, stdout, stderr } = await run(directory, [compiler, "-p", "."]);
  return code === 0 ? "" : stdout + stderr;
}

export type Ended = {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
};

export function run(
  directory: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  const child = spawn(process.execPath, args, {
    cwd: directory,
    timeout: RUN_MAX_MS,
    env: { ...process.env, ...env },
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk) => (stdout += chunk));
  child.stderr.on("data", (chunk) => (stderr += chunk));
  return new Promise((resolve) => child.once("close", (code) => resolve({ code, stdout, stderr })));
}
