/** The tables stay small: files are merged, old ones go, the log gets checkpoints, and no row changes. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type AddedFile, CHECKPOINT_COMMITS, readSnapshot, type Snapshot } from "./delta-log.ts";
import { connect, type DuckDBConnection, type DuckDb, loadDuckDb, quoteText } from "./duckdb.ts";
import { exportedUpTo, writeExportMarks } from "./export-marks.ts";
import { diskFiles } from "./files.ts";
import {
  defaultRetention,
  maintain,
  mergeable,
  outdatedFiles,
  REMOVED_KEPT_MS,
  type Retention,
} from "./maintain.ts";
import { fileName, rangeOf, type SealContext, tableDirectory } from "./seal.ts";
import type { TableName } from "./tables.ts";
import { nowMs, sealMinutes } from "./test-minutes.ts";

let directory = "";
let duckDb: DuckDb;
let connection: DuckDBConnection;

before(async () => {
  directory = mkdtempSync(join(tmpdir(), "maintain-"));
  duckDb = await loadDuckDb();
  connection = await connect(duckDb, { threads: 1, temporaryDirectory: join(directory, "tmp") });
});
after(() => {
  connection.closeSync();
  rmSync(directory, { recursive: true });
});

test("small files become one, and the same rows are read before and after", async () => {
  const context = newContext();
  await sealMinutes(context, { from: 1, upTo: 40 });
  const home = tableDirectory(context.directory, "metrics");
  const before = await readSnapshot(home, context);
  const rows = await rowsIn(home, before.files);
  await maintain({ retention: defaultRetention, nowMs, mergeUpTo: 35 }, context);

  const after = await readSnapshot(home, context);
  assert.deepEqual([...after.files.keys()].sort(), [
    fileName({ from: 1, upTo: 35 }),
    ...range(36, 40).map((seq) => fileName({ from: seq, upTo: seq })),
  ]);
  assert.deepEqual(await rowsIn(home, after.files), rows);
  const [merged] = after.files.values();
  assert.equal(
    [...after.files.values()].reduce((sum, { stats }) => sum + stats.rows, 0),
    80,
  );
  assert.ok(merged);
  assert.deepEqual(after.progress, before.progress);

  assert.equal(parquetIn(home), 41, "a query may still read the small ones");
  const later = nowMs + REMOVED_KEPT_MS + 1;
  await maintain({ retention: defaultRetention, nowMs: later, mergeUpTo: 35 }, context);
  assert.equal(parquetIn(home), 6);
});

test("a table without rows keeps those of others neither small nor apart", async () => {
  const context = newContext();
  await sealMinutes(context, { from: 1, upTo: 4 });
  const marks = { metrics: { upTo: 3, tableId: null, sourceId: null } };
  writeExportMarks(context.directory, { target: "there", marks, nowMs }, diskFiles);
  const exported = exportedUpTo(context.directory, diskFiles, nowMs);
  const limits = { retention: defaultRetention, nowMs, mergeUpTo: 4, mergeFiles: 3 };
  await maintain({ ...limits, exportedUpTo: exported }, context);
  const { files } = await readSnapshot(tableDirectory(context.directory, "metrics"), context);
  assert.deepEqual([...files.keys()].map(rangeOf), [
    { from: 4, upTo: 4 },
    { from: 1, upTo: 3 },
  ]);
});

test("a checkpoint holds what the commits before it say", async () => {
  const context = newContext();
  const home = tableDirectory(context.directory, "metrics");
  const limits = { retention: defaultRetention, nowMs, mergeUpTo: 0 };
  await sealMinutes(context, { from: 1, upTo: CHECKPOINT_COMMITS });
  const before = await readSnapshot(home, context);
  await maintain(limits, context);
  const log = diskFiles.list(join(home, "_delta_log"));
  assert.ok(log.includes("00000000000000000099.checkpoint.parquet"), log.join(" "));
  assert.deepEqual(sorted(await readSnapshot(home, context)), sorted(before));

  const checkpoint = join(home, "_delta_log", "00000000000000000099.checkpoint.parquet");
  const bytes = diskFiles.read(checkpoint);
  const changed = Uint8Array.from(bytes, (byte, at) => (at === 40 ? byte ^ 1 : byte));
  diskFiles.replace(checkpoint, changed);
  await assert.rejects(readSnapshot(home, context), { code: "STORE_DAMAGED" });
  diskFiles.replace(checkpoint, bytes);

  for (const name of log.filter((one) => /^\d+\.json$/.test(one))) {
    diskFiles.remove(join(home, "_delta_log", name));
  }
  assert.deepEqual(sorted(await readSnapshot(home, context)), sorted(before), "it alone");
  await sealMinutes(context, { from: CHECKPOINT_COMMITS + 1, upTo: CHECKPOINT_COMMITS + 1 });
  const after = await readSnapshot(home, context);
  assert.equal(after.files.size, CHECKPOINT_COMMITS + 1);
  assert.equal(after.version, CHECKPOINT_COMMITS);
});

const mib = 1024 ** 2;

for (const [title, sizes, mergeUpTo, expected] of [
  ["too few", [1, 1], 9, []],
  ["three of a size", [1, 1, 1], 9, ["1-3"]],
  ["a larger one between", [1, 1, 2 * mib, 1, 1, 1], 9, ["4-6"]],
  ["two sizes", [2 * mib, 2 * mib, 2 * mib, 1, 1, 1], 9, ["1-3", "4-6"]],
  ["the largest stay", [300 * mib, 300 * mib, 300 * mib], 9, []],
  ["what is not exported stays", [1, 1, 1, 1], 3, ["1-3"]],
] as const) {
  test(`what is merged: ${title}`, () => {
    const files = sizes.map((sizeBytes, at) => file({ seq: at + 1, sizeBytes }));
    const groups = mergeable(files.toReversed(), { mergeUpTo, mergeFiles: 3 });
    const told = groups.map((group) => `${seqOf(group.at(0))}-${seqOf(group.at(-1))}`);
    assert.deepEqual(told, expected);
  });
}

const dayMs = 24 * 3_600_000;

for (const [title, { otherBytes, ...retention }, expected] of [
  ["nothing", { maxAgeMs: 9 * dayMs, maxBytes: 100 }, []],
  ["what is too old", { maxAgeMs: 2.5 * dayMs, maxBytes: 100 }, ["metrics/1"]],
  [
    "the oldest, since summaries take room as well",
    { maxAgeMs: 9 * dayMs, maxBytes: 50, otherBytes: 6 },
    ["metrics/1"],
  ],
  [
    "the oldest of all tables, until the rest fits",
    { maxAgeMs: 9 * dayMs, maxBytes: 25 },
    ["metrics/1", "requests/2"],
  ],
  ["all", { maxAgeMs: 0, maxBytes: 100 }, ["metrics/1", "requests/2", "metrics/3"]],
] as readonly [string, Retention & { readonly otherBytes?: number }, readonly string[]][]) {
  test(`what goes: ${title}`, () => {
    const days = new Map<TableName, readonly number[]>([
      ["metrics", [3, 1]],
      ["requests", [2]],
    ]);
    const snapshots = new Map(
      Array.from(days, ([table, ages]) => {
        const files = ages.map((age) =>
          file({ seq: 4 - age, sizeBytes: 15, newestMs: nowMs - age * dayMs }),
        );
        return [table, { files: new Map(files.map((one) => [one.path, one])) }] as const;
      }),
    );
    const outdated = outdatedFiles(snapshots, { nowMs, retention, otherBytes });
    const told = [...outdated].flatMap(([table, paths]) =>
      paths.map((path) => `${table}/${Number(path.slice(5, 21))}`),
    );
    assert.deepEqual(told.sort(), [...expected].sort());
  });
}

// ─── Setting ────────────────────────────────────────────────────────────────

function newContext(): SealContext {
  const home = mkdtempSync(join(directory, "tables-"));
  return { duckDb, connection, files: diskFiles, directory: home, newId: () => "table" };
}

async function rowsIn(home: string, files: Snapshot["files"]): Promise<unknown> {
  const paths = [...files.keys()].map((path) => quoteText(join(home, path)));
  const reader = await connection.runAndReadAll(
    `SELECT * FROM read_parquet([${paths.join(", ")}]) ORDER BY ALL`,
  );
  return reader.getRowsJson();
}

function parquetIn(home: string): number {
  return diskFiles.list(home).filter((name) => name.endsWith(".parquet")).length;
}

function sorted({ files, progress, version, creation }: Snapshot): unknown {
  const told = creation.map(({ protocol, metaData }) => protocol ?? metaData?.schemaString);
  return { files: [...files.values()].sort(byPath), progress: [...progress], version, told };
}

const byPath = (a: AddedFile, b: AddedFile) => (a.path < b.path ? -1 : 1);
const range = (from: number, upTo: number) =>
  Array.from({ length: upTo - from + 1 }, (_, at) => from + at);
const seqOf = (one: AddedFile | undefined) => Number(one?.path.slice(5, 21));

function file({
  seq,
  sizeBytes,
  newestMs = nowMs,
}: {
  readonly seq: number;
  readonly sizeBytes: number;
  readonly newestMs?: number;
}): AddedFile {
  const max = { timestamp: new Date(newestMs).toISOString() };
  return {
    path: fileName({ from: seq, upTo: seq }),
    sizeBytes,
    checksum: null,
    modifiedMs: nowMs,
    stats: { rows: 1, min: {}, max, nulls: {} },
  };
}
