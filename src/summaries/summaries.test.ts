/**
 * Summaries against what they sum up: made with the rows of the history, whatever stops it,
 * they tell what those rows say, and what the live figures tell of the same time.
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, test } from "node:test";
import { memoryRoot } from "../../test/memory-root.ts";
import { trafficJournal, trafficStartMs } from "../../test/traffic-journal.ts";
import { connect, type DuckDBConnection, type DuckDb, loadDuckDb } from "../history/duckdb.ts";
import { diskFiles } from "../history/files.ts";
import { Follower } from "../history/follower.ts";
import { createHistoryWriter, type WriterAnswer } from "../history/history-writer.ts";
import { defaultRetention } from "../history/maintain.ts";
import { openHistory } from "../history/query.ts";
import { tableDirectory } from "../history/seal.ts";
import { tableNames } from "../history/tables.ts";
import type { Tally } from "../live/tally.ts";
import { builtInPriceBook } from "../signals/prices.ts";
import { entryOf } from "../state/journal-entry.ts";
import { MonitorState } from "../state/monitor-state.ts";
import { cover, type Tier } from "./periods.ts";
import { type AskedStretch, type ReadSummaries, SummaryFile } from "./read-summaries.ts";
import { Summaries } from "./summaries.ts";
import { openSummaries, SUMMARIES_FILE } from "./summary-store.ts";

const HOUR_MS = 3_600_000;
const TRACES = 240;
const journal = trafficJournal(TRACES);
const nowMs = (journal.at(-1)?.timeMs ?? 0) + 1_000;
const fromMs = trafficStartMs - (trafficStartMs % HOUR_MS);
const asked: AskedStretch = {
  fromMs,
  chartFromMs: fromMs,
  stepMs: HOUR_MS,
  steps: Math.ceil((nowMs - fromMs) / HOUR_MS),
  nowMs,
};

let directory = "";
/** A history that was written without any trouble. */
let once = "";
let duckDb: DuckDb;
let connection: DuckDBConnection;

before(async () => {
  directory = mkdtempSync(join(memoryRoot, "summaries-"));
  duckDb = await loadDuckDb();
  connection = await connect(duckDb, { threads: 1, temporaryDirectory: join(directory, "tmp") });
  once = mkdtempSync(join(directory, "once-"));
  await follow(once, journal.length, 240);
});
after(() => {
  connection.closeSync();
  rmSync(directory, { recursive: true });
});

/** As the history's process does it. @param sealEvery entries of the journal. */
async function follow(home: string, upTo: number, sealEvery: number): Promise<void> {
  const { store: summaries } = openSummaries(home, nowMs);
  const follower = new Follower(
    {
      workspaceId: "local",
      priceBook: builtInPriceBook,
      retention: defaultRetention,
      summaries,
      nowMs: () => nowMs,
    },
    { duckDb, connection, files: diskFiles, directory: home, newId: () => "table" },
  );
  for (let next = Math.min(sealEvery, upTo); next <= upTo; next += sealEvery) {
    await follower.take(journal.slice(0, next));
    await follower.seal();
  }
  await follower.take(journal.slice(0, upTo));
  await follower.seal();
  summaries.close();
}

function readAll(home: string): ReadSummaries {
  const file = new SummaryFile(join(home, SUMMARIES_FILE));
  const read = ["qa", "triage"].map((agent) => file.agent(agent, asked));
  const [first] = read;
  file.close();
  assert.ok(first);
  return { ...first, agents: read.flatMap(({ agents }) => agents) };
}

test("requests, errors, tokens, cost and percentiles are those of the rows", async () => {
  const history = await openHistory(once);
  const { rows } = await history.query(
    `SELECT endpoint_name, count(*), count(error_class), sum(input_tokens), sum(output_tokens), sum(cost_usd),
       quantile_disc(latency_ms, 0.5), quantile_disc(latency_ms, 0.95), quantile_disc(latency_ms, 0.99)
     FROM requests GROUP BY ALL ORDER BY ALL`,
    { rowsMax: 10 },
  );
  history.close();
  const { agents } = readAll(once);
  assert.equal(rows.length, 2);
  for (const [name, calls, failed, input, output, cost, ...percentiles] of rows) {
    const { total } = agents.find(({ agent }) => agent === name) ?? assert.fail(String(name));
    const { requests } = total;
    assert.deepEqual(
      [requests.calls, requests.failed, requests.tokens?.input, requests.tokens?.output],
      [calls, failed, Number(input), Number(output)],
    );
    near(requests.costUsd, Number(cost), 1e-9);
    const told = requests.latencyMs.percentiles();
    for (const [at, quantile] of (["p50", "p95", "p99"] as const).entries()) {
      near(told?.[quantile] ?? Number.NaN, Number(percentiles[at]), 0.008);
    }
  }
});

