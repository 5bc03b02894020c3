import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createTestClock } from "../../databricks/test-clock.ts";
import { Monitor } from "../../monitor/monitor.ts";
import { openJournal, RETENTION_MS } from "../../store/journal.ts";
import { keepsHistory } from "./keeps-history.ts";

function check(history: boolean, isInstalled: boolean, expected: boolean, told: RegExp | null) {
  const said: string[] = [];
  const setting = { isDuckDbInstalled: () => isInstalled, say: (text: string) => said.push(text) };
  assert.equal(keepsHistory({ history }, setting), expected);
  if (told) assert.match(said.join(), told);
  else assert.deepEqual(said, []);
}

test("with DuckDB a history is kept", () => check(true, true, true, null));
test("without DuckDB none is, and people are told what to install", () =>
  check(true, false, false, /^No history .*\n {2}Hint: Run: npm install @duckdb\/node-api/));
test("one that nobody wants is not missed", () => check(false, false, false, null));

test("a monitor without a history forgets what is a day old", async (t) => {
  const dataDirectory = mkdtempSync(join(tmpdir(), "no-history-"));
  t.after(() => rmSync(dataDirectory, { recursive: true }));
  const clock = createTestClock();
  const nowMs = clock.now();
  const entry = JSON.stringify({ kind: "close", traceIds: [] });
  const { journal } = await openJournal(dataDirectory);
  const old = await journal.append({ timeMs: nowMs - RETENTION_MS - 1, body: entry });
  const recent = await journal.append({ timeMs: nowMs - RETENTION_MS + 60_000, body: entry });
  await journal.close();

  const monitor = await Monitor.start({
    dataDirectory,
    clock,
    random: () => 0,
    rules: [],
    channel: null,
    pageUrl: () => null,
    formatTime: String,
    onNotice: assert.fail,
  });
  await clock.advance(11_000);
  await monitor.close();
  const { journal: after } = await openJournal(dataDirectory);
  const places = (await after.entriesAfter(0)).entries.map(({ seq }) => seq);
  await after.close();
  assert.ok(!places.includes(old) && places.includes(recent), String(places));
});
