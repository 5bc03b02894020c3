/**
 * Every way out of a history keeps the same promise: each row is there once, wherever it
 * was stopped, whatever was merged meanwhile, and when marks or tables were lost; and what
 * can't be done is told and changes nothing.
 */
import assert from "node:assert/strict";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type Clock, systemClock } from "../../src/clock.ts";
import { isNotThere } from "../../src/databricks/databricks-error.ts";
import { deleteFile, listDirectory } from "../../src/databricks/files.ts";
import { executeStatement, readStatementRows } from "../../src/databricks/statements.ts";
import { deleteVolume, getVolume } from "../../src/databricks/volumes.ts";
import { chooseWarehouse, ensureSchema } from "../../src/export/delta/delta-target.ts";
import { directoryTarget } from "../../src/export/delta/directory-target.ts";
import {
  type ExportOptions,
  type ExportTarget,
  exportHistory,
} from "../../src/export/delta/export-history.ts";
import { MERGE_MAX_MS } from "../../src/export/delta/row-target.ts";
import {
  createTableSql,
  defaultTablePlace,
  volumeOf,
} from "../../src/history/databricks-tables.ts";
import { readSnapshot } from "../../src/history/delta-log.ts";
import { connect, type DuckDBConnection, loadDuckDb, quoteText } from "../../src/history/duckdb.ts";
import { diskFiles, type Files } from "../../src/history/files.ts";
import { keptNames } from "../../src/history/kept-twice.ts";
import { defaultRetention, maintain } from "../../src/history/maintain.ts";
import { PendingRows, type TableRows } from "../../src/history/pending-rows.ts";
import { repairTables } from "../../src/history/repair.ts";
import { fileName, fillGap, type SealContext, sealRows } from "../../src/history/seal.ts";
import { minuteRows, nowMs, sealMinutes } from "../../src/history/test-minutes.ts";
import { type ClientOptions, type DeploySetting, openDeploySetting } from "../deploy-setting.ts";

const directory = mkdtempSync(join(tmpdir(), "export-ways-"));
let setting: DeploySetting;
let connection: DuckDBConnection;
let context: Omit<SealContext, "directory">;
let warehouseId: string;
let histories = 0;

before(async () => {
  setting = openDeploySetting({ principals: ["exporter"], clientSpeed: 10, speed: 10 });
  const duckDb = await loadDuckDb();
  connection = await connect(duckDb, { threads: 1, temporaryDirectory: join(directory, "tmp") });
  context = { duckDb, connection, files: diskFiles, newId: () => crypto.randomUUID() };
  warehouseId = await chooseWarehouse(setting.client(), undefined);
});
after(async () => {
  connection.closeSync();
  await setting.close();
  rmSync(directory, { recursive: true });
});

/** In which it takes no time to wait until a statement is over that somebody may have left. */
const quickClock: Clock = {
  ...systemClock,
  after: (ms, run) => systemClock.after(ms === MERGE_MAX_MS ? 0 : ms, run),
};

type Way = "volume" | "merge" | "directory";
const ways: readonly Way[] = ["volume", "merge", "directory"];

