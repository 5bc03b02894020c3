/**
 * The history under crashes: whatever stops it between two steps, and however often, every
 * row of the journal is in its table once.
 */
import assert from "node:assert/strict";
import {
  copyFileSync,
  linkSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, test } from "node:test";
import fc from "fast-check";
import { memoryRoot } from "../../test/memory-root.ts";
import { agentSpans } from "../ingest/otlp/agent-span.ts";
import { decodeTracesProtobuf } from "../ingest/otlp/decode-protobuf.ts";
import { builtInPriceBook } from "../signals/prices.ts";
import { bodyOf, type JournalEntry } from "../state/journal-entry.ts";
import type { PlacedEntry } from "../store/journal.ts";
import { PLACES_PER_JOURNAL } from "../store/journal-file.ts";
import { openSummaries, SUMMARIES_FILE } from "../summaries/summary-store.ts";
import { readSnapshot, tableIdIn } from "./delta-log.ts";
import { connect, type DuckDBConnection, type DuckDb, loadDuckDb, quoteText } from "./duckdb.ts";
import { diskFiles, type Files, UNFINISHED } from "./files.ts";
import { Follower } from "./follower.ts";
import { defaultRetention, maintain } from "./maintain.ts";
import { repeatsIn } from "./repeats.ts";
import { removeUnfinished, type SealContext, tableDirectory } from "./seal.ts";
import { type TableName, tableNames, tables } from "./tables.ts";

const nowMs = 1_800_000_000_000;
let directory = "";
let duckDb: DuckDb;
let connection: DuckDBConnection;

before(async () => {
  directory = mkdtempSync(join(memoryRoot, "history-"));
  duckDb = await loadDuckDb();
  connection = await connect(duckDb, { threads: 1, temporaryDirectory: join(directory, "tmp") });
});
after(() => {
  connection.closeSync();
  rmSync(directory, { recursive: true });
});

test("whatever stops it, and however often, each row is there once", async () => {
  const expected = await straight();
  for (const table of tableNames) assert.ok((expected.get(table)?.length ?? 0) > 0, table);
  let crashes = 0;

  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({
          count: fc.integer({ min: 1, max: 8 }),
          sealEvery: fc.integer({ min: 1, max: 8 }),
          crashAt: fc.nat(40),
        }),
        {
          minLength: 1,
          maxLength: 6,
        },
      ),
      async (rounds) => {
        const home = mkdtempSync(join(directory, "crashes-"));
        for (const { count, sealEvery, crashAt } of rounds) {
          const context = contextOf(home, crashing(crashAt));
          try {
            await follow(context, count, sealEvery);
          } catch (error) {
            if (!(error instanceof PowerCut)) throw error;
            crashes++;
          }
        }
        await follow(contextOf(home, diskFiles), journal.length);
        assert.deepEqual(await readTables(home), expected);
        rmSync(home, { recursive: true });
      },
    ),
    // The others may be too short to be stopped.
    { numRuns: 4, examples: [[[{ count: 8, sealEvery: 2, crashAt: 10 }]]] },
  );
  assert.ok(crashes > 0, `${crashes} crashes`);
});

test("an entry is needed until the rows of its trace are sealed", async () => {
  const home = mkdtempSync(join(directory, "needed-"));
  const follower = new Follower(options, contextOf(home, diskFiles));
  const [spans, close] = journal;
  assert.ok(spans && close);
  await follower.take([spans]);
  assert.equal(await follower.seal(), 0, "its trace is open");
  await follower.take([spans, close]);
  assert.equal(await follower.seal(), close.seq);
});

test("a file that no commit names is removed at the next start, the others stay", async () => {
  const home = mkdtempSync(join(directory, "unfinished-"));
  await follow(contextOf(home, diskFiles), 4);
  const requests = tableDirectory(home, "requests");
  diskFiles.create(join(requests, "rows-9-9.parquet"), new Uint8Array(3));
  await removeUnfinished(contextOf(home, diskFiles));
  const { files } = await readSnapshot(requests, contextOf(home, diskFiles));
  const left = diskFiles.list(requests).filter((name) => name.endsWith(".parquet"));
  assert.deepEqual(left.sort(), [...files.keys()].sort());
});

