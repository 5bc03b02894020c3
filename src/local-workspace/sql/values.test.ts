/** Whatever a value is, it comes back as it went in: as a parameter, as a literal, through a table. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import fc from "fast-check";
import { openTestEngine, type TestEngine } from "./test-engine.ts";
import { quoteName, quoteString } from "./tokens.ts";

let engine: TestEngine;
before(() => {
  engine = openTestEngine();
});
after(() => engine.close());

/** DuckDB's texts are UTF-8 without NUL. */
const texts = fc
  .array(
    fc.oneof(
      fc.string({ unit: "binary", maxLength: 12 }),
      fc.string({
        unit: fc.constantFrom(
          "'",
          '"',
          "`",
          "\\",
          ":",
          "-",
          "/",
          "*",
          ";",
          "\n",
          "%",
          "{",
          "$",
          "a",
        ),
      }),
    ),
    { minLength: 1, maxLength: 8 },
  )
  .map((list) => list.map((text) => text.replaceAll("\0", "").toWellFormed()));

test("texts that are parameters and texts that are literals", async () => {
  await fc.assert(
    fc.asyncProperty(texts, async (values) => {
      const parameters = values.map((value, index) => ({ name: `p${index}`, value }));
      const sql = `SELECT ${values.map((value, index) => `:p${index}, ${quoteString(value)}`).join(", ")}`;
      const { rows } = await engine.run(sql, { parameters });
      assert.deepEqual(rows, [values.flatMap((value) => [value, value])]);
    }),
    { numRuns: 60 },
  );
});

test("names of columns", async () => {
  const names = fc.string({
    unit: fc.constantFrom("a", "B", " ", ".", "'", '"', "`", "-", "ü", "$"),
    minLength: 1,
    maxLength: 8,
  });
  await fc.assert(
    fc.asyncProperty(names, async (name) => {
      const result = await engine.run(
        `SELECT x.${quoteName(name)} FROM (SELECT 1 AS ${quoteName(name)}) AS x`,
      );
      assert.deepEqual([result.columns[0]?.name, result.rows], [name, [["1"]]]);
    }),
    { numRuns: 40 },
  );
});

test("64-bit numbers, doubles and decimals through a table", async () => {
  await engine.run("CREATE TABLE numbers (i BIGINT, d DOUBLE, n DECIMAL(38, 10), t TIMESTAMP)");
  const row = fc.record({
    i: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    d: fc.double({ noNaN: true }),
    n: fc.bigInt({ min: -(10n ** 37n), max: 10n ** 37n }),
    t: fc.date({
      min: new Date("0001-01-02T00:00:00Z"),
      max: new Date("9999-12-30T00:00:00Z"),
      noInvalidDate: true,
    }),
  });
  await fc.assert(
    fc.asyncProperty(row, async ({ i, d, n, t }) => {
      const scaled = `${n < 0n ? "-" : ""}${(n < 0n ? -n : n)
        .toString()
        .padStart(11, "0")
        .replace(/(\d{10})$/, ".$1")}`;
      const parameters = [
        { name: "i", value: String(i), type: "BIGINT" },
        // JavaScript's own text of -0 is that of 0.
        { name: "d", value: Object.is(d, -0) ? "-0.0" : String(d), type: "STRING" },
        { name: "n", value: scaled, type: "DECIMAL(38,10)" },
        { name: "t", value: t.toISOString(), type: "TIMESTAMP" },
      ];
      await engine.run("INSERT OVERWRITE numbers SELECT :i, CAST(:d AS DOUBLE), :n, :t", {
        parameters,
      });
      const { rows } = await engine.run("SELECT i, n, t, d FROM numbers");
      const [[readI, readN, readT, readD] = []] = rows;
      assert.deepEqual([readI, readN, readT], [String(i), scaled, t.toISOString()]);
      assert.equal(Object.is(Number(readD), d), true, `${readD} is not ${d}`);
    }),
    { numRuns: 25, examples: [[{ i: 0n, d: -0, n: 0n, t: new Date(0) }]] },
  );
});
