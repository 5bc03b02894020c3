/**
 * The process in which the history is written: apart from the monitor, so that neither
 * DuckDB's work nor its failure touches what watches and alerts.
 */
import { randomUUID } from "node:crypto";
import { systemClock } from "../clock.ts";
import { openSummaries } from "../summaries/summary-store.ts";
import { connect, loadDuckDb } from "./duckdb.ts";
import { diskFiles } from "./files.ts";
import { createHistoryWriter, type WriterOrder } from "./history-writer.ts";

const write = createHistoryWriter({
  files: diskFiles,
  async openDuckDb(options) {
    const duckDb = await loadDuckDb();
    return { duckDb, connection: await connect(duckDb, { threads: 1, ...options }) };
  },
  openSummaries: (directory) => openSummaries(directory, systemClock.now()),
  nowMs: systemClock.now,
  newId: randomUUID,
});

process.on("message", async (order: WriterOrder) => process.send?.(await write(order)));
// The monitor decides when the history ends; a terminal tells both of them.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => {});
process.on("disconnect", () => process.exit(0));
