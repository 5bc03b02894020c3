/**
 * A history that can't be written makes the journal grow, up to a limit (docs/history.md): beyond
 * it telemetry is answered with 503, and taken again when the history is written, all by itself.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { createTestClock } from "../src/databricks/test-clock.ts";
import { connect, loadDuckDb } from "../src/history/duckdb.ts";
import { diskFiles } from "../src/history/files.ts";
import { History, type StartWriter } from "../src/history/history.ts";
import { createHistoryWriter } from "../src/history/history-writer.ts";
import { openHistory } from "../src/history/query.ts";
import { builtInPriceBook } from "../src/signals/prices.ts";
import { startMonitor } from "./start-monitor.ts";

const directory = mkdtempSync(join(tmpdir(), "full-journal-"));
after(() => rmSync(directory, { recursive: true }));

const capture = new URL("../fixtures/telemetry/captures/", import.meta.url);
const body = readFileSync(new URL("callback-react-tool-error-0020.otlp.pb", capture));

test("a journal that is full is answered with 503 until the history is written again", async (t) => {
  const clock = createTestClock({ startMs: Date.now() });
  const home = join(directory, "history");
  const notices: string[] = [];
  let isDiskFull = true;
  const files: typeof diskFiles = {
    ...diskFiles,
    publish(from, to) {
      if (isDiskFull) throw new Error("ENOSPC: no space left on device");
      diskFiles.publish(from, to);
    },
  };
  const duckDb = await loadDuckDb();
  const startWriter: StartWriter = () => {
    const ask = createHistoryWriter({
      files,
      openDuckDb: async (options) => ({
        duckDb,
        connection: await connect(duckDb, { threads: 1, ...options }),
      }),
      nowMs: clock.now,
      newId: () => "table",
    });
    return { processId: null, ask, end: async () => {} };
  };
  let history: History | undefined;
  const { monitor, url, ...started } = await startMonitor({
    dataDirectory: join(directory, "data"),
    keep: true,
    clock,
    journal: { sizeMaxBytes: 64 * 1024, fullBytes: 256 * 1024 },
    startHistory: (journal) => {
      history = new History({
        directory: home,
        entriesAfter: (seq) => journal.entriesAfter(seq),
        ...{ clock, workspaceId: "local", priceBook: builtInPriceBook, startWriter },
        onNotice: (notice) => notices.push(notice),
      });
      return history;
    },
    onNotice: (notice) => notices.push(notice),
  });
  let closed: Promise<void> | undefined;
  const close = () => {
    closed ??= started.close();
    return closed;
  };
  t.after(close);
  const get = (path: string) => fetch(`${url}${path}`);
  const send = (contentType = "application/x-protobuf", sent: Uint8Array | string = body) =>
    fetch(`${url}/v1/traces`, {
      method: "POST",
      headers: { "content-type": contentType },
      body: typeof sent === "string" ? sent : new Uint8Array(sent),
    });

  /** Resolves with the first refusal, and how many came before. */
  async function untilFull(): Promise<{ readonly refusal: Response; readonly accepted: number }> {
    for (let accepted = 0; accepted < 1_000; accepted++) {
      const answer = await send();
      if (answer.status !== 200) return { refusal: answer, accepted };
      await answer.arrayBuffer();
    }
    assert.fail("it takes without end");
  }

  const { refusal, accepted } = await untilFull();
  assert.ok(accepted > 1);
  // Its trace closes, and has rows.
  await clock.advance(60_000);
  await history?.seal();
  assert.match(history?.problem ?? "", /ENOSPC/);

  // A google.rpc.Status: UNAVAILABLE, and why; in the encoding of the request.
  const why = /cannot write to the journal: it holds \d+ MiB that the history could not take yet/;
  assert.equal(refusal.status, 503);
  assert.match(refusal.headers.get("retry-after") ?? "", /^\d+$/);
  assert.equal(refusal.headers.get("content-type"), "application/x-protobuf");
  const status = Buffer.from(await refusal.arrayBuffer());
  assert.deepEqual([...status.subarray(0, 3)], [0x08, 14, 0x12]);
  assert.match(status.toString("utf8"), why);
  const asJson = await send("application/json", "{}").then((answer) => answer.status);
  assert.equal(asJson, 200, "a batch without spans needs no room");
  const metrics = await fetch(`${url}/v1/metrics`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(oneMetric(clock.now())),
  });
  assert.equal(metrics.status, 503);
  assert.match(metrics.headers.get("retry-after") ?? "", /^\d+$/);
  const told: unknown = await metrics.json();
  assert.ok(typeof told === "object" && told !== null && "code" in told && "message" in told);
  assert.equal(told.code, 14);
  assert.match(String(told.message), why);

  // The monitor itself is well, and says what is not.
  assert.equal((await get("/healthz")).status, 200);
  assert.equal((await get("/readyz")).status, 503);
  const overview = await (await get("/api/overview?range=15m")).text();
  assert.match(overview, /"Journal","state":"failing"/);
  assert.match(overview, /could not take yet/);
  assert.match(await (await get("/metrics")).text(), /reason="store_full"\} 2\n/);
  assert.equal(notices.filter((notice) => why.test(notice)).length, 1, notices.join("\n"));

  // It is still full while the history can't be written, however often it is tried.
  await clock.advance(3 * 60_000);
  await history?.seal();
  assert.equal((await send()).status, 503);

  // Somebody makes room on the disk. Nobody sends: senders ask /readyz whether they may.
  isDiskFull = false;
  await history?.seal();
  assert.equal(history?.problem, null);
  // One to shorten it, and one to see that it can be written.
  for (let minute = 0; minute < 2; minute++) {
    await clock.advance(60_000);
    // Answered after what was asked of the journal before.
    await monitor.journalledAfter(0);
  }
  assert.equal((await get("/readyz")).status, 200);
  assert.match(await (await get("/api/overview?range=15m")).text(), /"Journal","state":"ok"/);
  assert.equal((await send()).status, 200);
  await close();

  const opened = await openHistory(home);
  const sql = "SELECT count(*), count(DISTINCT event_id) FROM requests";
  const { rows } = await opened.query(sql, { rowsMax: 1 });
  opened.close();
  assert.deepEqual(rows, [[1, 1]], "each batch told the same request");
});

function oneMetric(timeMs: number) {
  const points = [{ timeUnixNano: `${timeMs}000000`, asDouble: 1 }];
  const metrics = [{ name: "queue_length", gauge: { dataPoints: points } }];
  return { resourceMetrics: [{ scopeMetrics: [{ metrics }] }] };
}
