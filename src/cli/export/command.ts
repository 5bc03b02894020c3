/** `dspy-databricks export`: the history of a monitor to Delta tables, in Databricks or a directory. */
import { resolve } from "node:path";
import { Command } from "commander";
import { chooseWarehouse } from "../../export/delta/delta-target.ts";
import { type ExportTarget, exportHistory } from "../../export/delta/export-history.ts";
import { defaultTablePlace, type TablePlace } from "../../history/databricks-tables.ts";
import { MonitorError } from "../../monitor-error.ts";
import { counted } from "../counted.ts";
import { withDeployer } from "../deploy/deployer.ts";
import { historyDirectory } from "../monitor/data-directory.ts";
import { onceASecond } from "../once-a-second.ts";
import { parseOutput } from "../parse-output.ts";
import { parseTablePlace } from "../parse-table-place.ts";
import { theOnlyDataDirectory } from "../query/the-only-data-directory.ts";
import { refuseUnused } from "../unused-option.ts";
import { workspaceClient } from "../workspace-client.ts";

const { catalog, schema, prefix } = defaultTablePlace;

const examples = `
Examples:
  $ dspy-databricks export                             to ${catalog}.${schema}.${prefix}_…
  $ dspy-databricks export --to main.agents --prefix qa --warehouse 1234abcd
  $ dspy-databricks export --profile prod --output json
  $ dspy-databricks export --format mlflow --endpoint support-agent
  $ dspy-databricks export --format json --endpoint support-agent --out dbfs:/Volumes/ml/agents/files/support.ndjson
  $ dspy-databricks export --way merge                 without a volume, for small volumes
  $ dspy-databricks export --directory /mnt/lake/agents    Delta tables that Spark mounts

The monitor may be running. Run it as often as you like, such as every minute from cron: what is
there already is not loaded again.

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 refused or unreachable.`;

type RawOptions = {
  readonly to: string;
  readonly prefix: string;
  readonly warehouse?: string;
  readonly way: string;
  readonly format: string;
  readonly endpoint?: string;
  readonly out?: string;
  readonly directory?: string;
  readonly recreate?: boolean;
  readonly dataDir?: string;
  readonly profile?: string;
  readonly output: string;
};

export function exportCommand(): Command {
  return new Command("export")
    .summary("load the history of a monitor into Delta tables in Databricks")
    .description(
      "Load the history that a monitor keeps into Delta tables in Databricks, or in a\n" +
        "directory, each row once. Schema, volume and tables are made where they are missing.",
    )
    .option("--to <catalog.schema>", "where the tables are", `${catalog}.${schema}`)
    .option("--prefix <name>", "in front of the names of the tables", prefix)
    .option(
      "--warehouse <id>",
      "the SQL warehouse that loads them (default: DATABRICKS_WAREHOUSE_ID, else one that runs)",
    )
    .option("--format <format>", "delta; or of one agent: json, prometheus, mlflow", "delta")
    .option("--endpoint <name>", "the agent, for every format but delta")
    .option("--out <path>", "of json and prometheus: a file, dbfs:/Volumes/… or /Workspace/…")
    .option("--way <way>", "volume: files and COPY INTO; merge: statements alone", "volume")
    .option("--directory <path>", "write Delta tables there, and nothing in Databricks")
    .option("--recreate", "make tables anew that were dropped, and load them again")
    .option("--data-dir <directory>", "of the monitor (default: the one under .dspy-databricks/)")
    .option("--profile <name>", "the workspace of this profile of ~/.databrickscfg")
    .option("--output <format>", "format of the result: text or json", "text")
    .addHelpText("after", examples)
    .action(async (raw: RawOptions, command: Command) => {
      const output = parseOutput(raw.output);
      const format = formatOf(raw);
      checkTogether(command, raw);
      if (format.kind !== "delta") {
        await exportAgent(format, raw, output);
        return;
      }
      const to = { place: parseTablePlace(raw), way: wayOf(raw.way) };
      const directory = historyDirectory(raw.dataDir ?? theOnlyDataDirectory());
      const { target, name } = await targetOf(raw, { ...to, directory });
      const { rows, tables, warnings } = await exportHistory(directory, target, {
        recreate: raw.recreate ?? false,
        onProgress: onceASecond((message) => process.stderr.write(`  ${message}\n`)),
      });
      for (const warning of warnings) process.stderr.write(`${warning}\n`);
      process.stdout.write(
        output === "json"
          ? `${JSON.stringify({ exportFormat: "delta", rows, target: name, tables, warnings }, null, 2)}\n`
          : `${counted(rows, "new row")} in ${name}\n`,
      );
    });
}