test("rows of a commit that is there although it was told to have failed are not written again", async () => {
  const home = mkdtempSync(join(directory, "told-"));
  let failures = 0;
  const files: Files = {
    ...diskFiles,
    create(path, bytes) {
      const isMade = diskFiles.create(path, bytes);
      if (path.includes("requests") && failures++ === 0) throw new Error("EIO: i/o error");
      return isMade;
    },
  };
  const follower = new Follower(options, contextOf(home, files));
  await follower.take(journal.slice(0, 2));
  await assert.rejects(follower.seal(), /EIO/);
  await follower.take(journal);
  await follower.seal();
  assert.deepEqual(await readTables(home), await straight());
});

test("a disk that fails between two tables is no damage of the first, when only the second gets rows again", async () => {
  const home = mkdtempSync(join(directory, "between-"));
  let made = 0;
  const files: Files = {
    ...diskFiles,
    makeDirectory(path) {
      // After that of a table and of its log comes that of the next table.
      if (path.startsWith(home) && ++made === 3) throw new Error("EIO: i/o error");
      diskFiles.makeDirectory(path);
    },
  };
  const follower = new Follower(options, contextOf(home, files));
  const [spans, close, ...rest] = journal;
  assert.ok(spans && close);
  await follower.take([spans, close]);
  await assert.rejects(follower.seal(), /EIO/);
  // It tells nothing, but takes a place.
  const body = bodyOf({ kind: "observed", samples: [], health: [], dropped: {} });
  await follower.take([{ seq: 3, timeMs: nowMs, body }]);
  await follower.seal();
  await follower.take(rest.map((entry) => ({ ...entry, seq: entry.seq + 1 })));
  await follower.seal();
  assert.deepEqual(await readTables(home), await straight());
});

test("a file that a crash left under two names is not written over", () => {
  const path = join(mkdtempSync(join(directory, "names-")), "commit.json");
  diskFiles.create(path, Buffer.from("first"));
  linkSync(path, `${path}${UNFINISHED}`);
  assert.equal(diskFiles.create(path, Buffer.from("second")), false);
  assert.equal(Buffer.from(diskFiles.read(path)).toString(), "first");
});

for (const [what, damage] of Object.entries({
  "whose last commit ends between two lines": (log: string[]) => {
    const last = log.findLast((path) => path.endsWith(".json")) ?? "";
    writeFileSync(last, readFileSync(last, "utf8").split("\n").slice(0, 2).join("\n"));
  },
  "whose first commit is no JSON": (log: string[]) => writeFileSync(log[0] ?? "", "{"),
  "of which a commit has another byte in the statistics": (log: string[]) => {
    const text = readFileSync(log[1] ?? "", "utf8");
    writeFileSync(log[1] ?? "", text.replace('\\"numRecords\\":', '\\"numRecords\\"Z'));
  },
  "of which a commit has another digit": (log: string[]) => {
    const text = readFileSync(log[1] ?? "", "utf8");
    writeFileSync(
      log[1] ?? "",
      text.replace(/("size":\d*)(\d)/, (_, begin, digit) => `${begin}${(Number(digit) + 1) % 10}`),
    );
  },
  "of which a commit is empty": (log: string[]) => writeFileSync(log[1] ?? "", ""),
  "of which the statistics of a file have other bytes": (log: string[]) => {
    const last = log.findLast((path) => path.endsWith(".json")) ?? "";
    writeFileSync(last, readFileSync(last, "utf8").replace('"stats":"{', '"stats":"Z'));
  },
  "of which a commit is a copy of another": (log: string[]) => {
    copyFileSync(log[1] ?? "", log[2] ?? "");
  },
  "that is gone": (log: string[]) => {
    for (const path of log) rmSync(path);
  },
})) {
  test(`a log ${what} is made anew from the files of rows`, async () => {
    const home = mkdtempSync(join(directory, "damaged-log-"));
    await follow(contextOf(home, diskFiles), 8, 2);
    const table = tableDirectory(home, "module_calls");
    const before = tableIdIn(await readSnapshot(table, contextOf(home, diskFiles)));
    const log = join(table, "_delta_log");
    const names = readdirSync(log).filter((name) => /^\d+\./.test(name));
    damage(names.sort().map((name) => join(log, name)));

    const repairs = await restart(home);
    assert.match(repairs, /^The log of module_calls was damaged: it was made anew from \d+ files/);
    assert.deepEqual(await readTables(home), await straight());
    // What names the table is in the first commit.
    if (/gone|first/.test(what)) return;
    const after = tableIdIn(await readSnapshot(table, contextOf(home, diskFiles)));
    assert.equal(after, before);
  });
}