/** A history of its own, and a place of its own for its rows. */
async function newHistory(way: Way, minutes: number) {
  const name = `h${++histories}`;
  const home: SealContext = { ...context, directory: join(directory, name) };
  await sealMinutes(home, { from: 1, upTo: minutes });
  const place = { ...defaultTablePlace, schema: name };
  const target = ({ by = way, ...options }: ClientOptions & { by?: Way } = {}): ExportTarget =>
    by === "directory"
      ? { directory: join(directory, `${name}-out`), prefix: "agents" }
      : { client: setting.client(options), warehouseId, place, way: by };
  return {
    home,
    place,
    target,
    table: `ml.${name}.agent_monitoring_metrics`,
    seal: (from: number, upTo: number) => sealMinutes(home, { from, upTo }),
    /** Of a minute whose file was damaged, the rows that come again. */
    fill: (seq: number, names: readonly string[]) => {
      const gap = { from: seq, upTo: seq, rows: 2 };
      return fillGap({ ...lostGap, gap, upTo: seq, rows: minuteRows(seq, names) }, home);
    },
    merge: (mergeUpTo: number) =>
      maintain({ retention: defaultRetention, nowMs, mergeUpTo, mergeFiles: 2 }, home),
    run: (options: ExportOptions & ClientOptions & { by?: Way } = {}) =>
      exportHistory(home.directory, target(options), { clock: quickClock, ...options }),
    /** Rows, and how many different ones. */
    async counted(): Promise<readonly [number, number]> {
      if (way !== "directory") {
        const [row] = await ask(
          `SELECT count(*), count(DISTINCT event_id) FROM ml.${name}.agent_monitoring_metrics`,
        );
        return [Number(row?.[0]), Number(row?.[1])];
      }
      const table = join(directory, `${name}-out`, "agents_metrics");
      const { files } = await readSnapshot(table, context);
      const paths = [...files.keys()].map((path) => quoteText(join(table, path)));
      const read = await connection.runAndReadAll(
        `SELECT count(*), count(DISTINCT event_id) FROM read_parquet([${paths.join(", ")}])`,
      );
      const [row = []] = read.getRowsJson();
      return [Number(row[0]), Number(row[1])];
    },
  };
}

/** Both of the files that hold them. */
function loseMarks(directory: string, text: string): void {
  for (const name of keptNames("exported")) writeFileSync(join(directory, name), text);
}

/** Of a machine that loses its power before it knows that rows up to a place are there. */
function cutAtMark(upTo: number): Files {
  return {
    ...diskFiles,
    replace(path, bytes) {
      if (new TextDecoder().decode(bytes).includes(`"upTo": ${upTo}`)) throw new Error("power cut");
      diskFiles.replace(path, bytes);
    },
  };
}

const minuteFile = (seq: number) => fileName({ from: seq, upTo: seq });

/** Nothing comes again. */
const lostGap = {
  gap: { from: 3, upTo: 3, rows: 2 },
  rows: new PendingRows().of("metrics"),
  upTo: 3,
  timeMs: nowMs,
  isRepeated: false,
  lost: null,
};

/** Under another place in the journal. */
function placed(rows: TableRows, seq: number): TableRows {
  const { samples } = rows;
  return { ...rows, samples: { ...samples, places: samples.places.map(() => seq) } };
}

async function ask(sql: string): Promise<(string | null)[][]> {
  const client = setting.client();
  const statement = await executeStatement(client, { statement: sql, warehouse_id: warehouseId });
  const rows: (string | null)[][] = [];
  for await (const row of readStatementRows(client, statement)) rows.push([...row]);
  return rows;
}

