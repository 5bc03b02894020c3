/** The answer of `GET /api/exports`, and how exports stand among the other data of the overview. */
import type { DataRow, ExportRow, ExportsAnswer } from "../../web/api.ts";

export function exportsAnswer(
  { asOfMs, startedMs }: Pick<ExportsAnswer, "asOfMs" | "startedMs">,
  exports: readonly ExportRow[],
): ExportsAnswer {
  return { asOfMs, startedMs, exports: [...exports] };
}

/** @param formatTime as the rest of what the monitor says has it. */
export function exportDataRow(
  { target, state, asOfMs, rows, reason, nextRunMs, isRunning }: ExportRow,
  formatTime: (timeMs: number) => string,
): DataRow {
  const next = isRunning ? "It runs." : `The next run is at ${formatTime(nextRunMs)}.`;
  const last =
    rows === null ? "It has not come to its end yet." : `${rows} new rows the last time.`;
  const isWell = state === "ok" || state === "waiting";
  return {
    name: `Export to ${target}`,
    state: isWell ? state : "failing",
    asOfMs,
    message: reason === null ? `${last} ${next}` : `${reason} ${next}`,
  };
}
