/**
 * Writes the history as it is told to, one order after another: what stands behind the
 * process of its own, with everything that it touches passed in.
 */
import { join } from "node:path";
import { MonitorError } from "../monitor-error.ts";
import type { PriceBook } from "../signals/price-book.ts";
import type { PlacedEntry } from "../store/journal.ts";
import { SUMMED_UP_ANEW } from "../summaries/summary-store.ts";
import type { DuckDBConnection, DuckDb } from "./duckdb.ts";
import type { Files } from "./files.ts";
import { Follower, type Upkeep, type WrittenSummaries } from "./follower.ts";
import { defaultRetention, type Retention } from "./maintain.ts";

/** What it touches. */
export type WriterMachine = {
  readonly files: Files;
  readonly openDuckDb: (options: { readonly temporaryDirectory: string }) => Promise<{
    readonly duckDb: DuckDb;
    readonly connection: DuckDBConnection;
  }>;
  /** Left out, nothing is summed up. */
  readonly openSummaries?: (directory: string) => {
    readonly store: WrittenSummaries;
    readonly quarantinedAs: string | null;
  };
  readonly nowMs: () => number;
  /** A UUID. */
  readonly newId: () => string;
  /** 90 days and 10 GiB by default. */
  readonly retention?: Retention;
  readonly upkeep?: Upkeep;
};

export type WriterOrder =
  | {
      readonly kind: "open";
      readonly directory: string;
      readonly workspaceId: string;
      readonly priceBook: PriceBook;
    }
  | {
      readonly kind: "take";
      readonly entries: readonly PlacedEntry[];
      /** How many there were beside them that can't be read. */
      readonly damaged: number;
    }
  | { readonly kind: "seal" };

export type WriterAnswer =
  | { readonly kind: "done" }
  | {
      readonly kind: "sealed";
      readonly prunableUpTo: number;
      /** What was damaged, and what became of it: a sentence each. */
      readonly repairs: readonly string[];
    }
  | {
      readonly kind: "failed";
      readonly code: string | null;
      readonly problem: string;
      readonly hint: string | null;
    };

/** Never rejects: what fails is told. */
export function createHistoryWriter(
  machine: WriterMachine,
): (order: WriterOrder) => Promise<WriterAnswer> {
  let follower: Follower | null = null;
  /** What is told with the next sealing. */
  const notices: string[] = [];

  async function follow(order: WriterOrder): Promise<WriterAnswer> {
    if (order.kind === "open") {
      follower = await open(order, machine, (notice) => notices.push(notice));
      return { kind: "done" };
    }
    if (!follower) throw new Error("the history is not open");
    if (order.kind === "seal") {
      const prunableUpTo = await follower.seal();
      const repairs = [...notices.splice(0), ...follower.takeRepairs().map(({ what }) => what)];
      return { kind: "sealed", prunableUpTo, repairs };
    }
    await follower.take(order.entries, order);
    return { kind: "done" };
  }

  return async (order) => {
    try {
      return await follow(order);
    } catch (error) {
      const { code, hint } = error instanceof MonitorError ? error : { code: null, hint: null };
      const problem = error instanceof Error ? error.message : String(error);
      return { kind: "failed", code, hint, problem };
    }
  };
}

async function open(
  { directory, workspaceId, priceBook }: WriterOrder & { readonly kind: "open" },
  machine: WriterMachine,
  onNotice: (notice: string) => void,
): Promise<Follower> {
  const { files, openDuckDb, openSummaries, nowMs, newId, upkeep } = machine;
  const { retention = defaultRetention } = machine;
  files.makeDirectory(directory);
  const opened = await openDuckDb({ temporaryDirectory: join(directory, "temporary") });
  const { store: summaries, quarantinedAs = null } = openSummaries?.(directory) ?? {};
  if (quarantinedAs !== null) {
    onNotice(
      `The summaries of the history were damaged, and were set aside as ${quarantinedAs}. ${SUMMED_UP_ANEW}`,
    );
  }
  return new Follower(
    {
      ...{ workspaceId, priceBook, retention, nowMs, upkeep },
      ...(summaries && { summaries }),
    },
    { ...opened, files, directory, newId },
  );
}
