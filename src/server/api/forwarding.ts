/** What is told of telemetry that goes on to another receiver: figures, and a row for people. */
import type { DataRow, ForwardingRow } from "../../web/api.ts";

/** What each lane says of itself. */
export type Forwarded = Omit<ForwardingRow, "lagSeconds" | "dropped"> & {
  /** When the oldest that waits came; `null` when nothing does. */
  readonly oldestMs: number | null;
  readonly dropped: ReadonlyMap<string, number>;
};

export function forwardingRows(forwarded: readonly Forwarded[], nowMs: number): ForwardingRow[] {
  return forwarded.map(({ oldestMs, dropped, ...figures }) => ({
    ...figures,
    lagSeconds: lagSeconds(oldestMs, nowMs),
    dropped: [...dropped].map(([reason, count]) => ({ reason, count })),
  }));
}

/** A clock that was set back makes no lag negative. */
export function lagSeconds(oldestMs: number | null, nowMs: number): number {
  return oldestMs === null ? 0 : Math.max(0, nowMs - oldestMs) / 1000;
}

const units = { traces: "spans", metrics: "data points" } as const;

/** As of: the receiver has everything that came before then. */
export function forwardingDataRow(
  { signal, origin, forwarded, waiting, oldestMs, dropped, problem }: Forwarded,
  nowMs: number,
): DataRow {
  const what = `${forwarded} ${units[signal]} forwarded to ${origin}, ${waiting} waiting`;
  const lost = [...dropped].map(([reason, count]) => `${count} ${reason.replaceAll("_", " ")}`);
  return {
    name: `Forwarding ${signal}`,
    state: problem === null ? "ok" : "failing",
    asOfMs: oldestMs ?? nowMs,
    message: [
      problem === null ? `${what}.` : `The receiver has not got what waits: ${problem}. ${what}.`,
      ...(lost.length === 0 ? [] : [`Never arrives: ${lost.join(", ")}.`]),
    ].join(" "),
  };
}