test("modules, models and errors are those of the live figures, each release apart", () => {
  const state = new MonitorState(builtInPriceBook);
  for (const { seq, timeMs, body } of journal) state.apply(entryOf(body), timeMs, seq);
  const { agents } = readAll(once);
  for (const live of state.agents.all()) {
    const { total, groups } = agents.find(({ agent }) => agent === live.endpoint) ?? assert.fail();
    assert.deepEqual(
      total.places.map(({ program, path, kind, depth }) => [program, path, kind, depth]),
      live.places.inOrder.map(({ program, path, kind, depth }) => [program, path, kind, depth]),
    );
    for (const [at, place] of live.places.inOrder.entries()) {
      const summed = total.places[at];
      assert.ok(summed);
      const now = place.slices.over(fromMs, nowMs + 1_000, nowMs);
      for (const modelVersion of ["1", "2", null]) {
        const isWanted = (name: { modelVersion: string | null }) =>
          modelVersion === null || name.modelVersion === modelVersion;
        same(summed.calls.sum(isWanted), now.sum(isWanted), place.path);
      }
    }
    for (const model of live.models.values()) {
      const now = model.slices.over(fromMs, nowMs + 1_000, nowMs).sum();
      same(total.modelOf(model.model).sum(), now, model.model);
    }
    assert.deepEqual(
      groups.map(({ group, count, handled }) => [group, count, handled]).sort(),
      [...live.groups.values()]
        .map(({ group, slices }) => {
          const { count, handled } = slices.over(fromMs, nowMs + 1_000, nowMs);
          return [group, count, handled];
        })
        .sort(),
    );
    assert.equal(total.modelVersion, "2");
    assert.equal(total.loss.orphanSpanRatio, 0);
  }
});

test("the steps of a chart add up to the whole, and a late row is in its own hour", () => {
  for (const { total, steps, traffic, trafficFailed, groups } of readAll(once).agents) {
    const sum = (counts: readonly number[]) => counts.reduce((all, count) => all + count, 0);
    assert.equal(sum(traffic), total.requests.calls);
    assert.equal(sum(trafficFailed), total.requests.failed);
    assert.deepEqual(
      steps.map((step) => step?.requests.calls ?? 0),
      traffic,
    );
    for (const { trend, count } of groups) assert.equal(sum(trend), count);
  }
  // Every tenth trace was taken an hour after it ended, those of the last hour too.
  const lastStep = (trafficStartMs + (TRACES - 1) * 37_000 - fromMs) / HOUR_MS;
  const afterwards = readAll(once).agents.flatMap(({ traffic }) =>
    traffic.slice(Math.floor(lastStep) + 1),
  );
  assert.deepEqual(
    afterwards.filter((count) => count > 0),
    [],
  );
});

test("whatever it is sealed by, and however often it begins anew, it is summed up once", async () => {
  const expected = shown(readAll(once));
  const home = mkdtempSync(join(directory, "anew-"));
  for (const [upTo, sealEvery] of [
    [61, 30],
    [200, 50],
    [200, 200],
    [journal.length, 120],
    [journal.length, journal.length],
  ] as const) {
    await follow(home, upTo, sealEvery);
  }
  assert.deepEqual(shown(readAll(home)), expected);
});

