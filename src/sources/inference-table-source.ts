/**
 * Reads what endpoints logged of their requests, on a schedule, with one SQL statement
 * for all of them. Rows come minutes late, up to an hour; what is delivered twice counts
 * once. It only reads, and never what was asked or answered.
 */
import type { Clock } from "../clock.ts";
import type { DatabricksClient } from "../databricks/client.ts";
import { readRows } from "../ingest/inference-table/read-rows.ts";
import { type LoggingTable, selectRows } from "../ingest/inference-table/select-rows.ts";
import type { LoggedRequest } from "../signals/logged-request.ts";
import { findTables } from "./inference-tables.ts";
import type { OnProblem } from "./progress.ts";
import { type Look, startTableSource, type TableSource } from "./table-source.ts";
import type { Warehouse } from "./warehouse.ts";

export type InferenceTableSourceOptions = {
  readonly client: DatabricksClient;
  /** What reads them. */
  readonly warehouse: Warehouse;
  readonly clock: Clock;
  readonly intervalMs: number;
  /** Requests that began before are not read, in Unix milliseconds. */
  readonly fromMs: number;
  /** What it rejects is not taken as delivered and comes again. Never called twice at a time. */
  readonly onRequests: (batch: LoggedBatch) => Promise<void>;
  readonly onProblem: OnProblem;
};

export type LoggedBatch = {
  readonly requests: readonly LoggedRequest[];
  /** What was left out, by reason. */
  readonly dropped: ReadonlyMap<string, number>;
};

/** Statements in a day, by UTC. */
export const STATEMENTS_PER_DAY_MAX = 600;
/** Rows of one statement, well below the 25 MiB that an answer may have. */
export const ROWS_MAX = 50_000;
/** Rows without what counting needs that are remembered, to count each once. */
const INCOMPLETE_MAX = 10_000;

export function startInferenceTableSource(options: InferenceTableSourceOptions): TableSource {
  const { client, onRequests } = options;
  /** Rows that were counted as left out. */
  const knownIncomplete = new Set<string>();

  const look: Look<LoggingTable> = {
    async take(rows, tables) {
      const { requests, incomplete, lastStartMs } = readRows(rows, tables);
      const news = incomplete.filter((key) => !knownIncomplete.has(key));
      const dropped = new Map(news.length > 0 ? [["inference_row_incomplete", news.length]] : []);
      if (requests.length > 0 || dropped.size > 0) await onRequests({ requests, dropped });
      for (const key of news) addNewest(knownIncomplete, key);
      return lastStartMs;
    },
    end: async () => null,
  };

  return startTableSource<LoggingTable>({
    ...options,
    name: "Inference tables",
    purpose: "inference-tables",
    statementsPerDayMax: STATEMENTS_PER_DAY_MAX,
    rowsMax: ROWS_MAX,
    nothingFound: "No endpoint logs requests yet.",
    find: (signal) => findTables(client, { signal }),
    select: selectRows,
    startLook: () => look,
  });
}

/** The oldest goes where there are too many. */
function addNewest(keys: Set<string>, key: string): void {
  keys.add(key);
  if (keys.size <= INCOMPLETE_MAX) return;
  for (const oldest of keys) {
    keys.delete(oldest);
    return;
  }
}
