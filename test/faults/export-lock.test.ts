/** Real processes that export one history at once don't meet, and a dead one is in nobody's way. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { readSnapshot } from "../../src/history/delta-log.ts";
import { connect, type DuckDBConnection, loadDuckDb, quoteText } from "../../src/history/duckdb.ts";
import { diskFiles } from "../../src/history/files.ts";
import { sealMinutes } from "../../src/history/test-minutes.ts";

const MINUTES = 150;
const directory = mkdtempSync(join(tmpdir(), "export-lock-"));
const history = join(directory, "history");
let connection: DuckDBConnection;

before(async () => {
  const duckDb = await loadDuckDb();
  connection = await connect(duckDb, { threads: 1, temporaryDirectory: join(directory, "tmp") });
  const newId = () => crypto.randomUUID();
  const context = { duckDb, connection, files: diskFiles, directory: history, newId };
  await sealMinutes(context, { from: 1, upTo: MINUTES });
});
after(() => {
  connection.closeSync();
  rmSync(directory, { recursive: true });
});

test("three at once: each row is there once", async () => {
  const out = join(directory, "three");
  const all = await Promise.all(Array.from({ length: 3 }, () => said(start(out, 60_000))));
  const rows = all.map((one) => Number(/^(\d+) rows/.exec(one)?.[1]));
  assert.equal(
    rows.reduce((sum, one) => sum + one, 0),
    2 * MINUTES,
    all.join(),
  );
  assert.deepEqual(await counted(out), [2 * MINUTES, 2 * MINUTES]);
});

test("one that hangs is named, and when it is killed the next goes on at once", async () => {
  const out = join(directory, "killed");
  const holder = start(out, 0, "hold");
  await once(holder.stdout ?? assert.fail("its output is read"), "data");
  holder.kill("SIGSTOP");
  assert.match(
    await said(start(out, 500)),
    new RegExp(`^EXPORT_RUNNING cannot export .*: process ${holder.pid} on .* exports it already`),
  );
  holder.kill("SIGKILL");
  await once(holder, "exit");
  assert.equal(await said(start(out, 0)), `${2 * MINUTES} rows\n`);
});

test("killed at any moment and run again, each row is there once", async () => {
  const out = join(directory, "moments");
  for (let moment = 1; moment <= 8; moment++) {
    const child = start(out, 60_000);
    const exited = once(child, "exit");
    const timer = setTimeout(() => child.kill("SIGKILL"), 150 + 60 * moment);
    await exited;
    clearTimeout(timer);
  }
  await said(start(out, 0));
  assert.deepEqual(await counted(out), [2 * MINUTES, 2 * MINUTES]);
});

function start(out: string, lockWaitMs: number, ...more: readonly string[]): ChildProcess {
  const script = fileURLToPath(new URL("export-process.ts", import.meta.url));
  return spawn(process.execPath, [script, history, out, String(lockWaitMs), ...more], {
    stdio: ["ignore", "pipe", "inherit"],
  });
}

function said({ stdout }: ChildProcess): Promise<string> {
  return text(stdout ?? assert.fail("its output is read"));
}

async function counted(out: string): Promise<readonly number[]> {
  const table = join(out, "agents_metrics");
  const { files } = await readSnapshot(table, { files: diskFiles, connection });
  const paths = [...files.keys()].map((path) => quoteText(join(table, path)));
  const read = await connection.runAndReadAll(
    `SELECT count(*), count(DISTINCT event_id) FROM read_parquet([${paths.join(", ")}])`,
  );
  return (read.getRowsJson()[0] ?? []).map(Number);
}
