/**
 * The SQL warehouse that reads for every source. It costs money while it runs: one that
 * is stopped is never started, statements are counted and timed by the day, and each says
 * in its query tags what it is for.
 */
import type { Clock } from "../clock.ts";
import type { DatabricksClient } from "../databricks/client.ts";
import { DatabricksError } from "../databricks/databricks-error.ts";
import { executeStatement, type Row, readStatementRows } from "../databricks/statements.ts";
import { getWarehouse } from "../databricks/warehouses.ts";
import { MonitorError } from "../monitor-error.ts";

export type Warehouse = {
  /** @throws MonitorError `WAREHOUSE_MISSING` unless it runs. */
  requireRunning(signal: AbortSignal): Promise<void>;
  /** @throws MonitorError `QUOTA_EXCEEDED` when what may be run in a day is used up. */
  read(statement: string, options: ReadOptions): Promise<readonly Row[]>;
};

export type ReadOptions = {
  /** Its query tag, such as `inference-tables`; statements are counted by it. */
  readonly purpose: string;
  /** Statements of this purpose in a day, by UTC. */
  readonly statementsPerDayMax: number;
  readonly signal: AbortSignal;
};

/** Time that statements of all purposes together may take in a day (UTC), in seconds. */
export const STATEMENT_SECONDS_PER_DAY_MAX = 7_200;

const DAY_MS = 86_400_000;

export function createWarehouse({
  client,
  warehouseId,
  clock,
}: {
  readonly client: DatabricksClient;
  readonly warehouseId: string;
  readonly clock: Clock;
}): Warehouse {
  let day = newDay(Number.NaN);

  function count({ purpose, statementsPerDayMax }: ReadOptions): void {
    const number = Math.floor(clock.now() / DAY_MS);
    if (number !== day.number) day = newDay(number);
    const statements = day.statements.get(purpose) ?? 0;
    if (statements >= statementsPerDayMax) {
      throw usedUp(`${statementsPerDayMax} statements`, purpose);
    }
    if (day.tookMs >= STATEMENT_SECONDS_PER_DAY_MAX * 1000) {
      throw usedUp(`${STATEMENT_SECONDS_PER_DAY_MAX} s of the warehouse`, purpose);
    }
    day.statements.set(purpose, statements + 1);
  }

  return {
    async requireRunning(signal) {
      const { state } = await getWarehouse(client, warehouseId, { signal });
      if (state === "RUNNING" || state === "STARTING") return;
      throw new MonitorError(
        "WAREHOUSE_MISSING",
        `SQL warehouse ${warehouseId} is ${state ?? "in no known state"}, and is not started for this`,
        { hint: "Start it, or name one that runs: --warehouse ID." },
      );
    },
    async read(statement, options) {
      const { purpose, signal } = options;
      count(options);
      const startedMs = clock.now();
      try {
        const answer = await executeStatement(
          client,
          {
            warehouse_id: warehouseId,
            statement,
            query_tags: [
              { key: "application", value: "dspy-databricks-agents" },
              { key: "purpose", value: purpose },
            ],
          },
          { signal, purpose: `read ${purpose.replaceAll("-", " ")}`, isIdempotent: true },
        );
        const rows: Row[] = [];
        for await (const row of readStatementRows(client, answer, { signal })) rows.push(row);
        return rows;
      } finally {
        day.tookMs += Math.max(0, clock.now() - startedMs);
      }
    },
  };
}

type Day = { readonly number: number; readonly statements: Map<string, number>; tookMs: number };

function newDay(number: number): Day {
  return { number, statements: new Map(), tookMs: 0 };
}

function usedUp(what: string, purpose: string): MonitorError {
  return new MonitorError(
    "QUOTA_EXCEEDED",
    `the ${what} that the monitor may use in a day are used up for ${purpose.replaceAll("-", " ")}; it reads on at midnight UTC`,
    { hint: "Nothing is lost by that, unless it lasts: the next day is read from here on." },
  );
}

/** SQL that fails does so in an answer that succeeds; anything else would fail for every table. */
export function isOfSql(error: unknown): error is DatabricksError {
  return error instanceof DatabricksError && error.call.status === 200;
}
