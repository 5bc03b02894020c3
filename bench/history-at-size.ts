/**
 * A million samples, or as many as `--rows` says, along the whole way: metric points into a
 * journal that syncs each batch, from there into the tables of the history, merged as they grow,
 * asked for p99 by minute, and exported. At each station every one of them is there once, or it
 * ends with an error. CPU time of the process, whose threads are the journal's and DuckDB's too.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exportHistory } from "../src/export/delta/export-history.ts";
import { readSnapshot } from "../src/history/delta-log.ts";
import {
  connect,
  type DuckDBConnection,
  type DuckDb,
  loadDuckDb,
  quoteText,
} from "../src/history/duckdb.ts";
import { diskFiles } from "../src/history/files.ts";
import { Follower } from "../src/history/follower.ts";
import { defaultRetention } from "../src/history/maintain.ts";
import { openHistory } from "../src/history/query.ts";
import { tableDirectory } from "../src/history/seal.ts";
import type { MetricPoint } from "../src/signals/metric-point.ts";
import { builtInPriceBook } from "../src/signals/prices.ts";
import { bodyOf } from "../src/state/journal-entry.ts";
import { type Journal, openJournal } from "../src/store/journal.ts";
import { compareCpu, cpuNsOf, P99_BY_MINUTE } from "./history.ts";
import { grouped, type Measured } from "./measure.ts";

/** The goal, as the peer to be compared with: samples per second and core. */
const GOAL_PER_SECOND = 1_000_000;
const GOAL = "1 000 000 samples a second";
/** Points of one batch, each of a series of its own. */
const BATCH = 1_000;
const BATCH_EVERY_MS = 6_000;
/** Batches that wait for the disk at a time, as from so many senders. */
const SENDERS = 8;
/** Batches between two rounds of sealing. */
const ROUND = 250;
const QUERY_ROUNDS = 3;
const START_MS = Date.UTC(2026, 0, 15);