for (const way of ways) {
  test(`${way}: what is new is loaded, and nothing twice`, async () => {
    const { run, seal, counted } = await newHistory(way, 3);
    assert.equal((await run()).rows, 6);
    assert.equal((await run()).rows, 0);
    await seal(4, 5);
    assert.equal((await run()).rows, 4);
    assert.deepEqual(await counted(), [10, 10]);
  });

  test(`${way}: marks that were lost after files were merged make no row twice`, async () => {
    const { home, run, seal, merge, counted } = await newHistory(way, 4);
    await run();
    await seal(5, 6);
    loseMarks(home.directory, '{ "version": 2, "tar');
    await merge(6);
    await run();
    assert.deepEqual(await counted(), [12, 12]);
    await seal(7, 8);
    assert.equal((await run()).rows, 4);
  });

  for (const name of keptNames("exported")) {
    test(`${way}: an older ${name} that is put back after files were merged makes no row twice`, async () => {
      const { home, run, seal, merge, counted } = await newHistory(way, 4);
      await run();
      const older = readFileSync(join(home.directory, name));
      await seal(5, 8);
      await run();
      await merge(8);
      writeFileSync(join(home.directory, name), older);
      await run();
      assert.deepEqual(await counted(), [16, 16]);
    });
  }

  test(`${way}: marks that can't be read for a moment are not taken for none`, async () => {
    const { home, run, seal, merge, counted } = await newHistory(way, 4);
    await run();
    await merge(4);
    let failures = 2;
    const failing: Files = {
      ...diskFiles,
      read(path) {
        if (/exported.*json$/.test(path) && failures-- > 0) throw new Error("EIO: i/o error");
        return diskFiles.read(path);
      },
    };
    await assert.rejects(run({ files: failing }), /EIO/);
    rmSync(join(home.directory, "metrics", "_delta_log"), { recursive: true });
    await repairTables({ journalFrom: 5, nowMs }, home);
    await seal(5, 5);
    await run();
    assert.deepEqual(await counted(), [10, 10]);
  });

  test(`${way}: marks and log that are lost together make no row twice`, async () => {
    const { home, run, seal, merge, counted } = await newHistory(way, 4);
    await run();
    await merge(4);
    loseMarks(home.directory, "");
    rmSync(join(home.directory, "metrics", "_delta_log"), { recursive: true });
    await run();
    await repairTables({ journalFrom: 5, nowMs }, home);
    await seal(5, 5);
    await run();
    assert.deepEqual(await counted(), [10, 10]);
  });

  test(`${way}: what comes after a damaged file waits until its rows are there again or lost`, async () => {
    const { home, run, seal, counted, fill } = await newHistory(way, 2);
    await run();
    await seal(3, 5);
    rmSync(join(home.directory, "metrics", minuteFile(4)));
    await assert.rejects(run(), { code: "STORE_DAMAGED" });
    await repairTables({ journalFrom: 1, nowMs }, home);
    assert.equal((await run()).rows, 2, "that before it");
    await fill(4, ["memory"]);
    assert.equal((await run()).rows, 3);
    assert.deepEqual(await counted(), [9, 9]);
  });

  test(`${way}: a file that was made again with other bytes while it was on its way is there once`, async () => {
    const { home, run, counted, fill } = await newHistory(way, 4);
    const cut: Files = {
      ...diskFiles,
      replace(path, bytes) {
        if (new TextDecoder().decode(bytes).includes('"upTo": 4')) throw new Error("power cut");
        diskFiles.replace(path, bytes);
      },
    };
    await assert.rejects(run({ files: cut }), /power cut/);
    rmSync(join(home.directory, "metrics", minuteFile(4)));
    await repairTables({ journalFrom: 1, nowMs }, home);
    await fill(4, ["memory", "cpu"]);
    await run();
    assert.deepEqual(await counted(), [8, 8]);
  });

  test(`${way}: a file with other bytes in it is not exported, and set aside`, async () => {
    const { home, run, seal } = await newHistory(way, 2);
    await run();
    await seal(3, 3);
    const path = join(home.directory, "metrics", minuteFile(3));
    const bytes = readFileSync(path);
    writeFileSync(path, bytes.fill((bytes.at(40) ?? 0) ^ 1, 40, 41));
    await assert.rejects(run(), { code: "STORE_DAMAGED", message: /metrics/ });
    assert.equal(readdirSync(join(home.directory, "damaged", "metrics")).length, 1);
  });

  test(`${way}: rows that were exported, lost here and told again under another place are there once`, async () => {
    const { home, run, counted } = await newHistory(way, 3);
    await run();
    rmSync(join(home.directory, "metrics", minuteFile(3)));
    await repairTables({ journalFrom: 100, nowMs }, home);
    await fillGap(lostGap, home);
    // The journal was set aside.
    const repeatsUntilMs = nowMs + 1;
    await sealRows(
      { upTo: 100, timeMs: nowMs, tables: [placed(minuteRows(3), 100)], repeatsUntilMs },
      home,
    );
    await run();
    assert.deepEqual(await counted(), [6, 6]);
  });

  for (const mergedUpTo of way === "volume" ? [4, 6] : [6]) {
    test(`${way}: stopped before its mark, and merged up to ${mergedUpTo} meanwhile, no row is there twice`, async () => {
      const { run, seal, merge, counted } = await newHistory(way, 4);
      await assert.rejects(run({ files: cutAtMark(4) }), /power cut/);
      await seal(5, 6);
      // As for a target that nobody exports to any more, or when the clock jumps.
      await merge(mergedUpTo);
      await run();
      assert.deepEqual(await counted(), [12, 12]);
      await seal(7, 8);
      assert.equal((await run()).rows, 4);
    });
  }

  test(`${way}: a history that began anew tells again what it told, and nothing is there twice`, async () => {
    const { home, run, seal, counted } = await newHistory(way, 4);
    await run();
    rmSync(join(home.directory, "metrics"), { recursive: true });
    await seal(2, 6);
    await run();
    assert.deepEqual(await counted(), [12, 12]);
  });

  test(`${way}: a table that was dropped is told, made anew on request, and loaded again`, async () => {
    const history = await newHistory(way, 3);
    const { run, seal, counted, table } = history;
    await run();
    if (way === "directory") {
      rmSync(join(directory, `h${histories}-out`, "agents_metrics"), { recursive: true });
    } else await ask(`DROP TABLE ${table}`);
    await seal(4, 4);
    await assert.rejects(run(), { code: "TABLE_DROPPED", hint: /--recreate/ });
    assert.equal((await run({ recreate: true })).rows, 8);
    assert.deepEqual(await counted(), [8, 8]);
  });
}

