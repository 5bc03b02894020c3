/**
 * One change of a Delta table, committed or not at all. When another writer was
 * faster, the change is planned again on what the table holds then; rows that were
 * only added are committed as they are.
 */
import { rm } from "node:fs/promises";
import { SqlError } from "../sql-error.ts";
import type { Action, AddFile, RemoveFile } from "./actions.ts";
import { dataFilePath } from "./data-files.ts";
import { readSnapshot, refuseUnwritable, type Snapshot, writeCommit } from "./log.ts";
import type { TableLocks } from "./table-locks.ts";

export type Plan = {
  readonly actions: readonly Action[];
  readonly operation: string;
  readonly parameters?: Readonly<Record<string, unknown>>;
  readonly metrics?: Readonly<Record<string, number>>;
  /** Whether the rows were not read to make the change. */
  readonly isBlindAppend?: boolean;
};

export type ChangeOptions = {
  readonly tableDir: string;
  readonly locks: TableLocks;
  readonly nowMs: number;
  readonly user: string;
};

/** Other writers have that often been faster when a statement gives up. */
const ATTEMPTS_MAX = 20;

const ENGINE = "dspy-databricks-agents local workspace";

/** @param plan gives nothing when nothing is to be changed. @returns the plan that was committed. */
export function changeTable<P extends Plan>(
  options: ChangeOptions,
  plan: (snapshot: Snapshot | null) => Promise<P | null>,
): Promise<P | null> {
  return options.locks.withLock(options.tableDir, () => changeLocked(options, plan));
}

/** For who holds the table's lock. */
export async function changeLocked<P extends Plan>(
  options: Omit<ChangeOptions, "locks">,
  plan: (snapshot: Snapshot | null) => Promise<P | null>,
): Promise<P | null> {
  const { tableDir } = options;
  let snapshot = await readSnapshot(tableDir);
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    if (snapshot) refuseUnwritable(snapshot);
    const planned = await plan(snapshot);
    if (!planned) return null;
    const outcome = await commitPlan(options, planned, snapshot);
    if (outcome.isCommitted) return planned;
    await removeFiles(tableDir, planned.actions);
    snapshot = outcome.snapshot;
  }
  throw new SqlError(
    "DELTA_CONCURRENT_WRITE",
    `Other writers changed the table ${ATTEMPTS_MAX} times in between.`,
    { sqlState: "2D521", errorCode: "ABORTED" },
  );
}

/** Tries on as long as what came in between does not touch the plan. */
async function commitPlan(
  { tableDir, nowMs, user }: Omit<ChangeOptions, "locks">,
  plan: Plan,
  planned: Snapshot | null,
): Promise<{ readonly isCommitted: boolean; readonly snapshot: Snapshot | null }> {
  const commitInfo = {
    timestamp: nowMs,
    operation: plan.operation,
    operationParameters: Object.fromEntries(
      Object.entries(plan.parameters ?? {}).map(([key, value]) => [
        key,
        typeof value === "string" ? value : JSON.stringify(value),
      ]),
    ),
    operationMetrics: Object.fromEntries(
      Object.entries(plan.metrics ?? {}).map(([key, value]) => [key, String(value)]),
    ),
    isBlindAppend: plan.isBlindAppend ?? false,
    userName: user,
    engineInfo: ENGINE,
  };
  const actions = [{ commitInfo }, ...plan.actions];
  let snapshot = planned;
  for (;;) {
    const version = (snapshot?.version ?? -1) + 1;
    if (await writeCommit(tableDir, { version, actions })) return { isCommitted: true, snapshot };
    const now = await readSnapshot(tableDir, snapshot ?? undefined);
    if (!plan.isBlindAppend || !now || !planned || !isUntouched(planned, now, plan)) {
      return { isCommitted: false, snapshot: now };
    }
    snapshot = now;
  }
}

function isUntouched(planned: Snapshot, now: Snapshot, plan: Plan): boolean {
  const isSameShape =
    JSON.stringify(planned.metadata) === JSON.stringify(now.metadata) &&
    JSON.stringify(planned.protocol) === JSON.stringify(now.protocol);
  const isLoadedTwice = plan.actions.some(
    ({ txn }) => txn && planned.transactions.get(txn.appId) !== now.transactions.get(txn.appId),
  );
  return isSameShape && !isLoadedTwice;
}

async function removeFiles(tableDir: string, actions: readonly Action[]): Promise<void> {
  for (const { add } of actions) {
    if (add) await rm(dataFilePath(tableDir, add), { force: true });
  }
}

export function removal(file: AddFile, nowMs: number): RemoveFile {
  return {
    path: file.path,
    deletionTimestamp: nowMs,
    dataChange: true,
    extendedFileMetadata: true,
    partitionValues: file.partitionValues,
    size: file.size,
  };
}
