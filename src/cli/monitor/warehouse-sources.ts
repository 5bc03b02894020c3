/**
 * What is read over a SQL warehouse: which tables, how often, and from when on. One
 * warehouse and one count of its cost for all of them.
 */
import type { Clock } from "../../clock.ts";
import type { DatabricksClient } from "../../databricks/client.ts";
import type { Monitor } from "../../monitor/monitor.ts";
import { startInferenceTableSource } from "../../sources/inference-table-source.ts";
import type { OnProblem, SourceStatus } from "../../sources/progress.ts";
import { startSpanTableSource } from "../../sources/span-table-source.ts";
import { startSystemTableSource } from "../../sources/system-table-source.ts";
import { WIDE_LOOK_MS } from "../../sources/table-source.ts";
import { createWarehouse } from "../../sources/warehouse.ts";
import type { TablePath } from "./options.ts";

/** Rows of inference tables come minutes late, and each look costs. */
const INFERENCE_TABLE_INTERVAL_MS = 300_000;
/** Spans are there within seconds to minutes. */
const SPAN_TABLE_INTERVAL_MS = 60_000;
/** How far the first look of all goes back. */
const FIRST_LOOK_BACK_MS = 3_600_000;
/** How far a look after a restart goes back at most: as long as the live figures are kept. */
const LOOK_BACK_MAX_MS = 24 * 3_600_000;

const SPAN_TABLES = "span-tables";

/** What the page says where no warehouse is named. */
export const notRead = {
  name: "Inference tables",
  state: "waiting",
  asOfMs: null,
  message: "Not read. `--warehouse ID` names the SQL warehouse that reads them.",
} as const;

export type WarehouseSources = {
  status(): SourceStatus[];
  close(): Promise<void>;
};

export function startWarehouseSources({
  client,
  warehouseId,
  spanTables,
  monitor,
  clock,
  onProblem,
}: {
  readonly client: DatabricksClient;
  readonly warehouseId: string;
  readonly spanTables: readonly TablePath[];
  readonly monitor: Monitor;
  readonly clock: Clock;
  readonly onProblem: OnProblem;
}): WarehouseSources {
  const warehouse = createWarehouse({ client, warehouseId, clock });
  const asked = { client, warehouse, clock, onProblem };
  const { state } = monitor;
  const sources = [
    startInferenceTableSource({
      ...asked,
      intervalMs: INFERENCE_TABLE_INTERVAL_MS,
      fromMs: readFromMs(state.lastLoggedMs, clock.now()),
      onRequests: ({ requests, dropped }) => monitor.takeLogged(requests, dropped),
    }),
  ];
  sources.push(startSystemTableSource({ ...asked, onDays: (days) => monitor.takeAccount(days) }));
  if (spanTables.length > 0) {
    sources.push(
      startSpanTableSource({
        ...asked,
        tables: spanTables,
        intervalMs: SPAN_TABLE_INTERVAL_MS,
        fromMs: readFromMs(state.readUpToMs.get(SPAN_TABLES) ?? null, clock.now()),
        onSpans: ({ spans, dropped }) => monitor.takeReadSpans(spans, dropped),
        onRead: (upToMs) => monitor.noteRead(SPAN_TABLES, upToMs),
      }),
    );
  }
  return {
    status: () => sources.flatMap((source) => source.status()),
    async close() {
      await Promise.all(sources.map((source) => source.close()));
    },
  };
}

/** What was read before the restart is read again as far as rows may have come late. */
export function readFromMs(upToMs: number | null, nowMs: number): number {
  if (upToMs === null) return nowMs - FIRST_LOOK_BACK_MS;
  return Math.max(nowMs - LOOK_BACK_MAX_MS, upToMs - WIDE_LOOK_MS);
}