for (const way of ["volume", "merge"] as const) {
  test(`${way}: a column that is missing is added, with its comment`, async () => {
    const { place, run, table } = await newHistory(way, 1);
    await ensureSchema({ client: setting.client(), place });
    const older = createTableSql(place, "metrics").replace(/,\n {2}`labels`.*/, "");
    await ask(older);
    await run();
    const described = await ask(`DESCRIBE ${table}`);
    const labels = described.find(([name]) => name === "labels");
    assert.deepEqual(labels, ["labels", "map<string, string>", "Labels of the series"]);
    const [row] = await ask(`SELECT labels['seq'] FROM ${table} LIMIT 1`);
    assert.deepEqual(row, ["1"]);
  });

  test(`${way}: a permission that is taken away stops it, and given back it goes on`, async () => {
    const { run, seal, counted, table } = await newHistory(way, 2);
    await run();
    for (const grant of [
      "USE CATALOG ON CATALOG ml",
      `USE SCHEMA, SELECT, MODIFY, READ VOLUME, WRITE VOLUME ON SCHEMA ml.h${histories}`,
    ])
      await ask(`GRANT ${grant} TO exporter`);
    await seal(3, 3);
    await ask(`REVOKE MODIFY ON SCHEMA ml.h${histories} FROM exporter`);
    await assert.rejects(run({ as: "exporter" }), (error: Error & { code?: string }) => {
      assert.equal(error.code, "DATABRICKS_FORBIDDEN");
      assert.match(error.message, /MODIFY/);
      return true;
    });
    assert.deepEqual(await counted(), [4, 4]);
    await ask(`GRANT MODIFY ON TABLE ${table} TO exporter`);
    assert.equal((await run({ as: "exporter" })).rows, 2);
    assert.deepEqual(await counted(), [6, 6]);
  });
}

for (const [what, isMerged] of [
  ["", false],
  [" and were merged here", true],
] as const) {
  test(`files that were removed from the volume after they were loaded${what} cost nothing`, async () => {
    const { home, run, seal, merge, counted, place, table } = await newHistory("volume", 4);
    await run();
    if (isMerged) await merge(4);
    const client = setting.client();
    const { path } = volumeOf(place);
    const [source] = await listDirectory(client, `${path}/history/metrics`);
    const files = await listDirectory(client, source?.path ?? "");
    for (const { path: old } of files.slice(0, 2)) await deleteFile(client, old);
    await seal(5, 5);
    assert.equal((await run()).rows, 2);

    loseMarks(home.directory, "");
    assert.equal((await run()).rows, 0, "its marks are lost");
    await ask(`DROP TABLE ${table}`);
    assert.equal((await run({ recreate: true })).rows, 10, "its table is lost");
    assert.deepEqual(await counted(), [10, 10]);
  });
}

