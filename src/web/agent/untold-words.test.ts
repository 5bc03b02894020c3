/** What the page says of a convention is what the table of the docs says. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { untoldBy, untoldWords } from "./untold-words.ts";

/** Rows of the table that the page speaks of, and in which words. */
const words: Readonly<Record<string, string>> = {
  "module path (`self.rag.generate`)": "module paths",
  "release of the program, hash of each predictor": "releases",
  "tokens of a request": "tokens",
  "tokens of a module or model call": "tokens of single modules and models",
  cost: "cost",
  "DSPy cache hits": "cache hits",
  "time to first token": "time to first token",
  "retries of a model call": "retries",
};

const columns = ["callback", "openinference", "openinference and litellm", "mlflow", "genai"];
const isUntold = (cell: string) => /^(?:–|span name|lost)/.test(cell);

/** By column, what the table says is not told. */
const untoldInDocs = new Map(columns.map((column) => [column, [] as string[]]));
for (const line of readFileSync("docs/telemetry.md", "utf8").split("\n")) {
  const [, row = "", ...cells] = line.split("|").map((cell) => cell.trim());
  const said = words[row];
  if (said === undefined) continue;
  columns.forEach((column, index) => {
    if (isUntold(cells[index] ?? "")) untoldInDocs.get(column)?.push(said);
  });
}

for (const convention of ["callback", "openinference", "mlflow", "genai"]) {
  test(`${convention}: the page says what the docs say`, () => {
    const { untold = [], withLiteLlm = [] } = untoldBy[convention] ?? {};
    const told = untoldInDocs.get(convention) ?? [];
    assert.ok(told.length > 0);
    assert.deepEqual([...untold, ...withLiteLlm].sort(), [...told].sort());
    if (convention !== "openinference") return;
    assert.deepEqual([...untold].sort(), untoldInDocs.get("openinference and litellm")?.sort());
  });
}

test("a sentence for each convention; none for telemetry of no convention", () => {
  assert.deepEqual(untoldWords(["none"]), []);
  assert.deepEqual(untoldWords(["callback"]), ["Our Python package does not tell: retries."]);
  assert.equal(untoldWords(["openinference", "mlflow"]).length, 2);
});
