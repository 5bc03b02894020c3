/** What a monitor makes of a journal whose older entries are gone. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, test } from "node:test";
import { createTestClock } from "../databricks/test-clock.ts";
import { spansOf } from "../ingest/otlp/test-spans.ts";
import { Monitor } from "./monitor.ts";

const started: Monitor[] = [];
afterEach(async () => {
  for (const monitor of started) await monitor.close();
});

const spans = spansOf({ inside: [{ kind: "lm", model: "m" }] });

for (const [what, again] of [
  ["a batch that is sent again", spans],
  ["a span that comes late", spans.slice(1)],
] as const) {
  test(`${what} after its trace was closed does not begin the trace anew, though what closed it left the journal`, async () => {
    const directory = mkdtempSync(join(tmpdir(), "shortened-"));
    const first = await start(directory);
    await first.monitor.takeSpans(spans, new Map());
    await first.pass();
    assert.equal(first.monitor.state.tracesClosed, 1);
    await first.monitor.takeSpans(again, new Map());
    assert.equal(first.monitor.state.dropped.get("duplicate_span"), again.length);
    await first.monitor.close();

    const database = new DatabaseSync(join(directory, "journal.db"));
    const [spansAt, closedAt] = database.prepare("SELECT seq FROM entries ORDER BY seq").all();
    assert.ok(spansAt && closedAt);
    database.prepare("DELETE FROM entries WHERE seq <= ?").run(Number(closedAt.seq));
    database.close();

    const { monitor, pass } = await start(directory);
    await pass();
    assert.equal(monitor.state.tracesClosed, 0);
    assert.equal(monitor.state.dropped.get("duplicate_span"), again.length);
    await monitor.close();
    rmSync(directory, { recursive: true });
  });
}

async function start(dataDirectory: string) {
  const clock = createTestClock();
  const monitor = await Monitor.start({
    dataDirectory,
    clock,
    random: () => 0,
    rules: [],
    channel: null,
    pageUrl: () => null,
    formatTime: String,
    onNotice: (notice) => assert.fail(notice),
  });
  started.push(monitor);
  /** What is due is closed, and in the journal. */
  const pass = async () => {
    await clock.advance(15 * 60_000);
    await monitor.noteRead("test", 0);
  };
  return { monitor, pass };
}
