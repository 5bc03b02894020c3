/**
 * Data directories that earlier versions wrote are read, and go on; what a newer version wrote is
 * refused, and the message says what to do (`formats.golden.txt`; `UPDATE=1` writes it anew).
 *
 * `fixtures/data-directories/` holds what real monitors wrote when they were sent the three
 * recordings named below.
 */
import assert from "node:assert/strict";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, test } from "node:test";
import { readManifest } from "../src/backup/manifest.ts";
import { createTestClock } from "../src/databricks/test-clock.ts";
import { readRecord } from "../src/deploy/endpoint/deployment-record.ts";
import { readSnapshot } from "../src/history/delta-log.ts";
import { connect, loadDuckDb } from "../src/history/duckdb.ts";
import { readExportMarks } from "../src/history/export-marks.ts";
import { diskFiles } from "../src/history/files.ts";
import { openHistory } from "../src/history/query.ts";
import { readAlertSettings, readAllAlertSettings } from "../src/monitor-client/alert-settings.ts";
import { MonitorError } from "../src/monitor-error.ts";
import { openJournal } from "../src/store/journal.ts";
import { openSummaries } from "../src/summaries/summary-store.ts";
import { startMonitor } from "./start-monitor.ts";

const fixtures = new URL("../fixtures/data-directories/", import.meta.url);
const golden = new URL("formats.golden.txt", import.meta.url);

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "formats-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function copyOf(fixture: string): void {
  cpSync(new URL(fixture, fixtures), directory, { recursive: true });
}

/** callback-rag, callback-err-429 and mlflow-otlp-rag: three requests of one agent, of which one failed. */
for (const fixture of ["journal-1", "journal-2"]) {
  test(`${fixture}: its figures are there, and it goes on`, async () => {
    copyOf(fixture);
    for (const start of ["first", "second"]) {
      const { monitor, close } = await startMonitor({
        dataDirectory: directory,
        keep: true,
        clock: createTestClock({ startMs: lastMs(fixture) + 1_000 }),
      });
      const { tracesClosed, spansTaken, dropped, agents } = monitor.state;
      const groups = agents.get("support-agent")?.groups.size;
      await close();
      const expected = { tracesClosed: 3, spansTaken: 20, groups: 1 };
      assert.deepEqual({ tracesClosed, spansTaken, groups }, expected, start);
      assert.deepEqual([...dropped], []);
    }
  });
}

/** When the newest entry of the fixture was written. */
function lastMs(fixture: string): number {
  const path = new URL(`${fixture}/journal.db`, fixtures);
  const database = new DatabaseSync(path, { readOnly: true });
  const newest = database.prepare("SELECT max(time_ms) AS ms FROM entries").get();
  database.close();
  return Number(newest?.ms);
}

test("journal-2: its history answers", async () => {
  copyOf("journal-2");
  const history = await openHistory(join(directory, "history"));
  const { rows } = await history.query(
    "SELECT endpoint_name, count(*)::INTEGER, count(error_class)::INTEGER FROM requests GROUP BY ALL",
    { rowsMax: 10 },
  );
  history.close();
  assert.deepEqual(JSON.parse(JSON.stringify(rows)), [["support-agent", 3, 1]]);
});

test("journal-2: its summaries and its alerts are read", async () => {
  copyOf("journal-2");
  const { store, quarantinedAs } = openSummaries(join(directory, "history"), 0);
  assert.deepEqual([store.sealedUpTo, quarantinedAs], [5, null]);
  store.close();
  const settings = await readAlertSettings(directory, "support-agent");
  assert.equal(settings?.thresholds.latencyP99ThresholdMs, 1000);
});

test("marks of exports of the first format, which had no version, are read", () => {
  writeFileSync(join(directory, "exported.json"), '{"https://host/ml.a.b": {"requests": 7}}');
  const marks = readExportMarks(directory, "https://host/ml.a.b", diskFiles);
  assert.equal(marks?.requests?.upTo, 7);
});