for (const [what, damage] of Object.entries({
  "that was cut": (path: string) => writeFileSync(path, readFileSync(path).subarray(0, 100)),
  "that is gone": (path: string) => rmSync(path),
})) {
  test(`a file of rows ${what} is set aside, and its rows are sealed again from the journal`, async () => {
    const home = mkdtempSync(join(directory, "damaged-file-"));
    await follow(contextOf(home, diskFiles), 8, 2);
    const table = tableDirectory(home, "module_calls");
    const { files } = await readSnapshot(table, contextOf(home, diskFiles));
    const [first = ""] = [...files.keys()].sort();
    damage(join(table, first));
    assert.match(
      await restart(home),
      /^Files of module_calls were damaged and set aside: rows-.*\.\nRows of module_calls .* \d+ were sealed again from the journal, 0 are lost\.$/,
    );
    assert.deepEqual(await readTables(home), await straight());
  });
}

test("rows that the journal does not have any more are counted as lost", async () => {
  const home = mkdtempSync(join(directory, "lost-"));
  await follow(contextOf(home, diskFiles), 2);
  const table = tableDirectory(home, "module_calls");
  const { files } = await readSnapshot(table, contextOf(home, diskFiles));
  const [file] = files.values();
  assert.ok(file);
  rmSync(join(table, file.path));
  const follower = new Follower(options, contextOf(home, diskFiles));
  await follower.take(journal.slice(2));
  await follower.seal();
  const told = follower.takeRepairs().map(({ what }) => what);
  assert.match(told.at(-1) ?? "", new RegExp(` 0 were .*, ${file.stats.rows} are lost`));
  const expected = (await straight()).get("module_calls")?.length ?? 0;
  assert.equal((await readTables(home)).get("module_calls")?.length, expected - file.stats.rows);
});

test("a file beside a damaged one stays, though the journal can bring its rows no more", async () => {
  const home = mkdtempSync(join(directory, "beside-"));
  const expected = await straight();
  for (const upTo of [2, 4, 6, 8]) await follow(contextOf(home, diskFiles), upTo, 2, 99);
  const table = tableDirectory(home, "module_calls");
  const [first = ""] = diskFiles
    .list(table)
    .filter((name) => name.endsWith(".parquet"))
    .sort();
  rmSync(join(table, first));
  // Of the traces after it, the journal has no spans any more.
  const shortened = journal.filter(({ seq }) => seq <= 2 || seq % 2 === 0);
  const told = await restart(home, shortened);
  assert.match(told, /from entries 1 to 2 .* 0 are lost\.$/);
  assert.deepEqual((await readTables(home)).get("module_calls"), expected.get("module_calls"));
});

test("of a damaged file of which the journal has a part, the rows that are lost are told by number", async () => {
  const home = mkdtempSync(join(directory, "partly-"));
  await follow(contextOf(home, diskFiles), 8);
  const table = tableDirectory(home, "requests");
  const [path = ""] = diskFiles.list(table).filter((name) => name.endsWith(".parquet"));
  const rows = await rowsIn(join(table, path));
  rmSync(join(table, path));
  const told = await restart(home, journal.slice(4));
  const left = (await readTables(home)).get("requests")?.length ?? 0;
  assert.ok(left > 0 && left < rows);
  assert.match(told, new RegExp(` ${left} were sealed again .*, ${rows - left} are lost\\.$`));
});

test("lost rows are told again until whoever hears it asks for more", async () => {
  const home = mkdtempSync(join(directory, "heard-"));
  await follow(contextOf(home, diskFiles), 2);
  const table = tableDirectory(home, "requests");
  for (const name of readdirSync(table)) if (name.endsWith(".parquet")) rmSync(join(table, name));
  const rest = journal.slice(2);
  assert.match(await restart(home, rest), /lost/);
  const follower = new Follower(options, contextOf(home, diskFiles));
  await follower.take(rest);
  await follower.seal();
  assert.match(
    follower
      .takeRepairs()
      .map(({ what }) => what)
      .join(),
    /lost/,
  );
  await follower.seal();
  assert.equal(await restart(home, rest), "");
});