test("what was removed on purpose does not come back with the next export", async () => {
  const { run, table, place } = await newHistory("volume", 2);
  await run();
  await ask(`DROP TABLE ${table}`);
  const volume = volumeOf(place).fullName;
  await deleteVolume(setting.client(), volume);
  await assert.rejects(run(), { code: "TABLE_DROPPED" });
  await assert.rejects(getVolume(setting.client(), volume), isNotThere);
});

for (const [way, other] of [
  ["volume", "merge"],
  ["merge", "volume"],
] as const) {
  test(`${way}, then ${other}, then ${way}: nothing is there twice`, async () => {
    const { run, seal, merge, counted } = await newHistory(way, 3);
    await run();
    await seal(4, 4);
    await merge(3);
    assert.equal((await run({ by: other })).rows, 2);
    await seal(5, 5);
    await merge(4);
    assert.equal((await run()).rows, 2);
    assert.deepEqual(await counted(), [10, 10]);
  });

  test(`${way}, stopped before its mark, then ${other}: nothing is there twice`, async () => {
    const { run, counted } = await newHistory(way, 4);
    await assert.rejects(run({ files: cutAtMark(4) }), /power cut/);
    await run({ by: other });
    assert.deepEqual(await counted(), [8, 8]);
  });
}

test("marks that were lost together with the volume make no row twice", async () => {
  const { home, place, run, seal, merge, counted } = await newHistory("volume", 4);
  await run();
  await seal(5, 6);
  loseMarks(home.directory, "{");
  await ask(`DROP VOLUME ml.${place.schema}.agent_monitoring_files`);
  await merge(6);
  await run();
  assert.deepEqual(await counted(), [12, 12]);
});

test("a table that is dropped while it is made anew is told, and the next one is loaded whole", async () => {
  const { home, run, counted, place, table } = await newHistory("volume", 2);
  await run();
  await ask(`DROP TABLE ${table}`);
  const client = setting.client();
  let listings = 0;
  const dropping: typeof client = {
    ...client,
    async getJson(path, options) {
      const isListing = path === "/api/2.1/unity-catalog/tables";
      if (isListing && ++listings === 2) await ask(`DROP TABLE ${table}`);
      return client.getJson(path, options);
    },
  };
  const target = { client: dropping, warehouseId, place };
  await assert.rejects(exportHistory(home.directory, target, { recreate: true }), {
    code: "TABLE_DROPPED",
  });
  await ask(createTableSql(place, "metrics"));
  await run();
  assert.deepEqual(await counted(), [4, 4]);
});

test("files that went up, and whose rows came by statements, are not loaded when marks are lost", async () => {
  const { home, run, seal, merge, counted } = await newHistory("volume", 4);
  // Everything is in the volume, and nothing was loaded.
  const cut = { ...setting.client() };
  cut.postJson = () => Promise.reject(new Error("power cut"));
  const place = { ...defaultTablePlace, schema: `h${histories}` };
  await run();
  await seal(5, 6);
  await assert.rejects(
    exportHistory(home.directory, { client: cut, warehouseId, place }),
    /power cut/,
  );
  await merge(6);
  await run();
  loseMarks(home.directory, "{");
  await run();
  assert.deepEqual(await counted(), [12, 12]);
});

for (const [what, isWaitedFor, end] of [
  ["whose answer is lost is over before its rows are sent again", true, () => fail()],
  ["that is refused is sent again at once", false, () => Response.json({}, { status: 403 })],
] as const) {
  test(`a MERGE ${what}`, async () => {
    const { run, counted } = await newHistory("merge", 3);
    const waits: number[] = [];
    const clock: Clock = {
      ...quickClock,
      after(ms, then) {
        waits.push(ms);
        return quickClock.after(ms, then);
      },
    };
    const onAnswer = (response: Response, body: unknown) =>
      String(body).includes("MERGE INTO") ? end() : response;
    await assert.rejects(run({ clock, onAnswer }));
    assert.ok(!waits.includes(MERGE_MAX_MS));
    await run({ clock });
    assert.equal(waits.includes(MERGE_MAX_MS), isWaitedFor);
    assert.deepEqual(await counted(), [6, 6]);
    await run({ clock });
    assert.equal(waits.filter((ms) => ms === MERGE_MAX_MS).length, isWaitedFor ? 1 : 0, "once");
  });
}

