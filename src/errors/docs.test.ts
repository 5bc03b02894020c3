/**
 * The examples of `docs/errors.md` run as they stand there, and print what their
 * comments say. The name of the package leads to the sources.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { promisify } from "node:util";

const sources: Readonly<Record<string, string>> = {
  createDefaultPatterns: "default-patterns.ts",
  ErrorSeverity: "error-severity.ts",
  ErrorTracker: "error-tracker.ts",
};
const monitoring = Object.entries(sources)
  .map(([name, path]) => `export { ${name} } from "${new URL(path, import.meta.url)}";`)
  .join("\n");

const markdown = readFileSync(new URL("../../docs/errors.md", import.meta.url), "utf8");
const examples = Array.from(
  markdown.matchAll(/^```(?:ts)?\n([\s\S]*?)^```$/gm),
  ([, code = ""]) => code,
);

/** What each example prints, in this order; every line of it stands in a comment of the example. */
const expected: readonly (readonly string[])[] = [
  ["high_error_rate 3", "5 3 3", "order database unavailable while reading A-9200"],
  ["resolved", "regressed"],
  ["critical_error Error: the webhook is down"],
  [
    "[email] sent [secret]== for case [n]",
    '{"patient_id":"[secret]","input_tokens":263,"password":"[secret]"}',
  ],
];

const directory = mkdtempSync(join(tmpdir(), "errors-docs-"));
writeFileSync(join(directory, "monitoring.ts"), monitoring);
writeFileSync(join(directory, "package.json"), '{"type":"module"}');
after(() => rmSync(directory, { recursive: true, force: true }));

test("every example is here", () => assert.equal(examples.length, expected.length));

for (const [index, code] of examples.entries()) {
  test(`example ${index + 1} runs, and prints what it says`, async () => {
    const file = join(directory, `example-${index + 1}.ts`);
    writeFileSync(
      file,
      code.replaceAll('"dspy-databricks-agents/monitoring"', '"./monitoring.ts"'),
    );
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [file], {
      timeout: 30_000,
    });
    assert.equal(stderr, "");
    const lines = expected[index] ?? [];
    assert.equal(stdout, `${lines.join("\n")}\n`);
    for (const line of lines) assert.ok(code.includes(`// ${line}\n`), line);
  });
}