test("bytes that changed inside a file are found though nobody asked, and its rows are sealed again", async () => {
  const home = mkdtempSync(join(directory, "changed-"));
  await follow(contextOf(home, diskFiles), 8, 2);
  const table = tableDirectory(home, "module_calls");
  const { files } = await readSnapshot(table, contextOf(home, diskFiles));
  const [path = ""] = files.keys();
  const bytes = readFileSync(join(table, path));
  // DuckDB reads it all the same.
  writeFileSync(join(table, path), bytes.fill((bytes.at(40) ?? 0) ^ 1, 40, 41));
  const follower = new Follower(options, contextOf(home, diskFiles));
  await follower.take(journal);
  await assert.rejects(follower.seal(), { code: "STORE_DAMAGED" });
  assert.match(await restart(home), /set aside: rows-.*, 0 are lost\.$/s);
  assert.deepEqual(await readTables(home), await straight());
});

for (const [what, failures] of [
  ["for a moment is no damage", 1],
  ["for good is set aside, so that the journal may be shortened again", Number.POSITIVE_INFINITY],
] as const) {
  test(`a file that the disk can't read ${what}`, async () => {
    const home = mkdtempSync(join(directory, "unreadable-"));
    await follow(contextOf(home, diskFiles), 8);
    let left: number = failures;
    const failing: Files = {
      ...diskFiles,
      checksum(path) {
        const isBad = path.startsWith(tableDirectory(home, "requests"));
        if (isBad && left-- > 0) throw Object.assign(new Error("i/o error"), { code: "EIO" });
        return diskFiles.checksum(path);
      },
    };
    const follower = new Follower(options, contextOf(home, failing));
    await follower.take(journal);
    if (failures === 1) {
      assert.equal(await follower.seal(), journal.length);
      return;
    }
    await assert.rejects(follower.seal(), { code: "STORE_DAMAGED" });
    assert.match(await restart(home), /set aside: rows-.*, 0 are lost\.$/s);
    assert.deepEqual(await readTables(home), await straight());
  });
}

test("rows are there although the commit that named them is gone, and the journal too", async () => {
  const home = mkdtempSync(join(directory, "adopted-"));
  await follow(contextOf(home, diskFiles), 2);
  rmSync(join(tableDirectory(home, "requests"), "_delta_log", "00000000000000000000.json"));
  const follower = new Follower(options, contextOf(home, diskFiles));
  await follower.take(journal.slice(2));
  await follower.seal();
  assert.deepEqual((await readTables(home)).get("requests"), (await straight()).get("requests"));
});

for (const [what, damage] of Object.entries({
  "": () => {},
  ", though one of the notes beside the tables is gone, too": (home: string) =>
    rmSync(join(home, "sealed.json")),
  ", though one of the notes beside the tables is cut": (home: string) =>
    writeFileSync(join(home, "sealed.again.json"), "{"),
})) {
  test(`rows whose commit and file are both gone at the end of a log are told as lost, by number${what}`, async () => {
    const home = mkdtempSync(join(directory, "end-"));
    for (const upTo of [2, 4, 6, 8]) await follow(contextOf(home, diskFiles), upTo, 2, 99);
    const before = (await readTables(home)).get("module_calls")?.length ?? 0;
    const table = tableDirectory(home, "module_calls");
    for (const folder of [table, join(table, "_delta_log")]) {
      const names = diskFiles.list(folder).filter((name) => /^(rows-|\d+\.json$)/.test(name));
      rmSync(join(folder, names.sort().at(-1) ?? ""));
    }
    damage(home);
    const told = await restart(home, journal.slice(8));
    const left = (await readTables(home)).get("module_calls")?.length ?? 0;
    assert.ok(left < before);
    assert.match(told, /^The log of module_calls was damaged/);
    assert.match(
      told,
      new RegExp(`entries 7 to 8 .* 0 were sealed .*, ${before - left} are lost\\.$`),
    );
  });
}

