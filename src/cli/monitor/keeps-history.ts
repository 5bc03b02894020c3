/** Whether a monitor keeps a history: what was asked for, and what is installed. */

/** Without DuckDB none is kept, which is told, and the journal goes after a day as without one. */
export function keepsHistory(
  { history }: { readonly history: boolean },
  {
    isDuckDbInstalled,
    say,
  }: { readonly isDuckDbInstalled: () => boolean; readonly say: (text: string) => void },
): boolean {
  if (!history || isDuckDbInstalled()) return history;
  say(
    "No history is kept beyond 24 hours: DuckDB is not installed.\n  Hint: Run: npm install @duckdb/node-api. Or start the monitor with --no-history.",
  );
  return false;
}