function fail(): never {
  throw new TypeError("fetch failed", {
    cause: Object.assign(new Error(), { code: "ECONNRESET" }),
  });
}

test("a table that is made anew has the rows that came by statements, too", async () => {
  const { run, seal, counted, table } = await newHistory("volume", 3);
  await run({ by: "merge" });
  await seal(4, 4);
  await run();
  await ask(`DROP TABLE ${table}`);
  await run({ recreate: true });
  assert.deepEqual(await counted(), [8, 8]);
});

test("a table that is made anew has the rows that only the volume holds", async () => {
  const { home, run, seal, counted, table } = await newHistory("volume", 3);
  await run();
  await seal(4, 12);
  await run();
  const late = { retention: { ...defaultRetention, maxAgeMs: 60_000 }, mergeUpTo: 0 };
  await maintain({ ...late, nowMs: nowMs + 10 * 60_000 }, home);
  await ask(`DROP TABLE ${table}`);
  await run({ recreate: true });
  assert.deepEqual(await counted(), [24, 24]);
});

test("a table that was put back from a copy gets what is missing, and nothing twice", async () => {
  const { run, seal, counted, place, table } = await newHistory("volume", 3);
  await run();
  await ask(createTableSql(place, "metrics").replace("_metrics`", "_copy`"));
  const copy = table.replace("_metrics", "_copy");
  await ask(`INSERT INTO ${copy} SELECT * FROM ${table}`);
  await ask(`DROP TABLE ${table}`);
  await ask(createTableSql(place, "metrics"));
  await ask(`INSERT INTO ${table} SELECT * FROM ${copy}`);
  await seal(4, 5);
  assert.equal((await run()).rows, 4);
  assert.deepEqual(await counted(), [10, 10]);
});

test("a schema that was dropped is not made anew before somebody says so", async () => {
  const { run, place, counted } = await newHistory("volume", 2);
  await run();
  await ask(`DROP SCHEMA ml.${place.schema} CASCADE`);
  await assert.rejects(run(), (error: Error & { hint?: string }) => {
    assert.match(error.message, /agent_monitoring_metrics/);
    assert.match(
      error.hint ?? "",
      new RegExp(`export --to ml.${place.schema} --prefix agent_monitoring --recreate`),
    );
    return true;
  });
  const schemas = await ask("SHOW SCHEMAS IN ml");
  assert.ok(!schemas.flat().includes(place.schema));
  await run({ recreate: true });
  assert.deepEqual(await counted(), [4, 4]);
});

test("commits that are gone from the log of a directory are written again, and nothing twice", async () => {
  const { run, seal, merge, counted } = await newHistory("directory", 2);
  await run();
  await seal(3, 4);
  await run();
  await seal(5, 6);
  await run();
  await merge(6);
  const table = join(directory, `h${histories}-out`, "agents_metrics");
  const log = join(table, "_delta_log");
  const last = readdirSync(log)
    .filter((name) => name.endsWith(".json"))
    .sort()
    .slice(-2);
  for (const name of last) rmSync(join(log, name));
  const names = readdirSync(table).filter((name) => name.endsWith(".parquet"));
  for (const name of names.filter((one) => one.includes("-rows-0000000000000005"))) {
    rmSync(join(table, name));
  }
  await run();
  assert.deepEqual(await counted(), [12, 12]);
});

test("a log of a directory that is damaged is told, with what to do", async () => {
  const { run, counted } = await newHistory("directory", 2);
  await run();
  const out = join(directory, `h${histories}-out`);
  const table = join(out, "agents_metrics");
  const commit = join(table, "_delta_log", `${"0".repeat(19)}1.json`);
  writeFileSync(commit, readFileSync(commit, "utf8").replace('"size":', '"size":1'));
  const told = { code: "STORE_DAMAGED", hint: /^Put back .*rename .*agents_metrics .*--recreate/ };
  await assert.rejects(run(), told);
  renameSync(table, `${table}-before`);
  await run({ recreate: true });
  assert.deepEqual(await counted(), [4, 4]);
});