test("a table whose directory is gone is told, with the number of rows that the journal can't bring", async () => {
  const home = mkdtempSync(join(directory, "directory-"));
  for (const upTo of [2, 4, 6, 8]) await follow(contextOf(home, diskFiles), upTo, 2, 99);
  const before = (await readTables(home)).get("module_calls")?.length ?? 0;
  rmSync(tableDirectory(home, "module_calls"), { recursive: true });
  const told = await restart(home, journal.slice(4));
  const left = (await readTables(home)).get("module_calls")?.length ?? 0;
  assert.ok(left > 0 && left < before);
  assert.match(
    told,
    new RegExp(
      `Rows of module_calls .* ${left} were sealed again .*, ${before - left} are lost\\.$`,
    ),
  );
});

test("versions of a log that were given are not given again", async () => {
  const home = mkdtempSync(join(directory, "versions-"));
  for (const upTo of [2, 4, 6, 8]) await follow(contextOf(home, diskFiles), upTo, 2, 99);
  const table = tableDirectory(home, "requests");
  const before = await readSnapshot(table, contextOf(home, diskFiles));
  const names = diskFiles.list(join(table, "_delta_log")).filter((name) => name.endsWith(".json"));
  for (const name of names.slice(-2)) rmSync(join(table, "_delta_log", name));
  await restart(home, journal.slice(8));
  const after = await readSnapshot(table, contextOf(home, diskFiles));
  assert.ok(after.version > before.version);
  assert.deepEqual([...after.files.keys()].sort(), [...before.files.keys()].sort());
});

test("commits that are lost while it writes are missed, and found again", async () => {
  const home = mkdtempSync(join(directory, "missed-"));
  const follower = new Follower(options, contextOf(home, diskFiles));
  await follower.take(journal.slice(0, 4));
  await follower.seal();
  rmSync(join(tableDirectory(home, "requests"), "_delta_log", "00000000000000000000.json"));
  await follower.take(journal);
  await assert.rejects(follower.seal(), { code: "STORE_DAMAGED", message: /last commits/ });
  await restart(home);
  assert.deepEqual(await readTables(home), await straight());
});

test("a file that can't be read is found when it is merged, and mended at the next start", async () => {
  const home = mkdtempSync(join(directory, "unreadable-"));
  const context = contextOf(home, diskFiles);
  const follower = new Follower(options, context);
  for (const upTo of [2, 4, 6]) {
    await follower.take(journal.slice(0, upTo));
    await follower.seal();
  }
  const table = tableDirectory(home, "module_calls");
  const { files } = await readSnapshot(table, context);
  const [path = ""] = files.keys();
  const bytes = readFileSync(join(table, path));
  writeFileSync(join(table, path), bytes.fill(0, 4, bytes.length - 8));
  const limits = { retention: defaultRetention, nowMs, mergeUpTo: journal.length, mergeFiles: 2 };
  await assert.rejects(maintain(limits, context), { code: "STORE_DAMAGED" });
  assert.match(await restart(home), /0 are lost/);
  assert.deepEqual(await readTables(home), await straight());
});

/** As the process that writes begins anew; what it says of damage. */
async function restart(home: string, entries = journal, damaged = 0): Promise<string> {
  const follower = new Follower(options, contextOf(home, diskFiles));
  await follower.take(entries, { damaged });
  await follower.seal();
  return follower
    .takeRepairs()
    .map(({ what }) => what)
    .join("\n");
}

// ─── The journal of these tests ─────────────────────────────────────────────

const options = {
  workspaceId: "local",
  priceBook: builtInPriceBook,
  retention: defaultRetention,
  nowMs: () => nowMs,
};

const labels = { served_model: "qa-1", 'odd "label"': "it's\n\\ ü" };
const endpoint = "qa";

const entries: readonly JournalEntry[] = [
  ...recorded("callback-react-tool-error-0020.otlp.pb"),
  ...recorded("callback-err-429-0042.otlp.pb"),
  ...recorded("callback-pipeline-0025.otlp.pb"),
  ...recorded("callback-err-500-0044.otlp.pb"),
  {
    kind: "observed",
    samples: [{ name: "cpu", kind: "gauge", endpoint, labels, value: 0.5, timeMs: nowMs + 0.25 }],
    health: [
      {
        component: "endpoint/qa",
        endpoint,
        status: "healthy",
        state: "ready",
        message: "It's ready",
        latencyMs: null,
        timeMs: nowMs,
      },
    ],
    dropped: {},
  },
  {
    kind: "alerts",
    changes: [
      {
        id: "p99/qa/1",
        ruleId: "p99",
        endpoint: null,
        from: "inactive",
        to: "pending",
        value: null,
        threshold: 1000,
        reason: "slow",
        timeMs: nowMs,
      },
    ],
    alerts: [],
    notifications: [],
  },
];