test("marks of exports of the second format, which were kept once, are read", () => {
  const requests = { upTo: 7, tableId: "t", sourceId: "s" };
  const targets = { "https://host/ml.a.b": { touchedMs: 1, tables: { requests } } };
  writeFileSync(join(directory, "exported.json"), JSON.stringify({ version: 2, targets }));
  const marks = readExportMarks(directory, "https://host/ml.a.b", diskFiles);
  assert.deepEqual(marks, { requests });
});

// ─── What a newer version wrote ──────────────────────────────────────────────

function raise(path: string): void {
  const database = new DatabaseSync(path);
  const version = Number(database.prepare("PRAGMA user_version").get()?.user_version);
  database.exec(`PRAGMA user_version = ${version + 1}`);
  database.close();
}

/** Each makes one thing newer, and tries to use it. */
const newer: Readonly<Record<string, () => unknown>> = {
  async "the journal"() {
    copyOf("journal-2");
    const { journal } = await openJournal(directory);
    await journal.close();
    raise(join(directory, "journal.db"));
    await openJournal(directory);
  },
  async "what waits to be forwarded"() {
    const { journal } = await openJournal(directory, { name: "forward-traces" });
    await journal.close();
    raise(join(directory, "forward-traces.db"));
    await openJournal(directory, { name: "forward-traces" });
  },
  "the summaries"() {
    copyOf("journal-2");
    raise(join(directory, "history", "summaries.sqlite"));
    openSummaries(join(directory, "history"), 0);
  },
  "the marks of exports"() {
    writeFileSync(join(directory, "exported.json"), '{"version": 4, "targets": {}}');
    readExportMarks(directory, "https://host/ml.a.b", diskFiles);
  },
  async "a table of the history"() {
    copyOf("journal-2");
    const log = join(directory, "history", "requests", "_delta_log", `${"0".repeat(20)}.json`);
    const text = readFileSync(log, "utf8");
    assert.match(text, /"minReaderVersion":1,/);
    writeFileSync(log, text.replace('"minReaderVersion":1,', '"minReaderVersion":9,'));
    const table = join(directory, "history", "requests");
    const connection = await connect(await loadDuckDb(), {
      threads: 1,
      temporaryDirectory: directory,
    });
    try {
      await readSnapshot(table, { files: diskFiles, connection });
    } finally {
      connection.closeSync();
    }
  },
  async "the alerts of an agent"() {
    mkdirSync(join(directory, "alerts"));
    const settings = { version: 2, endpointName: "support-agent", thresholds: {}, webhook: null };
    writeFileSync(join(directory, "alerts", "support-agent.json"), JSON.stringify(settings));
    const [file] = await readAllAlertSettings(directory);
    assert.match(file?.problem ?? "", /newer version/, "a monitor says so, too");
    await readAlertSettings(directory, "support-agent");
  },
  "a backup"() {
    readManifest('{"format": 2}', "monitor.tar");
  },
  "a deployment"() {
    const record = '{"format": 2, "agent": "support-agent"}';
    readRecord({
      name: "support-agent-3",
      environmentVars: new Map([["DSPY_DEPLOYMENT", record]]),
    } as unknown as Parameters<typeof readRecord>[0]);
  },
};

test("what a newer version wrote is refused, and the message says what to do", async () => {
  let told = "";
  for (const [what, use] of Object.entries(newer)) {
    rmSync(directory, { recursive: true });
    mkdirSync(directory);
    const error = await Promise.resolve()
      .then(use)
      .then(
        () => null,
        (failure: unknown) => failure,
      );
    assert.ok(error instanceof MonitorError, `${what}: ${String(error)}`);
    const message = error.message.replaceAll(directory, "DIRECTORY");
    assert.match(message, /newer|raised/, what);
    told += `${what}\n  ${error.code}: ${message}\n    Hint: ${error.hint}\n`;
  }
  if (process.env.UPDATE === "1") writeFileSync(golden, told);
  assert.ok(existsSync(golden));
  assert.equal(told, readFileSync(golden, "utf8"));
});