test("summaries that can't be written are written in the next round, once", async () => {
  const home = mkdtempSync(join(directory, "full-"));
  const { store } = openSummaries(home, nowMs);
  let failures = 2;
  const summaries = {
    get sealedUpTo() {
      return store.sealedUpTo;
    },
    seal(...sealed: Parameters<typeof store.seal>) {
      if (failures-- > 0) throw new Error("disk full");
      store.seal(...sealed);
    },
    get sizeBytes() {
      return store.sizeBytes;
    },
    forget: (timeMs: number, maxBytes: number) => store.forget(timeMs, maxBytes),
  };
  const follower = new Follower(
    {
      ...{ workspaceId: "local", priceBook: builtInPriceBook, retention: defaultRetention },
      summaries,
      nowMs: () => nowMs,
    },
    { duckDb, connection, files: diskFiles, directory: home, newId: () => "table" },
  );
  for (const upTo of [100, 200, 300, journal.length]) {
    await follower.take(journal.slice(0, upTo));
    await follower.seal().catch((error: Error) => assert.equal(error.message, "disk full"));
  }
  store.close();
  assert.deepEqual(shown(readAll(home)), shown(readAll(once)));
});

test("what is too old for its tier goes, days stay, and so do the names that they use", () => {
  const before = readAll(once);
  const later = openSummaries(once, nowMs).store;
  later.forget(nowMs + 60 * 24 * HOUR_MS);
  later.close();
  const file = new SummaryFile(join(once, SUMMARIES_FILE));
  const laterMs = nowMs + 60 * 24 * HOUR_MS;
  const { agents } = file.agent("qa", {
    fromMs: Date.UTC(2026, 10, 24),
    chartFromMs: Date.UTC(2026, 10, 24),
    stepMs: 24 * HOUR_MS,
    steps: 60,
    nowMs: laterMs,
  });
  file.close();
  const [kept] = agents;
  const [all] = before.agents;
  assert.equal(kept?.total.requests.calls, all?.total.requests.calls);
  assert.deepEqual(
    kept?.total.places.map(({ path }) => path),
    all?.total.places.map(({ path }) => path),
  );
});

test("a file that is no database is set aside, and summing up begins anew", async () => {
  const home = mkdtempSync(join(directory, "damaged-"));
  mkdirSync(home, { recursive: true });
  writeFileSync(join(home, SUMMARIES_FILE), "no database at all, ".repeat(100));
  const { store, quarantinedAs } = openSummaries(home, nowMs);
  assert.equal(quarantinedAs, `${SUMMARIES_FILE}.damaged-${nowMs}`);
  assert.equal(store.sealedUpTo, 0);
  store.close();
  await follow(home, 20, 20);
  assert.ok(readAll(home).agents.length > 0);
});

/** A process begins, is given the whole journal, and seals twice. Its answers to the last two. */
async function writeAnew(home: string): Promise<WriterAnswer[]> {
  const write = createHistoryWriter({
    files: diskFiles,
    openDuckDb: async () => ({ duckDb, connection }),
    openSummaries: (place) => openSummaries(place, nowMs),
    nowMs: () => nowMs,
    newId: () => "table",
  });
  const { priceBook, workspaceId } = { priceBook: builtInPriceBook, workspaceId: "local" };
  await write({ kind: "open", directory: home, workspaceId, priceBook });
  await write({ kind: "take", entries: journal, damaged: 0 });
  return [await write({ kind: "seal" }), await write({ kind: "seal" })];
}

test("people are told, once, that damaged summaries were set aside", async () => {
  const home = mkdtempSync(join(directory, "told-"));
  writeFileSync(join(home, SUMMARIES_FILE), "no database at all, ".repeat(100));
  const told = await writeAnew(home);
  const [first, second] = told.map((answer) => (answer.kind === "sealed" ? answer.repairs : null));
  assert.equal(first?.length, 1);
  const aside = new RegExp(
    `summaries .* set aside as ${SUMMARIES_FILE}.damaged-${nowMs}\\. Nothing needs`,
  );
  assert.match(first?.[0] ?? "", aside);
  assert.deepEqual(second, []);
});

test("damage that is found while they are written is told, and they are summed up anew", async () => {
  const home = mkdtempSync(join(directory, "damaged-later-"));
  await follow(home, 200, 100);
  const path = join(home, SUMMARIES_FILE);
  const bytes = readFileSync(path);
  // The pages of what is told of agents; what opening reads is whole.
  writeFileSync(path, bytes.fill(0xa5, 3 * bytes.readUInt16BE(16)));
  const [failed] = await writeAnew(home);
  assert.ok(failed?.kind === "failed");
  assert.equal(failed.code, "STORE_DAMAGED");
  assert.match(failed.problem, /is damaged, and was set aside as summaries\.sqlite\.damaged-\d+$/);
  const [sealed] = await writeAnew(home);
  assert.equal(sealed?.kind, "sealed");
  const whole = mkdtempSync(join(directory, "never-damaged-"));
  await writeAnew(whole);
  assert.deepEqual(shown(readAll(home)), shown(readAll(whole)));
});

