/**
 * What the history costs beside DuckDB alone: samples become rows and are sealed as a Parquet
 * file with its commit, against DuckDB's appender and COPY of the same values; and p99 by
 * minute is asked for, against DuckDB on the same file. CPU time of the process, since
 * DuckDB works in threads of its own. Figures are per row.
 */
import { hash } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type DuckDb, loadDuckDb, quoteText } from "../src/history/duckdb.ts";
import { eventIdOf } from "../src/history/event-id.ts";
import { diskFiles } from "../src/history/files.ts";
import { PendingRows } from "../src/history/pending-rows.ts";
import { openHistory } from "../src/history/query.ts";
import { rowsOf } from "../src/history/rows.ts";
import { sealRows, tableDirectory } from "../src/history/seal.ts";
import { KnownSeries } from "../src/history/series.ts";
import { nothingHappened } from "../src/signals/happened.ts";
import type { Sample } from "../src/signals/sample.ts";
import { type Effort, FULL, grouped, type Measured, type Row } from "./measure.ts";

const ROWS = 250_000;
const ROUNDS = 5;
/** Samples that arrive at a time. */
const BATCH = 1_000;
const CHUNK_ROWS = 2_048;
const START_MS = Date.UTC(2026, 0, 15);

/** The same rows in the same order on both sides. */
export const P99_BY_MINUTE = `SELECT date_trunc('minute', timestamp) AS minute, endpoint_name,
  quantile_disc(value, 0.99) AS p99 FROM metrics GROUP BY ALL ORDER BY ALL`;