export async function historyAtSize(asked: number): Promise<Measured> {
  const directory = mkdtempSync(join(tmpdir(), "bench-history-at-size-"));
  try {
    const duckDb = await loadDuckDb();
    const home = join(directory, "history");
    const batches = Math.ceil(asked / BATCH);
    const rows = batches * BATCH;
    const { journalNs, sealNs } = await take(batches, { directory, home, duckDb });
    const plain = await connect(duckDb, { threads: 2, temporaryDirectory: directory });
    const { files, bytes } = await viewOf("metrics", tableDirectory(home, "metrics"), plain);
    const opened = await openHistory(home);
    const query = await compareCpu(QUERY_ROUNDS, rows, {
      ours: async () => (await opened.query(P99_BY_MINUTE, { rowsMax: rows })).rows,
      peer: async () => (await plain.runAndReadAll(P99_BY_MINUTE)).getRowsJson(),
    });
    opened.close();
    await expectOnce("metrics", rows, plain);

    const lake = join(directory, "lake");
    const before = process.cpuUsage();
    const exported = await exportHistory(home, { directory: lake, prefix: "agents" });
    const exportNs = cpuNsOf(before) / rows;
    if (exported.rows !== rows) throw new Error(`${exported.rows} rows of ${rows} were exported.`);
    await viewOf("exported", join(lake, "agents_metrics"), plain);
    await expectOnce("exported", rows, plain);
    plain.closeSync();

    const goalNs = 1e9 / GOAL_PER_SECOND;
    const perSecond = (ns: number) => grouped(1e9 / ns);
    const peakBytes = process.resourceUsage().maxRSS * 1024;
    return {
      rows: [
        toGoal("history_at_size_journal", journalNs, goalNs),
        toGoal("history_at_size_seal", sealNs, goalNs),
        {
          name: "history_at_size_p99_by_minute",
          peer: "DuckDB on the same files",
          ...query,
          ratio: query.peerNs / query.oursNs,
        },
      ],
      notes: [
        `history_at_size: ${grouped(rows)} samples – ${perSecond(journalNs)} per CPU-second on disk in the journal, ${perSecond(sealNs)} from there into ${files} files of the history, ${(bytes / rows).toFixed(1)} bytes a row, ${perSecond(exportNs)} to the tables of a directory; each there once; at most ${grouped(peakBytes / 2 ** 20)} MiB of memory`,
      ],
    };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** Into the journal and from there into the history, as a monitor does it: one after the other in turns. */
async function take(
  batches: number,
  {
    directory,
    home,
    duckDb,
  }: { readonly directory: string; readonly home: string; readonly duckDb: DuckDb },
): Promise<{ readonly journalNs: number; readonly sealNs: number }> {
  const { journal } = await openJournal(join(directory, "data"));
  const connection = await connect(duckDb, { threads: 1, temporaryDirectory: directory });
  let nowMs = START_MS;
  let followedUpTo = 0;
  const follower = new Follower(
    {
      workspaceId: "local",
      priceBook: builtInPriceBook,
      retention: defaultRetention,
      nowMs: () => nowMs,
    },
    { duckDb, connection, files: diskFiles, directory: home, newId: () => "bench" },
  );
  diskFiles.makeDirectory(home);
  let journalNs = 0;
  let sealNs = 0;
  for (let from = 0; from < batches; from += ROUND) {
    const end = Math.min(from + ROUND, batches);
    for (let batch = from; batch < end; batch += SENDERS) {
      const points = Array.from({ length: Math.min(SENDERS, end - batch) }, (_, at) =>
        pointsOf(batch + at),
      );
      const before = process.cpuUsage();
      await Promise.all(points.map((some, at) => append(some, timeOf(batch + at), journal)));
      journalNs += cpuNsOf(before);
    }
    nowMs = timeOf(end);
    const taken = process.cpuUsage();
    for (let isLast = false; !isLast; ) {
      const { entries, upTo, last } = await journal.entriesAfter(followedUpTo);
      await follower.take(entries);
      followedUpTo = upTo;
      isLast = last;
    }
    journal.prune(nowMs, await follower.seal());
    sealNs += cpuNsOf(taken);
  }
  await journal.close();
  connection.closeSync();
  const rows = batches * BATCH;
  return { journalNs: journalNs / rows, sealNs: sealNs / rows };
}

/** Resolves once it is on disk. */
async function append(points: readonly MetricPoint[], timeMs: number, journal: Journal) {
  await journal.append({
    timeMs,
    body: bodyOf({ kind: "metrics", points, repeated: 0, dropped: {} }),
  });
}

function timeOf(batch: number): number {
  return START_MS + batch * BATCH_EVERY_MS;
}

/** Of ten agents with a hundred series each. */
function pointsOf(batch: number): MetricPoint[] {
  return Array.from({ length: BATCH }, (_, at) => ({
    endpoint: `agent-${at % 10}`,
    name: "queue_time_ms",
    labels: { region: at % 3 === 0 ? "us-west" : "eu-central", instance: `${Math.floor(at / 10)}` },
    mode: "gauge",
    startMs: 0,
    timeMs: timeOf(batch) + at,
    // Spread evenly, the same on each run.
    values: [
      {
        suffix: "",
        kind: "gauge",
        value: 100 + (((batch * BATCH + at) * 2_654_435_761) % 1_000_003) / 100,
      },
    ],
  }));
}

/** DuckDB over the files that a Delta log names, and nothing of ours. */
async function viewOf(
  view: string,
  home: string,
  connection: DuckDBConnection,
): Promise<{ readonly files: number; readonly bytes: number }> {
  const { files } = await readSnapshot(home, { files: diskFiles, connection });
  const paths = [...files.keys()].map((path) => quoteText(join(home, path)));
  await connection.run(`CREATE VIEW ${view} AS SELECT * FROM read_parquet([${paths.join(", ")}])`);
  const bytes = [...files.values()].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  return { files: files.size, bytes };
}

async function expectOnce(view: string, rows: number, connection: DuckDBConnection): Promise<void> {
  const reader = await connection.runAndReadAll(
    `SELECT count(*), count(DISTINCT event_id) FROM ${view}`,
  );
  const [counts = []] = reader.getRowsJson();
  if (counts.some((count) => Number(count) !== rows)) {
    throw new Error(`${view} has ${counts[0]} rows with ${counts[1]} ids of ${rows}.`);
  }
}

function toGoal(name: string, oursNs: number, peerNs: number) {
  return { name, oursNs, peer: GOAL, peerNs, ratio: peerNs / oursNs };
}
