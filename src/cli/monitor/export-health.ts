/** How an export stands → the health of a component, by which an alert tells of one that stands still. Pure. */
import type { ExportStatus } from "../../export/schedule/scheduled-export.ts";
import { EXPORT_COMPONENT } from "../../rules/rule.ts";
import { foreignLine } from "../../signals/foreign-line.ts";
import type { HealthResult } from "../../signals/health-result.ts";

const REASON_MAX_CHARS = 600;

export function exportHealth(status: ExportStatus, nowMs: number): HealthResult {
  const { target, state, reason } = status;
  const why = reason === null ? "" : ` ${foreignLine(reason, { maxChars: REASON_MAX_CHARS })}`;
  const told = {
    waiting: ["unknown", `Nothing was exported to ${target} yet.`],
    ok: ["healthy", `What is sealed is exported to ${target}.`],
    // It is tried again within a minute; what lasts becomes lagging.
    failing: ["degraded", `An export to ${target} failed and is tried again.${why}`],
    parked: ["unhealthy", `The export to ${target} stands still.${why}`],
    lagging: ["unhealthy", `The export to ${target} does not keep up.${why}`],
  } as const satisfies Record<ExportStatus["state"], readonly [HealthResult["status"], string]>;
  const [health, message] = told[state];
  return resultOf(target, { status: health, state, message, timeMs: nowMs });
}

/** Nobody asks for it any more. */
export function exportGone(target: string, nowMs: number): HealthResult {
  const message = `Nothing is exported to ${target} any more.`;
  return resultOf(target, { status: "unknown", state: "gone", message, timeMs: nowMs });
}

function resultOf(
  target: string,
  told: Pick<HealthResult, "status" | "state" | "message" | "timeMs">,
): HealthResult {
  return { component: `${EXPORT_COMPONENT}${target}`, endpoint: null, latencyMs: null, ...told };
}
