/**
 * `npm run bench`: the monitoring components against the best there is, as a table, or
 * as JSON with `--json`. `npm run bench -- record_request` runs what begins so.
 */

import { parseArgs } from "node:util";
import { history } from "./history.ts";
import { historyAtSize } from "./history-at-size.ts";
import { ingest } from "./ingest.ts";
import { labelShapes } from "./label-shapes.ts";
import { type Effort, FULL, grouped, type Measured, nsText, QUICK, type Row } from "./measure.ts";
import { memory } from "./memory.ts";
import { boundHandle, recordRequest } from "./record-request.ts";
import { renderCounters, renderHistograms } from "./render.ts";
import { summaries } from "./summaries.ts";
import { trackErrors } from "./track-error.ts";
import { wholePath } from "./whole-path.ts";
import { windowQuantiles } from "./window-quantiles.ts";

type Bench = {
  readonly name: string;
  readonly run: (effort: Effort, options: { readonly rows: number }) => Promise<Measured>;
  /** The ratio to reach, by the beginning of the peer's name. */
  readonly goals: Readonly<Record<string, number>>;
};

const benches: readonly Bench[] = [
  {
    name: "record_request@64",
    run: (effort) => recordRequest(64, effort),
    goals: { "prom-client": 15, "@opentelemetry": 25 },
  },
  { name: "record_request@1000", run: (effort) => recordRequest(1_000, effort), goals: {} },
  {
    name: "record_request@10000",
    run: (effort) => recordRequest(10_000, effort),
    goals: { "prom-client": 8 },
  },
  { name: "bound_handle@64", run: boundHandle, goals: { "prom-client": 120 } },
  { name: "window_quantiles@60s", run: windowQuantiles, goals: { "@datadog": 1 } },
  { name: "render_counters@10000", run: renderCounters, goals: { "prom-client": 40 } },
  { name: "render_histograms@10000", run: renderHistograms, goals: { "prom-client": 40 } },
  { name: "track_error@5_patterns", run: trackErrors, goals: { scan: 1_000 } },
  ...(["callback", "openinference_litellm", "mlflow_otlp"] as const).flatMap((recordings) => [
    {
      name: `otlp_to_modules@${recordings}×20`,
      run: (effort: Effort) => ingest(recordings, "20", effort),
      goals: { "protobufjs, then": 5 },
    },
    {
      name: `otlp_to_modules@${recordings}`,
      run: (effort: Effort) => ingest(recordings, "recorded", effort),
      goals: {},
    },
  ]),
  ...(["callback", "openinference_litellm"] as const).map((recordings) => ({
    name: `whole_path@${recordings}×20`,
    run: (effort: Effort) => wholePath(recordings, effort),
    goals: { "300 000": 1 },
  })),
  { name: "history", run: history, goals: { "DuckDB, appender": 0.77, "DuckDB on": 0.83 } },
  {
    name: "history_at_size",
    run: (_, { rows }) => historyAtSize(rows),
    goals: { "1 000 000": 1, "DuckDB on": 0.83 },
  },
  { name: "month", run: summaries, goals: { "200 ms": 1 } },
  { name: "label_shapes", run: labelShapes, goals: {} },
  { name: "memory", run: memory, goals: {} },
];

const USAGE = `Usage: npm run bench -- [FAMILY…] [--json] [--quick] [--rows N]

  FAMILY   the beginning of a name: ${benches.map(({ name }) => name).join(", ")}
  --json   an array of { name, oursNs, peer, peerNs, ratio }, one per peer, instead of the table
  --rows N how many samples history_at_size takes: 1000000 unless it says otherwise
  --quick  one short round of each: shows that everything works, and no figures to go by
`;

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const options = readOptions(args);
  if (typeof options === "string") {
    process.stderr.write(`${options}\n\n${USAGE}`);
    return 2;
  }
  if (options.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const rows: Row[] = [];
  const notes: string[] = [];
  for (const { name, run } of options.chosen) {
    process.stderr.write(`${name} …\n`);
    const measured = await run(options.effort, options);
    rows.push(...measured.rows);
    notes.push(...measured.notes);
  }
  process.stdout.write(options.json ? `${JSON.stringify(rows, null, 2)}\n` : table(rows));
  // With --json, standard output is the array and nothing else.
  const beside = options.json ? process.stderr : process.stdout;
  if (notes.length > 0) beside.write(`\n${notes.join("\n")}\n`);
  return 0;
}

/** The options, or what is wrong with them. */
function readOptions(args: readonly string[]) {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        json: { type: "boolean", default: false },
        quick: { type: "boolean", default: false },
        rows: { type: "string", default: "1000000" },
        help: { type: "boolean", default: false },
      },
    });
    const rows = Number(values.rows);
    if (!(Number.isSafeInteger(rows) && rows > 0)) {
      return `--rows can't be ${JSON.stringify(values.rows)}: it takes a number, such as 10000000.`;
    }
    for (const family of positionals) {
      if (benches.some(({ name }) => name.startsWith(family))) continue;
      return `There is no benchmark ${JSON.stringify(family)}.`;
    }
    const chosen = benches.filter(
      ({ name }) =>
        positionals.length === 0 || positionals.some((family) => name.startsWith(family)),
    );
    const { json, help } = values;
    return { chosen, rows, json, help, effort: values.quick ? QUICK : FULL };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function table(rows: readonly Row[]): string {
  const lines = rows.map(({ name, oursNs, peer, peerNs, ratio }) => {
    const goal = goalOf(name, peer);
    return [
      name,
      nsText(oursNs),
      peer,
      nsText(peerNs),
      `${ratio < 100 ? ratio.toFixed(1) : grouped(ratio)} ×`,
      goal === undefined
        ? ""
        : `≥ ${goal < 1 ? goal : grouped(goal)} × ${ratio >= goal ? "reached" : "missed"}`,
    ];
  });
  const head = ["name", "ours", "peer", "peer takes", "ratio", "goal"];
  const all = [head, ...lines];
  const widths = head.map((_, column) => Math.max(...all.map((line) => line[column]?.length ?? 0)));
  const isNumber = [false, true, false, true, true, false];
  const textOf = (line: readonly string[]) =>
    line
      .map((cell, column) =>
        isNumber[column] ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join("  ")
      .trimEnd();
  return all.map((line) => `${textOf(line)}\n`).join("");
}

function goalOf(name: string, peer: string): number | undefined {
  const isOf = (bench: Bench) => bench.name === name || name.startsWith(`${bench.name}_`);
  // The last, since "history" begins "history_at_size", too.
  const goals = benches.findLast(isOf)?.goals ?? {};
  return Object.entries(goals).find(([beginning]) => peer.startsWith(beginning))?.[1];
}
