/** Where and when a monitor is to export its history, as its options say it. */
import { resolve } from "node:path";
import type { OrderedTarget } from "../../export/schedule/export-order.ts";
import type { WantedExport } from "../../export/schedule/wanted-exports.ts";
import { defaultTablePlace } from "../../history/databricks-tables.ts";
import { MonitorError } from "../../monitor-error.ts";
import { isTimezone, parseSchedule, scheduleForms } from "../../signals/schedule.ts";

export const exportDefaults = { every: "1 minute", timezone: "UTC", way: "volume" } as const;

export type RawExportOptions = {
  readonly local?: boolean;
  readonly workspace: boolean;
  readonly history: boolean;
  readonly profile?: string;
  readonly export?: string;
  readonly exportEvery?: string;
  readonly exportTimezone?: string;
  readonly exportWarehouse?: string;
  readonly exportWay?: string;
};

/** `null` without `--export`. @throws MonitorError `USAGE_INVALID`. */
export function parseExport(raw: RawExportOptions): WantedExport | null {
  if (raw.export === undefined) return null;
  const every = raw.exportEvery ?? exportDefaults.every;
  const timezone = raw.exportTimezone ?? exportDefaults.timezone;
  if (!raw.history) {
    throw usage("--export and --no-history exclude each other", "Leave one of them out.");
  }
  if (!isTimezone(timezone)) {
    throw usage(
      `--export-timezone "${timezone}" is no time zone`,
      "Write it as Europe/Berlin or UTC.",
    );
  }
  if (parseSchedule(every, timezone) === null) {
    throw usage(`--export-every "${every}" is no schedule`, `Write it as ${scheduleForms}.`);
  }
  const target = parseTarget(raw.export, raw);
  if (target.kind === "databricks" && (raw.local || !raw.workspace)) {
    throw usage(
      `--export ${raw.export} needs the workspace that it goes to`,
      `Leave ${raw.local ? "--local" : "--no-workspace"} out, or export to a directory: --export ./lake.`,
    );
  }
  return { target, every, timezone };
}

export function isDirectory(target: string): boolean {
  return target.includes("/");
}

function parseTarget(text: string, raw: RawExportOptions): OrderedTarget {
  if (isDirectory(text)) {
    return { kind: "directory", directory: resolve(text), prefix: defaultTablePlace.prefix };
  }
  const [, catalog, schema, prefix = defaultTablePlace.prefix] =
    /^(\w+)\.(\w+)(?:\.(\w+))?$/.exec(text) ?? [];
  if (catalog === undefined || schema === undefined) {
    throw usage(
      `--export "${text}" is no place for tables`,
      "Give CATALOG.SCHEMA, CATALOG.SCHEMA.PREFIX, or a directory with a slash in it.",
    );
  }
  const way = raw.exportWay ?? exportDefaults.way;
  if (way !== "volume" && way !== "merge") {
    throw usage(`--export-way can't be "${way}"`, "Give volume or merge.");
  }
  return {
    kind: "databricks",
    place: { catalog, schema, prefix },
    warehouseId: raw.exportWarehouse ?? null,
    way,
    profile: raw.profile ?? null,
  };
}

function usage(message: string, hint: string): MonitorError {
  return new MonitorError("USAGE_INVALID", message, { hint });
}