test("they count in what the history may take: the oldest rows make room for them", async () => {
  const home = mkdtempSync(join(directory, "room-"));
  await follow(home, journal.length, 60);
  const tables = () =>
    tableNames.flatMap((table) => {
      const place = tableDirectory(home, table);
      const names = diskFiles.list(place).filter((name) => name.endsWith(".parquet"));
      return names.map((name) => statSync(join(place, name)).size);
    });
  const sum = (sizes: readonly number[]) => sizes.reduce((all, size) => all + size, 0);
  const rowsIn = async () => {
    const history = await openHistory(home);
    const counts = tableNames.map((table) => `(SELECT count(*) FROM ${table})`);
    const { rows } = await history.query(`SELECT ${counts.join(" + ")}`, { rowsMax: 1 });
    history.close();
    return Number(rows[0]?.[0]);
  };
  const before = tables();
  const rowsBefore = await rowsIn();
  const { store: summaries } = openSummaries(home, nowMs);
  const laterMs = nowMs + 2 * HOUR_MS;
  const follower = new Follower(
    {
      ...{ workspaceId: "local", priceBook: builtInPriceBook, summaries },
      retention: { maxAgeMs: 90 * 24 * HOUR_MS, maxBytes: sum(before) + summaries.sizeBytes - 1 },
      nowMs: () => laterMs,
    },
    { duckDb, connection, files: diskFiles, directory: home, newId: () => "table" },
  );
  await follower.take(journal);
  await follower.seal();
  summaries.close();
  const rowsAfter = await rowsIn();
  assert.ok(rowsAfter > 0 && rowsAfter < rowsBefore, `${rowsAfter} rows of ${rowsBefore}`);
});

test("while they take too much, of each tier the older half goes", async () => {
  const home = mkdtempSync(join(directory, "too-much-"));
  await follow(home, journal.length, journal.length);
  const minutes = () => {
    const database = new DatabaseSync(join(home, SUMMARIES_FILE), { readOnly: true });
    const row = database.prepare("SELECT min(start_ms) AS ms FROM heads WHERE tier = 0").get();
    database.close();
    return (nowMs - Number(row?.ms)) / HOUR_MS;
  };
  const { store } = openSummaries(home, nowMs);
  const all = minutes();
  store.forget(nowMs, store.sizeBytes);
  assert.equal(minutes(), all);
  store.forget(nowMs, 1);
  assert.ok(all > 2 && minutes() > 1 && minutes() < 1.6, `of ${all} hours ${minutes()} are left`);
  store.close();
  assert.equal(readAll(home).agents.length, 2);
});

test("a thread of its own answers the same, and says so when it can't", async () => {
  const home = mkdtempSync(join(directory, "thread-"));
  await follow(home, 100, 100);
  const summaries = new Summaries(join(home, SUMMARIES_FILE));
  const expected = shown(readAll(home));
  assert.deepEqual(shown(await summaries.read("qa", asked)), {
    ...expected,
    agents: expected.agents.filter(({ agent }) => agent === "qa"),
  });
  const { agents } = await summaries.read(null, asked);
  assert.deepEqual(agents.map(({ agent }) => agent).sort(), ["qa", "triage"]);
  await summaries.close();

  writeFileSync(join(home, "broken.sqlite"), "no database".repeat(100));
  const broken = new Summaries(join(home, "broken.sqlite"));
  await assert.rejects(broken.read("qa", asked), { code: "HISTORY_FAILED" });
  await broken.close();
  const none = new Summaries(join(home, "none.sqlite"));
  assert.deepEqual(await none.read(null, asked), { sinceMs: null, asOfMs: null, agents: [] });
  await none.close();
});