type Format =
  | { readonly kind: "delta" }
  | { readonly kind: "json" | "prometheus" | "mlflow"; readonly endpoint: string };

function formatOf({ format, endpoint }: RawOptions): Format {
  if (format === "delta") return { kind: format };
  if (format !== "json" && format !== "prometheus" && format !== "mlflow") {
    throw new MonitorError("USAGE_INVALID", `--format can't be "${format}"`, {
      hint: "Give delta, json, prometheus or mlflow.",
    });
  }
  if (endpoint === undefined) {
    throw new MonitorError("USAGE_INVALID", `--format ${format} needs --endpoint`, {
      hint: "It exports what is known of one agent: --endpoint NAME.",
    });
  }
  return { kind: format, endpoint };
}

/** Which formats take an option that not all of them take. */
const takenBy: Readonly<Record<string, readonly Format["kind"][]>> = {
  "--endpoint": ["json", "prometheus", "mlflow"],
  "--out": ["json", "prometheus"],
  "--to": ["delta"],
  "--prefix": ["delta"],
  "--warehouse": ["delta"],
  "--way": ["delta"],
  "--directory": ["delta"],
  "--recreate": ["delta"],
};

function checkTogether(command: Command, { format, directory }: RawOptions): void {
  for (const [flag, formats] of Object.entries(takenBy)) {
    if (formats.some((one) => one === format)) continue;
    refuseUnused(command, [flag], {
      beside: `with --format ${format}`,
      hint: `Leave it out, or give it with --format ${formats.join(", ").replace(/, (?=\w+$)/, " or ")}.`,
    });
  }
  if (directory === undefined) return;
  refuseUnused(command, ["--to", "--warehouse", "--way", "--profile"], {
    beside: "with --directory",
    hint: "It is of tables in Databricks, and nothing is written there: leave one of the two out.",
  });
}

async function exportAgent(
  { kind, endpoint }: Exclude<Format, { readonly kind: "delta" }>,
  { profile, dataDir, out }: RawOptions,
  output: "text" | "json",
): Promise<void> {
  await withDeployer({ profile, dataDir }, async (deployer) => {
    process.stderr.write(`Exporting what is known of ${endpoint} on ${deployer.host} as ${kind}\n`);
    const exported = await deployer.exportMonitoringData(endpoint, { exportFormat: kind, out });
    process.stdout.write(
      output === "json"
        ? `${JSON.stringify(exported, null, 2)}\n`
        : `${counted(exported.rows, "row")} in ${exported.target}\n`,
    );
  });
}

async function targetOf(
  raw: RawOptions,
  {
    place,
    way,
    directory,
  }: { readonly place: TablePlace; readonly way: "volume" | "merge"; readonly directory: string },
): Promise<{ readonly target: ExportTarget; readonly name: string }> {
  if (raw.directory !== undefined) {
    // By which its marks are known, wherever it is run from.
    const name = resolve(raw.directory);
    process.stderr.write(`Writing ${directory} to ${name}\n`);
    return { target: { directory: name, prefix: place.prefix }, name };
  }
  const client = workspaceClient(raw.profile);
  const name = `${place.catalog}.${place.schema}.${place.prefix}`;
  process.stderr.write(`Loading ${directory} into ${name}_… on ${client.host}\n`);
  const warehouseId = await chooseWarehouse(
    client,
    raw.warehouse ?? process.env.DATABRICKS_WAREHOUSE_ID,
  );
  return { target: { client, place, warehouseId, way }, name };
}

function wayOf(way: string): "volume" | "merge" {
  if (way === "volume" || way === "merge") return way;
  throw new MonitorError("USAGE_INVALID", `--way can't be "${way}"`, {
    hint: "Give volume or merge, or --directory PATH.",
  });
}
