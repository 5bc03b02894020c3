/**
 * The process in which the history is written: apart from the monitor, so that neither
 * DuckDB's work nor its failure touches what watches and alerts.
 */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { systemClock } from "../clock.ts";
import { MonitorError } from "../monitor-error.ts";
import type { PriceBook } from "../signals/price-book.ts";
import type { PlacedEntry } from "../store/journal.ts";
import { connect, loadDuckDb } from "./duckdb.ts";
import { diskFiles } from "./files.ts";
import { Follower } from "./follower.ts";
import { defaultRetention } from "./maintain.ts";

export type ToProcess =
  | {
      readonly kind: "open";
      readonly directory: string;
      readonly workspaceId: string;
      readonly priceBook: PriceBook;
    }
  | { readonly kind: "take"; readonly entries: readonly PlacedEntry[] }
  | { readonly kind: "seal" };

export type FromProcess =
  | { readonly kind: "done" }
  | { readonly kind: "sealed"; readonly prunableUpTo: number }
  | {
      readonly kind: "failed";
      readonly code: string | null;
      readonly problem: string;
      readonly hint: string | null;
    };

let follower: Follower | null = null;

process.on("message", (message: ToProcess) => void serve(message));
// The monitor decides when the history ends; a terminal tells both of them.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => {});
process.on("disconnect", () => process.exit(0));

async function serve(message: ToProcess): Promise<void> {
  try {
    reply(await answer(message));
  } catch (error) {
    const { code, hint } = error instanceof MonitorError ? error : { code: null, hint: null };
    const problem = error instanceof Error ? error.message : String(error);
    reply({ kind: "failed", code, hint, problem });
  }
}

async function answer(message: ToProcess): Promise<FromProcess> {
  if (message.kind === "open") {
    follower = await open(message);
    return { kind: "done" };
  }
  if (!follower) throw new Error("the history is not open");
  if (message.kind === "seal") return { kind: "sealed", prunableUpTo: await follower.seal() };
  await follower.take(message.entries);
  return { kind: "done" };
}

async function open({
  directory,
  workspaceId,
  priceBook,
}: ToProcess & { kind: "open" }): Promise<Follower> {
  const duckDb = await loadDuckDb();
  diskFiles.makeDirectory(directory);
  const temporaryDirectory = join(directory, "temporary");
  const connection = await connect(duckDb, { threads: 1, temporaryDirectory });
  const context = { duckDb, connection, files: diskFiles, directory, newId: randomUUID };
  return Follower.start(
    { workspaceId, priceBook, retention: defaultRetention, nowMs: systemClock.now },
    context,
  );
}

function reply(message: FromProcess): void {
  process.send?.(message);
}