/** Times as `26 14:05`, of November 2026. */
function checkCover(from: string, to: string, now: string, expected: string): void {
  const time = (text: string) => Date.parse(`2026-11-${text.replace(" ", "T")}:00Z`);
  const written = (timeMs: number) => new Date(timeMs).toISOString().slice(8, 16).replace("T", " ");
  const covered = cover(time(from), time(to), time(now)).map(
    ({ tier, fromMs, toMs }: { tier: Tier; fromMs: number; toMs: number }) =>
      `${tier}s ${written(fromMs)} to ${written(toMs)}`,
  );
  assert.equal(covered.join(", "), expected);
}

test("24 hours are minutes, hours, and the day that has begun", () =>
  checkCover(
    "25 14:58",
    "26 14:58",
    "26 14:58",
    "minutes 25 14:58 to 25 15:00, hours 25 15:00 to 26 00:00, days 26 00:00 to 27 00:00",
  ));
test("weeks are hours up to midnight, then days", () =>
  checkCover(
    "16 22:00",
    "26 14:58",
    "26 14:58",
    "hours 16 22:00 to 17 00:00, days 17 00:00 to 27 00:00",
  ));
test("a stretch in the past ends where it is asked to", () =>
  checkCover(
    "25 14:58",
    "26 02:01",
    "26 14:58",
    "minutes 25 14:58 to 25 15:00, hours 25 15:00 to 26 02:00, minutes 26 02:00 to 26 02:01",
  ));
test("where no minutes are kept any more it ends with an hour", () =>
  checkCover(
    "10 23:00",
    "20 02:31",
    "26 14:58",
    "hours 10 23:00 to 11 00:00, days 11 00:00 to 20 00:00, hours 20 00:00 to 20 02:00",
  ));

function same(summed: Tally, live: Tally, what: string): void {
  const plain = (tally: Tally) => ({
    calls: tally.calls,
    failed: tally.failed,
    failedByClass: [...tally.failedByClass].sort(),
    lmCalls: tally.lmCalls,
    parseFailures: tally.parseFailures,
    toolFailures: tally.toolFailures,
    tokens: tally.tokens,
    cacheHits: tally.cacheHits,
    unpricedCalls: tally.cost.unpricedCalls,
  });
  assert.deepEqual(plain(summed), plain(live), what);
  near(summed.lmMs, live.lmMs, 1e-4);
  near(summed.selfMs.sum, live.selfMs.sum, 1e-4);
  near(summed.costUsd ?? 0, live.costUsd ?? 0, 1e-9);
  for (const quantile of ["p50", "p95", "p99"] as const) {
    near(
      summed.latencyMs.percentiles()?.[quantile] ?? 0,
      live.latencyMs.percentiles()?.[quantile] ?? 0,
      0.016,
    );
    near(
      summed.selfMs.percentiles()?.[quantile] ?? 0,
      live.selfMs.percentiles()?.[quantile] ?? 0,
      0.016,
    );
  }
}

/** @param error relative. */
function near(told: number | null, expected: number, error: number): void {
  const isNear = Math.abs((told ?? Number.NaN) - expected) <= expected * error + 1e-3;
  assert.ok(isNear, `${told} instead of ${expected}`);
}

/** As data that can be compared: sums of the same in another order differ in their last digits. */
function shown({ agents, ...read }: ReadSummaries) {
  const rounded = (ms: number) => Math.round(ms);
  const tally = (told: Tally) => ({
    calls: told.calls,
    classes: [...told.failedByClass].sort(),
    buckets: told.latencyMs.buckets().buckets,
    counts: told.latencyMs.buckets().counts,
    sum: rounded(told.latencyMs.sum),
    self: rounded(told.selfMs.sum),
    tokens: told.tokens,
  });
  return {
    ...read,
    agents: agents.map(({ agent, total, before, steps, groups, ...told }) => ({
      ...told,
      agent,
      requests: tally(total.requests),
      places: total.places.map(({ path, depth, calls }) => ({
        path,
        depth,
        ...tally(calls.sum()),
      })),
      models: [...total.models].map(([model, calls]) => ({ model, ...tally(calls.sum()) })),
      before: before && tally(before.requests),
      steps: steps.map((step) => step && tally(step.requests)),
      groups: groups.map(({ last: { type, path }, ...group }) => ({ ...group, type, path })),
    })),
  };
}
