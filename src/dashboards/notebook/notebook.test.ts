/** The notebook of an agent: its exact JSON, its six sections, and names that try to be code. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { defaultTablePlace } from "../../history/databricks-tables.ts";
import { defaultAlertThresholds } from "../../rules/alert-thresholds.ts";
import { monitoringNotebook, type Notebook } from "./notebook.ts";
import { pythonLiteral } from "./python-text.ts";

function notebookOf(names: { readonly agentName?: string; readonly endpointName?: string }) {
  return monitoringNotebook({
    agentName: "qa_agent",
    endpointName: "prod-qa-agent",
    place: defaultTablePlace,
    thresholds: defaultAlertThresholds,
    ...names,
  });
}

const textOf = ({ cells }: Notebook) => cells.map(({ source }) => source.join(""));

test("as recorded", () => {
  const golden = new URL("golden/notebook.ipynb", import.meta.url);
  const text = `${JSON.stringify(notebookOf({}), null, 1)}\n`;
  if (process.env.UPDATE) writeFileSync(golden, text);
  assert.equal(text, readFileSync(golden, "utf8"));
});

test("six sections", () => {
  assert.deepEqual(
    textOf(notebookOf({})).flatMap((text) => /^## (\d\. .*)$/m.exec(text)?.[1] ?? []),
    [
      "1. Health status overview",
      "2. Performance metrics",
      "3. Error analysis",
      "4. Endpoint metrics",
      "5. Alerts configuration",
      "6. Data export",
    ],
  );
});

const hostile = [
  "\n# COMMAND ----------\nimport os",
  "%sh rm -rf /",
  "\r\n# MAGIC %sql DROP TABLE x",
  '"); __import__("os").system("id") #',
  "\u2028%md <script>alert(1)</script>",
  "'; DROP TABLE x; --",
  "\\",
];

/** Each cell has the lines that it has with plain names, and begins as it begins there. */
function staysData(name: string): void {
  const plain = textOf(notebookOf({}));
  const cells = textOf(notebookOf({ agentName: name, endpointName: name }));
  assert.equal(cells.length, plain.length);
  for (const [at, cell] of cells.entries()) {
    const lines = cell.split(/[\n\r\u2028\u2029\u0085]/);
    const expected = (plain[at] ?? "").split("\n");
    assert.deepEqual(
      lines.map((line) => line.slice(0, 4)),
      expected.map((line) => line.slice(0, 4)),
    );
    if (at !== 1) assert.equal(cell, plain[at]);
  }
}

for (const name of hostile) test(`${JSON.stringify(name)} stays a name`, () => staysData(name));

test("whatever a name holds, it stays a name", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 40 }), (name) => staysData(name)),
    { numRuns: 200 },
  );
});

test("a literal is one line of ASCII", () => {
  assert.equal(
    pythonLiteral({ a: ['\u00e9\n"', 1.5, null], "\u{1f600}": "\\" }),
    '{"a": ["\\U000000e9\\U0000000a\\U00000022", 1.5, None], "\\U0001f600": "\\U0000005c"}',
  );
});
