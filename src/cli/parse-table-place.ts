/** `--to CATALOG.SCHEMA` and `--prefix NAME`: where the tables of the history are. */
import type { TablePlace } from "../history/databricks-tables.ts";
import { MonitorError } from "../monitor-error.ts";

/** @throws MonitorError `USAGE_INVALID`. */
export function parseTablePlace({
  to,
  prefix,
}: {
  readonly to: string;
  readonly prefix: string;
}): TablePlace {
  const [, catalog, schema] = /^(\w+)\.(\w+)$/.exec(to) ?? [];
  if (catalog === undefined || schema === undefined || !/^\w+$/.test(prefix)) {
    throw new MonitorError(
      "USAGE_INVALID",
      `--to "${to}" with --prefix "${prefix}" is no place for tables`,
      { hint: "Give --to CATALOG.SCHEMA and --prefix NAME, of letters, digits and underscores." },
    );
  }
  return { catalog, schema, prefix };
}
