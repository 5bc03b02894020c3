/** `dspy-databricks rollups`: the job that rolls up what one machine can't hold, as a file or put in place. */
import { Command } from "commander";
import { getTable } from "../../databricks/tables.ts";
import { defaultTablePlace } from "../../history/databricks-tables.ts";
import { findSpanColumns } from "../../ingest/span-table/columns.ts";
import { MonitorError } from "../../monitor-error.ts";
import { publishRollups } from "../../publish/publish-rollups.ts";
import {
  type RollupOptions,
  type RollupSource,
  rollupJob,
  rollupNotebookPath,
  rollupStatements,
} from "../../rollups/rollup-job.ts";
import { rollupNames, rollupTable } from "../../rollups/rollup-sql.ts";
import { parseTablePlace } from "../parse-table-place.ts";
import { putText } from "../put-text.ts";
import { refuseUnused } from "../unused-option.ts";
import { workspaceClient } from "../workspace-client.ts";

const { catalog, schema, prefix } = defaultTablePlace;
const DAYS = 2;
/** More than this belongs to a run by hand, not to each hour. */
const DAYS_MAX = 400;

const examples = `
Examples:
  $ dspy-databricks rollups --out rollups.sql                          over the tables that export fills
  $ dspy-databricks rollups --spans main.traces.support_otel_spans --publish
  $ dspy-databricks rollups --days 30 --out rollups.sql

It makes ${prefix}_rollup_requests, …_modules and …_errors. Each run makes the last days anew, so
rows that come late are in the next one.

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 refused or unreachable.`;

type RawOptions = {
  readonly spans?: string;
  readonly to: string;
  readonly prefix: string;
  readonly days: string;
  readonly out?: string;
  readonly publish?: boolean;
  readonly profile?: string;
};

export function rollupsCommand(): Command {
  return new Command("rollups")
    .summary("requests, modules and errors by hour and day, made by a Databricks job")
    .description(
      "Make the SQL that rolls up requests, modules and errors by minute, hour and day, or\n" +
        "put it into a workspace as a job that runs every hour.",
    )
    .option("--spans <table>", "of a table of OpenTelemetry spans, instead of the tables of export")
    .option("--to <catalog.schema>", "where the tables are", `${catalog}.${schema}`)
    .option("--prefix <name>", "in front of the names of the tables", prefix)
    .option("--days <days>", "days that a run makes anew, with today", String(DAYS))
    .option("--out <file>", "write the SQL there; to stdout without this and --publish")
    .option("--publish", "put notebook and job into the workspace, over those that are there")
    .option("--profile <name>", "the workspace of this profile of ~/.databrickscfg")
    .addHelpText("after", examples)
    .action(async (raw: RawOptions, command: Command) => {
      if (!raw.publish && raw.spans === undefined) {
        refuseUnused(command, ["--profile"], {
          beside: "without --publish or --spans",
          hint: "No workspace is asked for this SQL: leave it out, or give --publish to put the job there.",
        });
      }
      const place = parseTablePlace(raw);
      const source = await sourceOf(raw);
      const options = { source, place, days: daysOf(raw.days) };
      const sql = `${rollupStatements(options).join(";\n\n")};\n`;
      await putText(sql, raw);
      if (raw.publish) await publish(options, raw.profile);
    });
}

async function publish(options: RollupOptions, profile: string | undefined): Promise<void> {
  const client = workspaceClient(profile);
  const path = rollupNotebookPath(options.place);
  const { name } = rollupJob(options.place);
  process.stderr.write(`Writing ${path} and the job "${name}" on ${client.host}\n`);
  const id = await publishRollups(client, options);
  // As people write them: a place holds no signs that need quotes.
  const tables = rollupNames.map((name) => rollupTable(options.place, name).replaceAll("`", ""));
  process.stdout.write(`job ${id}, every hour: ${tables.join(", ")}\n`);
}

async function sourceOf({ spans, profile }: RawOptions): Promise<RollupSource> {
  if (spans === undefined) return { kind: "tables" };
  const [catalog, schema, name, ...further] = spans.split(".");
  if (!catalog || !schema || !name || further.length > 0) {
    throw new MonitorError("USAGE_INVALID", `--spans "${spans}" names no table`, {
      hint: "Give CATALOG.SCHEMA.TABLE, such as main.traces.support_otel_spans.",
    });
  }
  // Layouts differ: which columns there are is asked, and nothing of the spans.
  const { columns } = await getTable(workspaceClient(profile), spans);
  const found = findSpanColumns(columns);
  if ("found" in found) {
    return { kind: "spans", table: { path: [catalog, schema, name], columns: found.found } };
  }
  throw new MonitorError(
    "USAGE_INVALID",
    `table ${spans} has no column ${found.missing.join(", and none ")} of a type that can be read`,
    { hint: "Name the table of the spans, such as main.traces.support_otel_spans." },
  );
}

function daysOf(text: string): number {
  const days = Number(text);
  if (Number.isInteger(days) && days >= 1 && days <= DAYS_MAX) return days;
  throw new MonitorError("USAGE_INVALID", `--days can't be "${text}"`, {
    hint: `Give a whole number from 1 to ${DAYS_MAX}.`,
  });
}