const journal: readonly PlacedEntry[] = entries.map((entry, at) => ({
  seq: at + 1,
  timeMs: nowMs,
  body: bodyOf(entry),
}));

/** What a recorded body brings, and the closing of its traces. Each body is another release. */
function recorded(file: string): JournalEntry[] {
  const body = readFileSync(new URL(`../../fixtures/telemetry/captures/${file}`, import.meta.url));
  const spans = decodeTracesProtobuf(body, agentSpans).spans.map((span) => ({
    ...span,
    endpoint,
    release: span.parentSpanId === null ? file : null,
  }));
  const keys = new Set(spans.map(({ traceId }) => `${traceId} ${endpoint}`));
  return [
    { kind: "spans", spans, dropped: {} },
    { kind: "close", traceIds: [...keys] },
  ];
}

/** A monitor that has forgotten what it did tells it again. */
for (const [what, again, damaged] of [
  [
    "whose closing can't be read any more, and that is closed again",
    [
      ...journal.filter(({ seq }) => seq !== 2),
      ...journal.slice(1, 2).map((entry) => ({ ...entry, seq: journal.length + 1 })),
    ],
    1,
  ],
  [
    "that is sent again after the journal was set aside",
    journal.map((entry) => ({ ...entry, seq: entry.seq + PLACES_PER_JOURNAL })),
    0,
  ],
] as const) {
  test(`a trace ${what}, is in the history once`, async () => {
    const home = mkdtempSync(join(directory, "again-"));
    await follow(contextOf(home, diskFiles), journal.length);
    await restart(home, again, damaged);
    assert.deepEqual(await readTables(home), await straight());
    assert.ok((await repeats(home)) > journal.length, "exports add by ids what was told again");
  });
}

test("a trace that is told again is in the summaries once, too", async () => {
  const home = mkdtempSync(join(directory, "summed-"));
  const { store } = openSummaries(home, nowMs);
  const told = async (entries: readonly PlacedEntry[], damaged = 0) => {
    const follower = new Follower({ ...options, summaries: store }, contextOf(home, diskFiles));
    await follower.take(entries, { damaged });
    await follower.seal();
  };
  await told(journal);
  const calls = callsIn(home);
  assert.ok(calls > 0);
  const [, close] = journal;
  assert.ok(close);
  const again = { ...close, seq: journal.length + 1 };
  await told([...journal.filter(({ seq }) => seq !== 2), again], 1);
  assert.equal(callsIn(home), calls);
  // What is new while it is looked is summed up all the same.
  await told(recordedAgain("callback-rag-0001.otlp.pb", journal.length + 2), 1);
  assert.ok(callsIn(home) > calls);
  store.close();
});

/** Requests of all agents, as the summaries have them by day. */
function callsIn(home: string): number {
  const database = new DatabaseSync(join(home, SUMMARIES_FILE), { readOnly: true });
  const row = database.prepare("SELECT sum(calls) AS calls FROM heads WHERE tier = 2").get();
  database.close();
  return Number(row?.calls);
}

function recordedAgain(file: string, from: number): PlacedEntry[] {
  return recorded(file).map((entry, at) => ({
    seq: from + at,
    timeMs: nowMs,
    body: bodyOf(entry),
  }));
}

test("a damaged file in which rows are looked for stops sealing once", async () => {
  const home = mkdtempSync(join(directory, "looked-"));
  await follow(contextOf(home, diskFiles), 8);
  const table = tableDirectory(home, "requests");
  const { files } = await readSnapshot(table, contextOf(home, diskFiles));
  const [path = ""] = files.keys();
  writeFileSync(join(table, path), readFileSync(join(table, path)).fill(0, 4));
  const again = journal.map((entry) => ({ ...entry, seq: entry.seq + PLACES_PER_JOURNAL }));
  await assert.rejects(restart(home, again), { code: "STORE_DAMAGED" });
  await restart(home, again);
  assert.deepEqual(await readTables(home), await straight());
});