export async function history(effort: Effort): Promise<Measured> {
  const [rows, rounds] = effort === FULL ? [ROWS, ROUNDS] : [ROWS / 10, 1];
  const directory = mkdtempSync(join(tmpdir(), "bench-history-"));
  try {
    const samples = samplesOf(rows);
    const ids = samples.map(({ endpoint, timeMs }) => eventIdOf(endpoint, timeMs));
    const duckDb = await loadDuckDb();
    const seal = await compareCpu(rounds, rows, {
      ours: (round) => sealAll(duckDb, samples, join(directory, `ours-${round}`)),
      peer: (round) => copyAll(duckDb, { samples, ids }, join(directory, `peer-${round}.parquet`)),
    });
    const home = join(directory, "ours-0");
    const [file] = filesIn(home);
    const opened = await openHistory(home);
    const plain = await connect(duckDb, { threads: 2, temporaryDirectory: directory });
    await plain.run(`CREATE VIEW metrics AS SELECT * FROM read_parquet(${quoteText(file ?? "")})`);
    const query = await compareCpu(rounds, rows, {
      ours: async () => (await opened.query(P99_BY_MINUTE, { rowsMax: 1_000_000 })).rows,
      peer: async () => (await plain.runAndReadAll(P99_BY_MINUTE)).getRowsJson(),
    });
    opened.close();
    const ourBytes = statSync(file ?? "").size;
    const theirBytes = statSync(join(directory, "peer-0.parquet")).size;
    return {
      rows: [
        rowOf("history_seal", "DuckDB, appender and COPY", seal),
        rowOf("history_p99_by_minute", "DuckDB on the same file", query),
      ],
      notes: [
        `history: ${grouped(1e9 / seal.oursNs)} samples per CPU-second become rows and are sealed, ${(ourBytes / rows).toFixed(1)} bytes a row (DuckDB alone ${(theirBytes / rows).toFixed(1)})`,
      ],
    };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** Values of a series share the object, as those have that services push. */
const west = { region: "us-west" };
const central = { region: "eu-central" };

function samplesOf(rows: number): Sample[] {
  return Array.from({ length: rows }, (_, at) => ({
    name: "request_latency_ms",
    kind: "latency",
    endpoint: `agent-${at % 10}`,
    labels: at % 3 === 0 ? west : central,
    // Spread evenly, the same on each run.
    value: 100 + ((at * 2_654_435_761) % 1_000_003) / 100,
    timeMs: START_MS + at * 14,
  }));
}

/** As the process that follows the journal does it, batch by batch. */
async function sealAll(duckDb: DuckDb, samples: readonly Sample[], directory: string) {
  const pending = new PendingRows();
  const series = new KnownSeries();
  for (let from = 0; from < samples.length; from += BATCH) {
    const batch = { ...nothingHappened, pushed: samples.slice(from, from + BATCH) };
    for (const row of rowsOf(batch, { workspaceId: "local", series })) pending.add(row, 1);
  }
  const connection = await connect(duckDb, { threads: 1, temporaryDirectory: directory });
  await sealRows(
    { upTo: 1, timeMs: START_MS, tables: pending.tables() },
    { duckDb, connection, files: diskFiles, directory, newId: () => "bench" },
  );
  connection.closeSync();
}

/** The same values, their ids made before, without a Delta log. */
async function copyAll(
  duckDb: DuckDb,
  { samples, ids }: { readonly samples: readonly Sample[]; readonly ids: readonly string[] },
  path: string,
) {
  const connection = await connect(duckDb, { threads: 1, temporaryDirectory: path });
  const { VARCHAR, DOUBLE } = duckDb;
  await connection.run(
    "CREATE TEMP TABLE staged (event_id VARCHAR, time_ms DOUBLE, endpoint VARCHAR, name VARCHAR, kind VARCHAR, value DOUBLE, labels VARCHAR)",
  );
  const appender = await connection.createAppender("staged");
  for (let from = 0; from < samples.length; from += CHUNK_ROWS) {
    const some = samples.slice(from, from + CHUNK_ROWS);
    const chunk = duckDb.DuckDBDataChunk.create([
      ...[VARCHAR, DOUBLE, VARCHAR, VARCHAR, VARCHAR, DOUBLE, VARCHAR],
    ]);
    chunk.setColumns([
      ids.slice(from, from + CHUNK_ROWS),
      some.map(({ timeMs }) => timeMs),
      some.map(({ endpoint }) => endpoint),
      some.map(({ name }) => name),
      some.map(({ kind }) => kind),
      some.map(({ value }) => value),
      some.map(({ labels }) => JSON.stringify(labels)),
    ]);
    appender.appendDataChunk(chunk);
  }
  appender.closeSync();
  await connection.run(
    `COPY (SELECT event_id, CAST(make_timestamp(CAST(time_ms * 1000 AS BIGINT)) AS TIMESTAMPTZ) AS timestamp,
       endpoint, name, kind, value, json_transform(labels, '"MAP(VARCHAR,VARCHAR)"') AS labels FROM staged)
     TO ${quoteText(path)} (FORMAT PARQUET, COMPRESSION ZSTD)`,
  );
  connection.closeSync();
}

function filesIn(directory: string): string[] {
  const home = tableDirectory(directory, "metrics");
  return readdirSync(home)
    .filter((name) => name.endsWith(".parquet"))
    .map((name) => join(home, name));
}

export type Compared = { readonly oursNs: number; readonly peerNs: number };

/**
 * In turns; the median of each.
 *
 * @throws Error when the sides answer differently; where nothing is asked, they answer nothing.
 */
export async function compareCpu(
  rounds: number,
  rows: number,
  sides: Readonly<Record<"ours" | "peer", (round: number) => Promise<unknown>>>,
): Promise<Compared> {
  const taken = { ours: [] as number[], peer: [] as number[] };
  const answers = new Set<string>();
  for (let round = 0; round < rounds; round++) {
    for (const side of ["ours", "peer"] as const) {
      const before = process.cpuUsage();
      const answer = await sides[side](round);
      taken[side].push(cpuNsOf(before) / rows);
      answers.add(hash("sha256", JSON.stringify(answer) ?? ""));
    }
  }
  if (answers.size !== 1) throw new Error("They answer differently.");
  const median = (values: readonly number[]) =>
    values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
  return { oursNs: median(taken.ours), peerNs: median(taken.peer) };
}

/** Of all threads of the process since then. */
export function cpuNsOf(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) * 1_000;
}

function rowOf(name: string, peer: string, { oursNs, peerNs }: Compared): Row {
  return { name, oursNs, peer, peerNs, ratio: peerNs / oursNs };
}
