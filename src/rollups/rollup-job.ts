/**
 * The job that makes roll-ups: a notebook whose cells are its statements, and when it runs.
 * It asks for no cluster of its own, so Databricks runs it serverless. Pure.
 */
import { pythonLiteral } from "../dashboards/notebook/python-text.ts";
import type { JobSettings } from "../databricks/jobs.ts";
import { quotedName, type TablePlace } from "../history/databricks-tables.ts";
import { agentOfTable, quoted, type SpanTable } from "../ingest/span-table/select-spans.ts";
import { callsOfTraces, viewOfTraces } from "./calls-of-spans.ts";
import {
  callsOfTables,
  createRollupSql,
  minutesSql,
  replaceRollupSql,
  rollupNames,
  rollupTable,
} from "./rollup-sql.ts";
import { spanRelation } from "./span-relation.ts";

export type RollupSource =
  /** The tables of the history. */
  { readonly kind: "tables" } | { readonly kind: "spans"; readonly table: SpanTable };

export type RollupOptions = {
  readonly source: RollupSource;
  /** Where the roll-ups stand, and the tables of the history. */
  readonly place: TablePlace;
  /** Days that each run makes anew, with today. */
  readonly days: number;
};

/** A trace may begin on the day before the one that its request ends on. */
const SPANS_BEFORE_DAYS = 1;

/** In their order: counts the last days by minute, makes the tables where they are missing, and these days of each anew. */
export function rollupStatements({ source, place, days }: RollupOptions): string[] {
  const fromDate = daysAgo(days - 1);
  const counted =
    source.kind === "tables"
      ? { views: [], calls: callsOfTables(place, fromDate) }
      : {
          views: [viewOfTraces(spansSince(source.table, daysAgo(days - 1 + SPANS_BEFORE_DAYS)))],
          calls: callsOfTraces("CAST(NULL AS STRING)"),
        };
  return [
    // Days are those of UTC, as the monitor's are.
    "SET TIME ZONE 'UTC'",
    `CREATE SCHEMA IF NOT EXISTS ${quotedName(place.catalog)}.${quotedName(place.schema)}`,
    ...counted.views,
    minutesSql(place, { calls: counted.calls, fromDate }),
    ...rollupNames.flatMap((name) => [
      createRollupSql(place, name),
      replaceRollupSql(place, name, fromDate),
    ]),
  ];
}

function daysAgo(days: number): string {
  return `date_sub(current_date(), ${days})`;
}

function spansSince({ path, columns }: SpanTable, fromDate: string): string {
  const { start, date } = columns;
  const began = start.isTimestamp
    ? `${quoted(start.name)} >= ${fromDate}`
    : `${quoted(start.name)} >= unix_micros(CAST(${fromDate} AS TIMESTAMP)) * 1000`;
  return spanRelation({
    table: path.map(quoted).join("."),
    columns,
    where: date ? `${quoted(date)} >= ${fromDate} AND ${began}` : began,
    agent: agentOfTable(path),
  });
}

/** Stands in the first cell. */
export const ROLLUP_NOTEBOOK_MARK = "Made by dspy-databricks rollups";

export type RollupNotebook = ReturnType<typeof rollupNotebook>;

export function rollupNotebook(options: RollupOptions) {
  const { place, source, days } = options;
  const from = source.kind === "tables" ? "the tables of the history" : source.table.path.join(".");
  const about = `# Roll-ups\n\nRequests, modules and errors by minute, hour and day, from ${from.replaceAll(/[^\w. -]/g, "_")}. Each run makes ${days} days anew. ${ROLLUP_NOTEBOOK_MARK}.`;
  const cells = [
    { cell_type: "markdown", metadata: {}, source: [about] },
    ...rollupStatements(options).map((statement) => ({
      cell_type: "code",
      execution_count: null,
      metadata: {},
      outputs: [],
      source: [`spark.sql(${pythonLiteral(statement)})`],
    })),
    {
      cell_type: "code",
      execution_count: null,
      metadata: {},
      outputs: [],
      source: [
        `print(spark.sql(${pythonLiteral(`SELECT count(*) FROM ${rollupTable(place, "requests")}`)}).collect()[0][0], "rows")`,
      ],
    },
  ];
  return {
    nbformat: 4,
    nbformat_minor: 5,
    metadata: {
      kernelspec: { name: "python3", display_name: "Python 3", language: "python" },
      language_info: { name: "python" },
    },
    cells: cells.map((cell, at) => ({ id: `rollup-${at}`, ...cell })),
  } as const;
}

/** Of the notebooks of all places. */
export const rollupsFolder = "/Shared/dspy-databricks/rollups";

export function rollupNotebookPath({ catalog, schema, prefix }: TablePlace): string {
  return `${rollupsFolder}/${catalog}.${schema}.${prefix}`;
}

/** A name may be somebody else's: this tells that the job is ours. */
export const rollupTag = { key: "dspy-databricks", value: "rollups" } as const;

/** Every hour, some minutes after it: what comes late is made anew by the next. */
export function rollupJob(place: TablePlace): JobSettings {
  return {
    name: `dspy-databricks roll-ups ${place.catalog}.${place.schema}.${place.prefix}`,
    tasks: [
      {
        task_key: "rollups",
        notebook_task: { notebook_path: rollupNotebookPath(place), source: "WORKSPACE" },
        max_retries: 1,
        timeout_seconds: 3_600,
      },
    ],
    schedule: {
      quartz_cron_expression: "0 7 * * * ?",
      timezone_id: "UTC",
      pause_status: "UNPAUSED",
    },
    max_concurrent_runs: 1,
    tags: { [rollupTag.key]: rollupTag.value },
  };
}
