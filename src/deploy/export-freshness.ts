/**
 * Whether the tables that SQL alerts look at are kept fresh, and if not, why, in a
 * sentence: alerts over rows that nobody exports stay silent.
 */
import type { Clock } from "../clock.ts";
import { askExports, type ExportState } from "../monitor-client/ask-monitor.ts";

/** Alerts look back over some minutes: a longer period makes them late, or blind. */
const PERIOD_MAX_MS = 60_000;

/** A monitor takes up what is asked of it within 2 s. */
const TAKEN_UP_WITHIN_MS = 6_000;
const LOOK_EVERY_MS = 500;

export type AskedExport = {
  readonly dataDirectory: string;
  /** Such as `ml.monitoring.agent_monitoring`. */
  readonly target: string;
  readonly clock: Clock;
};

/** `null` when they are. */
export async function exportProblem(asked: AskedExport): Promise<string | null> {
  const { dataDirectory, target, clock } = asked;
  for (let waitedMs = 0; ; waitedMs += LOOK_EVERY_MS) {
    const exports = await askExports(dataDirectory);
    if (exports === null) {
      return `SQL alerts see only what was exported, and nothing is exported now: no monitor runs on ${dataDirectory}. Start dspy-databricks monitor there, which exports every minute from then on.`;
    }
    const found = exports.find((one) => one.target === target);
    if (found) return problemOf(found);
    if (waitedMs >= TAKEN_UP_WITHIN_MS) {
      return `SQL alerts see only what was exported, and the monitor on ${dataDirectory} exports nothing to ${target}: it keeps no history, or watches another workspace.`;
    }
    await new Promise<void>((resolve) => {
      clock.after(LOOK_EVERY_MS, resolve);
    });
  }
}

function problemOf({ target, periodMs, state, reason }: ExportState): string | null {
  if (periodMs > PERIOD_MAX_MS) {
    return `SQL alerts see only what was exported, and the export to ${target} runs every ${Math.round(periodMs / 60_000)} minutes: write monitoring.export: { every: 1 minute } in agent.yaml.`;
  }
  if (state === "ok" || state === "waiting") return null;
  return `SQL alerts see only what was exported, and the export to ${target} stands still: ${reason ?? state}`;
}
