/** `dspy-databricks export`: the history of a monitor to Delta tables in Databricks. */
import { Command } from "commander";
import { chooseWarehouse } from "../../export/delta/delta-target.ts";
import { exportHistory } from "../../export/delta/export-history.ts";
import { defaultTablePlace, type TablePlace } from "../../history/databricks-tables.ts";
import { MonitorError } from "../../monitor-error.ts";
import { historyDirectory } from "../monitor/data-directory.ts";
import { parseOutput } from "../parse-output.ts";
import { theOnlyDataDirectory } from "../query/the-only-data-directory.ts";
import { workspaceClient } from "../workspace-client.ts";

const { catalog, schema, prefix } = defaultTablePlace;

const examples = `
Examples:
  $ dspy-databricks export                             to ${catalog}.${schema}.${prefix}_…
  $ dspy-databricks export --to main.agents --prefix qa --warehouse 1234abcd
  $ dspy-databricks export --profile prod --output json

The monitor may be running. Run it as often as you like, such as every minute from cron: what is
there already is not loaded again.

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 refused or unreachable.`;

type RawOptions = {
  readonly to: string;
  readonly prefix: string;
  readonly warehouse?: string;
  readonly dataDir?: string;
  readonly profile?: string;
  readonly output: string;
};

export function exportCommand(): Command {
  return new Command("export")
    .summary("load the history of a monitor into Delta tables in Databricks")
    .description(
      "Load the history that a monitor keeps into Delta tables in Databricks, each row\n" +
        "once. Schema, volume and tables are made where they are missing.",
    )
    .option("--to <catalog.schema>", "where the tables are", `${catalog}.${schema}`)
    .option("--prefix <name>", "in front of the names of the tables", prefix)
    .option(
      "--warehouse <id>",
      "the SQL warehouse that loads them (default: DATABRICKS_WAREHOUSE_ID, else one that runs)",
    )
    .option("--data-dir <directory>", "of the monitor (default: the one under .dspy-databricks/)")
    .option("--profile <name>", "the workspace of this profile of ~/.databrickscfg")
    .option("--output <format>", "format of the result: text or json", "text")
    .addHelpText("after", examples)
    .action(async (raw: RawOptions) => {
      const output = parseOutput(raw.output);
      const place = placeOf(raw);
      const directory = historyDirectory(raw.dataDir ?? theOnlyDataDirectory());
      const client = workspaceClient(raw.profile);
      const target = `${place.catalog}.${place.schema}.${place.prefix}`;
      process.stderr.write(`Loading ${directory} into ${target}_… on ${client.host}\n`);
      const warehouseId = await chooseWarehouse(
        client,
        raw.warehouse ?? process.env.DATABRICKS_WAREHOUSE_ID,
      );
      const { rows, tables } = await exportHistory(
        directory,
        { client, place, warehouseId },
        { onProgress: (message) => process.stderr.write(`  ${message}\n`) },
      );
      process.stdout.write(
        output === "json"
          ? `${JSON.stringify({ exportFormat: "delta", rows, target, tables }, null, 2)}\n`
          : `${rows} new rows\n`,
      );
    });
}

function placeOf({ to, prefix }: RawOptions): TablePlace {
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
