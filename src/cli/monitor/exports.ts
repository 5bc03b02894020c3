/**
 * The exports of a running monitor: what its options and the deployments on its data
 * directory ask for, each on its schedule and in a process of its own. How they stand is
 * part of the monitor's health, so that an alert tells of one that stands still.
 */
import type { Clock } from "../../clock.ts";
import type { OrderedTarget } from "../../export/schedule/export-order.ts";
import { readExportRun, writeExportRun } from "../../export/schedule/export-runs.ts";
import { runInProcess } from "../../export/schedule/run-in-process.ts";
import {
  type ExportStatus,
  type ScheduledExport,
  startScheduledExport,
} from "../../export/schedule/scheduled-export.ts";
import {
  type PlannedExport,
  plannedExports,
  type WantedExport,
} from "../../export/schedule/wanted-exports.ts";
import { diskFiles } from "../../history/files.ts";
import type { Monitor } from "../../monitor/monitor.ts";
import {
  type ExportSettings,
  exportSettingsFingerprint,
  readAllExportSettings,
} from "../../monitor-client/export-settings.ts";

import { EXPORT_COMPONENT } from "../../rules/rule.ts";
import { exportGone, exportHealth } from "./export-health.ts";

/** How long a change of the settings takes at most to count. */
const SETTINGS_INTERVAL_MS = 2_000;
/** How often their health is looked at. */
const HEALTH_INTERVAL_MS = 5_000;

export type MonitorExports = {
  readonly status: () => readonly ExportStatus[];
  readonly close: () => Promise<void>;
};

export type MonitorExportsOptions = {
  readonly monitor: Pick<Monitor, "observe"> & {
    /** Whose health it knows. */
    readonly components: () => Iterable<string>;
  };
  readonly dataDirectory: string;
  /** Of the history; `null` where none is kept. */
  readonly directory: string | null;
  /** What the options ask for. */
  readonly wanted: WantedExport | null;
  /** The workspace that is watched: what deployments to another one ask for is left alone. */
  readonly host: string | null;
  readonly profile: string | null;
  readonly clock: Clock;
  readonly random: () => number;
  readonly onNotice: (notice: string) => void;
};

type Running = { readonly plan: string; readonly exporting: ScheduledExport };

export async function startExports(options: MonitorExportsOptions): Promise<MonitorExports> {
  const { monitor, dataDirectory, directory, clock, wanted, host, onNotice } = options;
  const running = new Map<string, Running>();
  const told = new Set<string>();
  let seen: string | null = null;
  let looking: Promise<void> | null = null;

  async function look(): Promise<void> {
    const now = await exportSettingsFingerprint(dataDirectory);
    if (now === seen) return;
    seen = now;
    const { settings, unreadable } = await readAllExportSettings(dataDirectory);
    for (const name of unreadable) {
      tellOnce(
        `export-settings/${name} in the data directory makes no sense, so it changes nothing.`,
      );
    }
    const asked = settings
      .filter((one) => one.host === host)
      .map((one) => wantedBy(one, options.profile));
    const plans = plannedExports(wanted ? [wanted, ...asked] : asked);
    if (directory !== null) await follow(plans, directory);
    else if (plans.length > 0) tellOnce("Nothing is exported, since no history is kept.");
  }

  async function follow(plans: readonly PlannedExport[], history: string): Promise<void> {
    const byName = new Map(plans.map((plan) => [plan.name, plan]));
    for (const [name, { plan, exporting }] of running) {
      if (plan === textOf(byName.get(name))) continue;
      running.delete(name);
      await exporting.close();
      if (!byName.has(name)) await report([exportGone(name, clock.now())]);
    }
    for (const plan of plans) {
      if (running.has(plan.name)) continue;
      onNotice(`Exporting to ${plan.name}, ${timesOf(plan)}.`);
      running.set(plan.name, { plan: textOf(plan), exporting: start(plan, history) });
    }
  }

  function start({ name, target, schedule }: PlannedExport, history: string): ScheduledExport {
    const at = { directory: history, files: diskFiles };
    return startScheduledExport({
      target: name,
      schedule,
      clock,
      random: options.random,
      run: (signal) => runInProcess({ directory: history, target }, { env: process.env, signal }),
      lastRun: readExportRun(at, name),
      keepRun: (run) => writeExportRun(at, name, run),
      onNotice,
    });
  }

  const status = () => Array.from(running.values(), ({ exporting }) => exporting.status());

  async function report(health: Parameters<Monitor["observe"]>[0]["health"]): Promise<void> {
    if (health.length === 0) return;
    // A full disk: the next round reports it.
    await monitor.observe({ samples: [], health, dropped: new Map() }).catch(() => {});
  }

  function tellOnce(notice: string): void {
    if (told.has(notice)) return;
    told.add(notice);
    onNotice(notice);
  }

  await look();
  // What stood still at the last stop and is not asked for any more stands still for nobody.
  const left = [...monitor.components()].flatMap((component) => {
    const target = component.startsWith(EXPORT_COMPONENT)
      ? component.slice(EXPORT_COMPONENT.length)
      : null;
    return target === null || running.has(target) ? [] : [exportGone(target, clock.now())];
  });
  await report(left);
  const stops = [
    clock.every(SETTINGS_INTERVAL_MS, () => {
      looking ??= look()
        .catch(() => tellOnce("The exports that deployments ask for can't be read."))
        .finally(() => {
          looking = null;
        });
    }),
    clock.every(HEALTH_INTERVAL_MS, () => {
      void report(status().map((one) => exportHealth(one, clock.now())));
    }),
  ];

  return {
    status,
    async close() {
      for (const stop of stops) stop();
      await looking;
      await Promise.all(Array.from(running.values(), ({ exporting }) => exporting.close()));
    },
  };
}

function wantedBy(settings: ExportSettings, profile: string | null): WantedExport {
  const { tables: place, warehouseId, every, timezone } = settings;
  const target: OrderedTarget = { kind: "databricks", place, warehouseId, way: "volume", profile };
  return { target, every, timezone };
}

function textOf(plan: PlannedExport | undefined): string {
  return JSON.stringify(plan ?? null);
}

function timesOf({ every, schedule }: PlannedExport): string {
  return schedule.kind === "daily"
    ? `every day at ${padded(schedule.hour)}:${padded(schedule.minute)} in ${schedule.timezone}`
    : `every ${every.replace(/^1 /, "")}`;
}

function padded(number: number): string {
  return String(number).padStart(2, "0");
}
