/** Few rows are handed to DuckDB as they are, and many by numbers of their texts: the file is the same. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { connect, loadDuckDb, quoteText } from "./duckdb.ts";
import { PendingRows } from "./pending-rows.ts";
import { writeParquet } from "./write-parquet.ts";

const nowMs = 1_800_000_000_000;

test("texts come back as they were, whether rows are few or many", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "parquet-"));
  const duckDb = await loadDuckDb();
  const connection = await connect(duckDb, { threads: 1, temporaryDirectory: directory });
  t.after(() => {
    connection.closeSync();
    rmSync(directory, { recursive: true });
  });
  for (const rows of [1, 999, 1_000, 2_500]) {
    const expected = Array.from({ length: rows }, (_, at) => [
      `id ${at}`,
      at % 3 === 0 ? null : `it's "${at % 3}" ü`,
      JSON.stringify({ n: `${at % 2}` }),
    ]);
    const pending = new PendingRows();
    for (const [at, [id = null, endpoint = null, labels]] of expected.entries()) {
      const common = [id, nowMs + at, "local", endpoint, null, "test"];
      const values = [...common, "cpu", "gauge", at, JSON.parse(labels ?? "{}")];
      pending.add({ table: "metrics", values }, at + 1);
    }
    const [written] = pending.tables();
    assert.ok(written);
    const path = join(directory, `${rows}.parquet`);
    const stats = await writeParquet(written, path, { duckDb, connection });
    assert.equal(stats.rows, rows);
    const read = await connection.runAndReadAll(
      `SELECT event_id, endpoint_name, CAST(to_json(labels) AS VARCHAR) FROM read_parquet(${quoteText(path)}) ORDER BY value`,
    );
    assert.deepEqual(read.getRowsJson(), expected);
  }
});