test("entries at the beginning of the journal that can't be read may have said what is told again", async () => {
  const home = mkdtempSync(join(directory, "first-"));
  await follow(contextOf(home, diskFiles), journal.length);
  const follower = new Follower(options, contextOf(home, diskFiles));
  await follower.take([], { damaged: 1 });
  await follower.take(journal.map((entry) => ({ ...entry, seq: entry.seq + journal.length })));
  await follower.seal();
  assert.deepEqual(await readTables(home), await straight());
});

test("entries that age took out of the middle of the journal, as after a jump of the clock, are no damage", async () => {
  const home = mkdtempSync(join(directory, "aged-"));
  await follow(contextOf(home, diskFiles), 8);
  await restart(
    home,
    journal.filter(({ seq }) => seq < 3 || seq > 4),
  );
  assert.equal(await repeats(home), 0);
});

/** The place up to which rows may be there twice. */
async function repeats(home: string): Promise<number> {
  const context = contextOf(home, diskFiles);
  const snapshot = await readSnapshot(tableDirectory(home, "requests"), context);
  return repeatsIn(snapshot).upTo;
}

// ─── Following it ───────────────────────────────────────────────────────────

function contextOf(home: string, files: Files): SealContext {
  let ids = 0;
  return { duckDb, connection, files, directory: home, newId: () => `table-${ids++}` };
}

/** Starts as the process does, takes so many entries and seals every so many. */
async function follow(
  context: SealContext,
  count: number,
  sealEvery = count,
  mergeFiles = 2,
): Promise<void> {
  const follower = new Follower(options, context);
  for (let upTo = Math.min(sealEvery, count); upTo <= count; upTo += sealEvery) {
    await follower.take(journal.slice(0, upTo));
    await follower.seal();
    await maintain(
      { retention: defaultRetention, nowMs, mergeUpTo: journal.length, mergeFiles },
      context,
    );
  }
}

class PowerCut extends Error {}

/** A disk that stops working for good at its nth operation that changes something. */
function crashing(at: number): Files {
  let operations = 0;
  const step = () => {
    if (operations++ >= at) throw new PowerCut();
  };
  return {
    ...diskFiles,
    makeDirectory(path) {
      step();
      diskFiles.makeDirectory(path);
    },
    create(path, bytes) {
      step();
      return diskFiles.create(path, bytes);
    },
    replace(path, bytes) {
      step();
      diskFiles.replace(path, bytes);
    },
    publish(from, to) {
      step();
      diskFiles.publish(from, to);
    },
    remove(path) {
      step();
      diskFiles.remove(path);
    },
  };
}

let straightRows: Promise<ReadonlyMap<TableName, unknown[]>> | null = null;

/** The rows without a crash, all at once. */
function straight(): Promise<ReadonlyMap<TableName, unknown[]>> {
  straightRows ??= followStraight();
  return straightRows;
}

async function followStraight(): Promise<ReadonlyMap<TableName, unknown[]>> {
  const home = mkdtempSync(join(directory, "straight-"));
  const follower = new Follower(options, contextOf(home, diskFiles));
  await follower.take(journal);
  await follower.seal();
  return readTables(home);
}

async function rowsIn(path: string): Promise<number> {
  const counted = await connection.runAndReadAll(
    `SELECT count(*) FROM read_parquet(${quoteText(path)})`,
  );
  return Number(counted.getRowsJson()[0]?.[0]);
}

async function readTables(home: string): Promise<ReadonlyMap<TableName, unknown[]>> {
  const read = new Map<TableName, unknown[]>();
  for (const table of tableNames) {
    const { files } = await readSnapshot(tableDirectory(home, table), contextOf(home, diskFiles));
    const paths = [...files.keys()].map((path) =>
      quoteText(join(tableDirectory(home, table), path)),
    );
    if (paths.length === 0) continue;
    const rows = await connection.runAndReadAll(
      `SELECT * FROM read_parquet([${paths.join(", ")}]) ORDER BY ALL`,
    );
    assert.deepEqual(
      rows.columnNames(),
      tables[table].columns.map(({ name }) => name),
    );
    read.set(table, rows.getRowsJson());
  }
  return read;
}