test("a directory that is not mounted is told, and nothing is made beneath", async () => {
  const { run, counted } = await newHistory("directory", 2);
  await run();
  const out = join(directory, `h${histories}-out`);
  renameSync(out, `${out}-away`);
  await assert.rejects(run(), { code: "TABLE_DROPPED", hint: /^Mount / });
  assert.ok(!existsSync(out));
  renameSync(`${out}-away`, out);
  assert.equal((await run()).rows, 0);
  assert.deepEqual(await counted(), [4, 4]);
});

test("a table that somebody made anew is loaded again, and that is told", async () => {
  const { run, counted, place, table } = await newHistory("volume", 2);
  await run();
  await ask(`DROP TABLE ${table}`);
  await ask(createTableSql(place, "metrics"));
  const { rows, warnings } = await run();
  assert.equal(rows, 4);
  assert.deepEqual(warnings, [
    `${table} was made anew, so what is still there is loaded again. Who may read it is granted by the next deploy.`,
  ]);
  assert.deepEqual(await counted(), [4, 4]);
});

test("rows that were gone before they were exported are told", async () => {
  const { home, run, seal, table } = await newHistory("volume", 2);
  await run();
  await seal(3, 12);
  const late = { retention: { ...defaultRetention, maxAgeMs: 60_000 }, mergeUpTo: 0 };
  await maintain({ ...late, nowMs: nowMs + 10 * 60_000 }, home);
  const { warnings } = await run();
  assert.deepEqual(warnings, [
    `Rows of ${table} were gone from the history before they were exported: those of its entries 3 to 8.`,
  ]);
});

test("a table that another export makes at the same moment is taken as it is", async () => {
  const { home, counted, place } = await newHistory("volume", 2);
  const client = setting.client();
  const late: typeof client = {
    ...client,
    async postJson(path, body, options) {
      const asked = body as { readonly statement?: string };
      const { statement = "" } = asked;
      if (!statement.startsWith("CREATE TABLE")) return client.postJson(path, body, options);
      await ask(statement);
      const again = { ...asked, statement: statement.replace("IF NOT EXISTS ", "") };
      return client.postJson(path, again, options);
    },
  };
  await exportHistory(home.directory, { client: late, warehouseId, place });
  assert.deepEqual(await counted(), [4, 4]);
});

test("two histories write to one directory, and its rows are those of both", async () => {
  const one = await newHistory("directory", 2);
  const other = await newHistory("directory", 3);
  const shared = join(directory, "shared");
  const target = { directory: shared, prefix: "agents" };
  await exportHistory(one.home.directory, target);
  await exportHistory(other.home.directory, target);
  await one.seal(3, 3);
  await exportHistory(one.home.directory, target);
  const { files, progress } = await readSnapshot(join(shared, "agents_metrics"), context);
  assert.equal(files.size, 6);
  assert.equal(progress.size, 2);
});

test("a directory with other columns is left alone, and told", async () => {
  const { run } = await newHistory("directory", 1);
  const target = { directory: join(directory, `h${histories}-out`), prefix: "agents" };
  await run();
  const log = join(target.directory, "agents_metrics", "_delta_log", `${"0".repeat(20)}.json`);
  // As another program writes it, without our checksum.
  const text = new TextDecoder().decode(diskFiles.read(log)).replace(/,"crc32":\d+/, "");
  writeFileSync(
    log,
    text.replace('\\"value\\",\\"type\\":\\"double\\"', '\\"value\\",\\"type\\":\\"string\\"'),
  );
  const to = directoryTarget(target, { ...context, clock: systemClock });
  await assert.rejects(to.prepare(["metrics"], { marks: {}, recreate: false }), {
    code: "TABLE_CONFLICT",
    message: /its column value is STRING, and the rows hold DOUBLE/,
  });
});
