/**
 * Reads what Databricks counts and bills of the endpoints, from its system tables: one poll
 * for all endpoints. Days are summed up in the warehouse and read again while they may
 * still change, so that late rows and corrections count once. A table that may not be read
 * is told once, with what to grant, and holds up no other. It only reads.
 */
import type { Clock } from "../clock.ts";
import type { DatabricksClient } from "../databricks/client.ts";
import { DatabricksError, isNotThere } from "../databricks/databricks-error.ts";
import { listServingEndpoints } from "../databricks/serving-endpoints.ts";
import { getTable } from "../databricks/tables.ts";
import {
  BILLING_TABLE,
  PRICES_TABLE,
  readBilled,
  selectBilled,
} from "../ingest/system-tables/billed.ts";
import {
  ENTITIES_TABLE,
  readCounted,
  selectCounted,
  USAGE_TABLE,
} from "../ingest/system-tables/counted.ts";
import { MonitorError } from "../monitor-error.ts";
import type { AccountDays } from "../signals/account-day.ts";
import { plural } from "./endpoint-calls.ts";
import { type PollLoop, startPollLoop } from "./poll-loop.ts";
import { createProgress, type OnProblem, type Progress, type SourceStatus } from "./progress.ts";
import { sentencesOf, type TableSource } from "./table-source.ts";
import { isOfSql, type Warehouse } from "./warehouse.ts";

export type SystemTableSourceOptions = {
  readonly client: DatabricksClient;
  /** What reads them. */
  readonly warehouse: Warehouse;
  readonly clock: Clock;
  /** What it rejects is not taken as delivered and comes again. */
  readonly onDays: (days: AccountDays) => Promise<void>;
  readonly onProblem: OnProblem;
};

/** How often the requests are counted; the table is some minutes late. */
export const COUNT_EVERY_MS = 15 * 60_000;
/** How often it is read what is billed; the table is hours late. */
export const BILL_EVERY_MS = 60 * 60_000;
/** Statements in a day, by UTC, of each of the two. */
const STATEMENTS_PER_DAY_MAX = 150;
/** Days that are summed up at the first look and once a day, and at the others. */
const ALL_DAYS = 31;
const NEWEST_DAYS = 3;
/** Endpoints that are asked for; the first by name. */
const ENDPOINTS_MAX = 500;
const DAY_MS = 86_400_000;

export function startSystemTableSource(options: SystemTableSourceOptions): TableSource {
  const { client, warehouse, clock, onDays } = options;
  const counts = reader(
    "Databricks usage",
    COUNT_EVERY_MS,
    async ({ ids, names, days, signal }) => {
      const missing = await findMissing(client, [USAGE_TABLE, ENTITIES_TABLE], signal);
      const [first] = missing.values();
      if (first) return first;
      await warehouse.requireRunning(signal);
      const fromMs = clock.now() - (days - 1) * DAY_MS;
      const rows = await warehouse.read(selectCounted(ids, fromMs), {
        purpose: "endpoint-usage",
        statementsPerDayMax: STATEMENTS_PER_DAY_MAX,
        signal,
      });
      const counted = readCounted(rows, names);
      await onDays({ counted, billed: [] });
      return "";
    },
  );
  const bills = reader("Databricks billing", BILL_EVERY_MS, async ({ ids, names, signal }) => {
    const missing = await findMissing(client, [BILLING_TABLE, PRICES_TABLE], signal);
    const usage = missing.get(BILLING_TABLE);
    if (usage) return usage;
    const prices = missing.get(PRICES_TABLE);
    await warehouse.requireRunning(signal);
    // Corrections come for days that are long over.
    const fromMs = clock.now() - (ALL_DAYS - 1) * DAY_MS;
    const statement = selectBilled(ids, { fromMs, hasPrices: !prices });
    const rows = await warehouse.read(statement, {
      purpose: "billing",
      statementsPerDayMax: STATEMENTS_PER_DAY_MAX,
      signal,
    });
    await onDays({ counted: [], billed: readBilled(rows, names) });
    return prices ? ` Without prices: ${sentencesOf(prices)}` : " At list prices.";
  });

  type Asked = {
    readonly ids: readonly string[];
    readonly names: ReadonlyMap<string, string>;
    /** Days that are summed up, today included. */
    readonly days: number;
    readonly signal: AbortSignal;
  };

  function reader(
    name: string,
    intervalMs: number,
    /** What to add to the message, or what keeps it from being read. */
    read: (asked: Asked) => Promise<string | MonitorError>,
  ): { readonly progress: Progress<string>; readonly loop: PollLoop } {
    const progress = createProgress(name, options);
    let allReadMs = Number.NEGATIVE_INFINITY;
    const loop = startPollLoop({
      clock,
      intervalMs,
      async poll(signal) {
        const startedMs = clock.now();
        const { endpoints } = await listServingEndpoints(client, { signal });
        const named = endpoints
          .toSorted((a, b) => (a.name < b.name ? -1 : 1))
          .flatMap(({ id, name }) => (id === null ? [] : [[id, name] as const]))
          .slice(0, ENDPOINTS_MAX);
        if (named.length === 0) {
          progress.succeeded(startedMs, "There is no endpoint.");
          return;
        }
        const isAll = startedMs - allReadMs >= DAY_MS;
        const names = new Map(named);
        const ids = [...names.keys()];
        const days = isAll ? ALL_DAYS : NEWEST_DAYS;
        const result = await read({ ids, names, days, signal });
        if (result instanceof MonitorError) {
          progress.waits(result);
          return;
        }
        if (isAll) allReadMs = startedMs;
        progress.succeeded(startedMs, `Reads of ${plural(ids.length, "endpoint")}.${result}`);
      },
      onFailure(error) {
        progress.failed(isOfSql(error) ? grantable(error) : error, { withHint: true });
      },
    });
    return { progress, loop };
  }

  return {
    status: (): SourceStatus[] => [counts.progress.status(), bills.progress.status()],
    async close() {
      await Promise.all([counts.loop.close(), bills.loop.close()]);
    },
  };
}

/** Of these, the tables that can't be read, and why. It needs no warehouse. */
async function findMissing(
  client: DatabricksClient,
  tables: readonly string[],
  signal: AbortSignal,
): Promise<Map<string, MonitorError>> {
  const missing = new Map<string, MonitorError>();
  for (const table of tables) {
    try {
      await getTable(client, table, { signal });
    } catch (error) {
      if (!(error instanceof DatabricksError)) throw error;
      const isDenied = error.code === "DATABRICKS_FORBIDDEN";
      if (!isDenied && !isNotThere(error)) throw error;
      missing.set(table, notReadable(table, error));
    }
  }
  return missing;
}

function notReadable(table: string, cause: DatabricksError): MonitorError {
  return new MonitorError(cause.code, `system table ${table} is not there, or may not be read`, {
    hint: grantHint(table),
    cause,
  });
}

function grantHint(table: string): string {
  const schema = table.slice(0, table.lastIndexOf("."));
  return `Let a metastore admin enable the schema ${schema}, and GRANT USE SCHEMA ON SCHEMA ${schema} and SELECT ON TABLE ${table} to the identity.`;
}

/** Databricks' own words, with what mostly ends it. */
function grantable(error: DatabricksError): MonitorError {
  return new MonitorError(error.code, error.message, {
    hint: "Check that the identity has SELECT on the system tables of serving and billing, and USE SCHEMA above them.",
    cause: error,
  });
}
