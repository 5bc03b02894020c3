/** `dspy-databricks query`: SQL over the history of a monitor, also while it runs. */
import { Command } from "commander";
import { openHistory } from "../../history/query.ts";
import { tableNames } from "../../history/tables.ts";
import { readMonitorAddress } from "../../monitor-client/monitor-address.ts";
import { MonitorError } from "../../monitor-error.ts";
import { historyDirectory } from "../monitor/data-directory.ts";
import { emptyHistoryText } from "./empty-history.ts";
import { queryText } from "./query-text.ts";
import { theOnlyDataDirectory } from "./the-only-data-directory.ts";

/** Rows that are printed unless `--limit` says otherwise. */
const ROWS_DEFAULT = 1_000;
const ROWS_MAX = 1_000_000;

type RawOptions = {
  readonly dataDir?: string;
  readonly limit: string;
  readonly output: string;
};

const examples = `
Tables: ${tableNames.join(", ")}
They are also there by their names in Databricks, such as ml.monitoring.agent_monitoring_metrics.

Examples:
  $ dspy-databricks query "SELECT endpoint_name, count(*), quantile_disc(latency_ms, 0.99) AS p99_ms
                           FROM requests WHERE timestamp > now() - INTERVAL 1 HOUR GROUP BY ALL"
  $ dspy-databricks query "FROM errors ORDER BY timestamp DESC LIMIT 10"
  $ dspy-databricks query "SELECT path, sum(cost_usd) FROM module_calls GROUP BY ALL" --output json

Exit codes: 0 done, 1 failed, 2 wrong usage or SQL.`;

export function queryCommand(): Command {
  return new Command("query")
    .summary("ask the history of a monitor in SQL")
    .description(
      "Ask the history that a monitor keeps in its data directory, in the SQL of DuckDB.\n" +
        "The monitor may be running: what happened up to a minute ago is there.",
    )
    .argument("<sql>", "one statement, which reads")
    .option("--data-dir <directory>", "of the monitor (default: the one under .dspy-databricks/)")
    .option("--limit <rows>", "most rows that are printed", String(ROWS_DEFAULT))
    .option("--output <format>", "text or json", "text")
    .addHelpText("after", examples)
    .action(async (sql: string, raw: RawOptions) => {
      const { rowsMax, output } = checkOptions(raw);
      const dataDirectory = raw.dataDir ?? theOnlyDataDirectory();
      const history = await openHistory(historyDirectory(dataDirectory));
      try {
        const result = await history.query(sql, { rowsMax });
        if (output === "text") process.stdout.write(queryText(result));
        else {
          const names = result.columns.map(({ name }) => name);
          const rows = result.rows.map((row) =>
            Object.fromEntries(row.map((value, at) => [names[at], value])),
          );
          process.stdout.write(`${JSON.stringify(rows, null, 2)}\n`);
        }
        if (result.isCut) {
          process.stderr.write(`There are more rows than ${rowsMax}: see --limit.\n`);
        }
        if (history.isEmpty()) {
          const monitor = await readMonitorAddress(dataDirectory);
          const about = { nowMs: Date.now(), dataDirectory };
          process.stderr.write(`${emptyHistoryText(monitor?.startedMs ?? null, about)}\n`);
        }
      } finally {
        history.close();
      }
    });
}

function checkOptions({ limit, output }: RawOptions) {
  const rowsMax = /^\d{1,7}$/.test(limit) ? Number(limit) : Number.NaN;
  if (!(rowsMax >= 1 && rowsMax <= ROWS_MAX)) {
    throw new MonitorError("USAGE_INVALID", `--limit "${limit}" is not a number of rows`, {
      hint: `Give a number from 1 to ${ROWS_MAX}.`,
    });
  }
  if (output !== "text" && output !== "json") {
    throw new MonitorError("USAGE_INVALID", `--output "${output}" is not a format`, {
      hint: "Give --output text or --output json.",
    });
  }
  return { rowsMax, output } as const;
}
