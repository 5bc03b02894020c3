/**
 * The public API as TypeScript sees it: the declarations that can be reached from the
 * entries of package.json, without comments, joined into one file, so that a change is seen and
 * meant. `UPDATE=1` writes it anew.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { test } from "node:test";
import { compiler, root, run } from "./packed-package.ts";

const golden = join(root, "test/public-api.golden.txt");

/** By the file that an import names, as `./sender.ts`: its declarations stand beside it. */
const IMPORTED = /(?:from|import\()\s*"(\.[^"]+)\.ts"/g;

/** What every user's compiler would have to know: TypeScript 5.4 does not know buffers of a kind. */
const TOO_NEW =
  /\b(?:\w+Array|DataView|Buffer)<(?:ArrayBuffer|SharedArrayBuffer|ArrayBufferLike)\b/;

const declarations = emitDeclarations();

test("the public API is as recorded", () => {
  const actual = [...declarations]
    .map(([path, text]) => `// ${path}\n\n${text.trimEnd()}\n`)
    .join("\n");
  if (process.env.UPDATE) writeFileSync(golden, actual);
  assert.equal(actual, readFileSync(golden, "utf8"));
});

test("every entry of package.json is in it", () => {
  const entries = entryFiles();
  assert.ok(entries.includes("monitoring.d.ts") && entries.includes("databricks.d.ts"));
  for (const entry of entries) assert.ok(declarations.has(entry), entry);
});

test("TypeScript 5.4 can read it", () => {
  for (const [path, text] of declarations) assert.doesNotMatch(text, TOO_NEW, path);
  assert.match("body: Uint8Array<ArrayBuffer>;", TOO_NEW);
});

function entryFiles(): readonly string[] {
  const { exports }: { exports: Record<string, string | { types?: string }> } = JSON.parse(
    readFileSync(join(root, "package.json"), "utf8"),
  );
  return Object.values(exports).flatMap((entry) =>
    typeof entry === "string" || !entry.types ? [] : [relative("dist", entry.types)],
  );
}

/** By their path, the entries and what they lead to. */
function emitDeclarations(): ReadonlyMap<string, string> {
  const directory = mkdtempSync(join(tmpdir(), "public-api-"));
  try {
    const emit = ["-p", "tsconfig.build.json", "--emitDeclarationOnly", "--removeComments"];
    run(process.execPath, [compiler, ...emit, "--outDir", directory]);
    const found = new Map<string, string>();
    const ahead = [...entryFiles()];
    for (let path = ahead.pop(); path !== undefined; path = ahead.pop()) {
      if (found.has(path)) continue;
      const text = readFileSync(join(directory, path), "utf8");
      found.set(path, text);
      for (const [, name] of text.matchAll(IMPORTED)) {
        ahead.push(join(dirname(path), `${name}.d.ts`));
      }
    }
    return new Map([...found].sort(([one], [other]) => (one < other ? -1 : 1)));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
