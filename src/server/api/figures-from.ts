/** Where the figures of an answer come from, and since when they are known. */
import type { Monitor } from "../../monitor/monitor.ts";
import type { ReadSummaries } from "../../summaries/read-summaries.ts";
import type { Summaries } from "../../summaries/summaries.ts";
import type { FiguresFrom } from "../../web/api.ts";
import type { Range } from "./range.ts";

/** `null` where none are kept or nothing is written yet, and when they can't be read: the live figures tell a day. */
export async function readOrNull(
  summaries: Summaries | undefined,
  agent: string | null,
  { fromMs, chartFromMs, stepMs, steps, nowMs }: Range,
): Promise<ReadSummaries | null> {
  try {
    const read = await summaries?.read(agent, { fromMs, chartFromMs, stepMs, steps, nowMs });
    return read?.sinceMs === null ? null : (read ?? null);
  } catch {
    return null;
  }
}

export function fromLive(monitor: Monitor): FiguresFrom {
  const nowMs = monitor.now();
  return { from: "live", asOfMs: nowMs, sinceMs: monitor.state.sinceMs ?? nowMs };
}

export function fromSummaries({ asOfMs, sinceMs }: ReadSummaries, monitor: Monitor): FiguresFrom {
  const nowMs = monitor.now();
  return { from: "summaries", asOfMs: asOfMs ?? nowMs, sinceMs: sinceMs ?? nowMs };
}
