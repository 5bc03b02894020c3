/** Why a history is empty, and until when: "no rows" alone reads like "nothing happened". Pure. */
import { SEAL_INTERVAL_MS } from "../../history/history.ts";

/** How much longer the first rows may take, when very many wait. */
const GRACE_MS = 60_000;

/** @param startedMs of the monitor that is announced there; `null`: none is. */
export function emptyHistoryText(
  startedMs: number | null,
  { nowMs, dataDirectory }: { readonly nowMs: number; readonly dataDirectory: string },
): string {
  const there = `Nothing was written to the history of ${dataDirectory} yet`;
  if (startedMs === null) {
    return `${there}, and no monitor runs there: start dspy-databricks monitor.`;
  }
  const firstMs = startedMs + SEAL_INTERVAL_MS;
  if (nowMs <= firstMs + GRACE_MS) {
    return `${there}: its monitor writes the first rows at ${timeText(firstMs)}, and from then on every minute.`;
  }
  return `${there}, though its monitor should have begun at ${timeText(firstMs)}: what that printed says why.`;
}

function timeText(timeMs: number): string {
  return `${new Date(timeMs).toISOString().slice(11, 19)} UTC`;
}
