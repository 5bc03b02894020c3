/**
 * One writer of a table at a time within this process. Other processes are kept
 * apart by the log itself; here, waiting is cheaper than doing the work twice.
 */
export type TableLocks = {
  withLock<T>(table: string, work: () => Promise<T>): Promise<T>;
};

export function createTableLocks(): TableLocks {
  const last = new Map<string, Promise<unknown>>();
  return {
    withLock(table, work) {
      const before = last.get(table) ?? Promise.resolve();
      const mine = before.then(work, work);
      const settled = mine.then(
        () => {},
        () => {},
      );
      last.set(table, settled);
      void settled.then(() => {
        if (last.get(table) === settled) last.delete(table);
      });
      return mine;
    },
  };
}
