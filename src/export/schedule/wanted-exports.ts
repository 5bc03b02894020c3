/** What deployments and the command line ask for → exports, one for each target. Pure. */
import { parseSchedule, periodMs, type Schedule } from "../../signals/schedule.ts";
import type { OrderedTarget } from "./export-order.ts";

export type WantedExport = {
  readonly target: OrderedTarget;
  readonly every: string;
  readonly timezone: string;
};

export type PlannedExport = WantedExport & {
  /** Such as `ml.monitoring.agent_monitoring`, or a directory. */
  readonly name: string;
  readonly schedule: Schedule;
};

/** Where several ask for one target, the shortest period counts, and of equal ones the first. */
export function plannedExports(wanted: readonly WantedExport[]): readonly PlannedExport[] {
  const byName = new Map<string, PlannedExport>();
  for (const one of wanted) {
    const schedule = parseSchedule(one.every, one.timezone);
    if (schedule === null) continue;
    const name = targetName(one.target);
    const before = byName.get(name);
    if (before && periodMs(before.schedule) <= periodMs(schedule)) continue;
    byName.set(name, { ...one, name, schedule });
  }
  return [...byName.values()];
}

export function targetName(target: OrderedTarget): string {
  if (target.kind === "directory") return target.directory;
  const { catalog, schema, prefix } = target.place;
  return `${catalog}.${schema}.${prefix}`;
}
