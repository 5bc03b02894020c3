/**
 * `npm run sim -- --seeds 300`: seeds, as many at a time as there are processors. What breaks a
 * promise is told with what happened, and with the command that makes it happen again.
 */
import { parseArgs } from "node:util";
import { faultNames } from "./faults.ts";
import { plants } from "./plants.ts";
import { inProcesses } from "./seed-pool.ts";
import type { Simulation } from "./simulate.ts";

/** Lines of a failed seed that are shown; with --seed all of them. */
const SHOWN_LINES = 60;
/** How often it is told how far it is. */
const PROGRESS_MS = 5_000;

/** What a night tries. Faults are those of an hour. */
const NIGHTLY = { seeds: 20, hours: 24, faults: 5 };
const DAY_MS = 24 * 60 * 60_000;

const usage = `Usage: npm run sim -- [options]

  --seeds <n>      seeds to try (default: 20)
  --first <n>      the first of them (default: 1)
  --seed <n>       only this one, with all that happened
  --steps <name>   and each step of processes whose names begin so, such as history or "export 12"
  --hours <n>      simulated hours of each (default: 1)
  --faults <n>     faults in each hour (default: 20)
  --plant <name>   with a bug that is planted: ${Object.keys(plants).join(", ")}
  --nightly        ${NIGHTLY.seeds} seeds of ${NIGHTLY.hours} hours and ${NIGHTLY.faults * NIGHTLY.hours} faults each, other seeds each day; the
                   same as npm run sim:nightly
  --output json    the result as JSON`;

const values = readArguments();
const only = values.seed === undefined ? null : numberOf("seed");
const first = only ?? numberOf("first");
const count = only === null ? numberOf("seeds") : 1;
const seeds = Array.from({ length: count }, (_, at) => first + at);
const options = {
  hours: numberOf("hours"),
  faults: numberOf("faults"),
  ...(values.plant === undefined ? {} : { plant: values.plant }),
  ...(values.steps === undefined ? {} : { stepsOf: values.steps }),
};
if (values.plant !== undefined && !(values.plant in plants)) wrong(`no bug "${values.plant}"`);

/** Until whoever reads it goes, as `head` does. Then the seeds that have begun end, and no others begin. */
let isHeard = true;
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    isHeard = false;
  });
}

const startMs = performance.now();
const failed: Simulation[] = [];
const injected: Record<string, number> = Object.fromEntries(faultNames.map((name) => [name, 0]));
let done = 0;
let rows = 0;
let lost = 0;
let unknownLosses = 0;

const progress = setInterval(() => say(`${done} of ${count} seeds`), PROGRESS_MS);
await inProcesses(seeds, async (seed, simulate) => {
  if (!isHeard) return;
  const simulation = await simulate({ seed, ...options });
  done++;
  rows += simulation.rows;
  for (const told of simulation.lost) {
    // Between processes what is infinite is null.
    if (Number.isFinite(told)) lost += told;
    else unknownLosses++;
  }
  for (const [name, times] of Object.entries(simulation.injected)) {
    injected[name] = (injected[name] ?? 0) + times;
  }
  if (simulation.broken.length > 0) failed.push(simulation);
  if (simulation.broken.length > 0 || only !== null) tell(simulation);
});
clearInterval(progress);

const seconds = Math.round((performance.now() - startMs) / 1000);
if (values.output === "json") {
  const told = failed.map(({ seed, broken, lines }) => ({ seed, broken, lines }));
  const result = {
    seeds: count,
    first,
    ...options,
    seconds,
    rows,
    lost,
    unknownLosses,
    injected,
    failed: told,
  };
  process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
} else {
  const total = Object.values(injected).reduce((sum, times) => sum + times, 0);
  process.stdout.write(
    `${count} seeds of ${options.hours} simulated h: ${failed.length} broke a promise. ${total} faults, ${rows} acknowledged rows, ${seconds} s.\n  Of the rows, ${lost} were told as lost by damage, and ${unknownLosses} times that it is not known how many.\n`,
  );
  for (const [name, times] of Object.entries(injected))
    process.stdout.write(`  ${times} × ${name}\n`);
}
process.exitCode = failed.length > 0 ? 1 : 0;

function tell({ seed, broken, lines }: Simulation): void {
  say(broken.length > 0 ? `Seed ${seed} broke a promise:` : `Seed ${seed} kept every promise.`);
  for (const sentence of broken) say(`  ${sentence}`);
  say("What happened:");
  for (const line of only === null ? lines.slice(-SHOWN_LINES) : lines) say(`  ${line}`);
  if (broken.length > 0 && only === null) say(`Again: ${commandFor(seed)}`);
}

function commandFor(seed: number): string {
  const plant = options.plant === undefined ? "" : ` --plant "${options.plant}"`;
  return `npm run sim -- --seed ${seed} --hours ${options.hours} --faults ${options.faults}${plant}`;
}

function readArguments() {
  const text = { type: "string" } as const;
  try {
    const { values } = parseArgs({
      options: {
        seeds: text,
        first: text,
        seed: text,
        hours: text,
        faults: text,
        plant: text,
        steps: text,
        output: text,
        nightly: { type: "boolean" },
      },
    });
    return {
      ...(values.nightly ? tonight() : { seeds: 20, first: 1, hours: 1, faults: 20 }),
      ...values,
    };
  } catch (error) {
    return wrong(error instanceof Error ? error.message : String(error));
  }
}

function tonight() {
  return { ...NIGHTLY, first: Math.floor(Date.now() / DAY_MS) * NIGHTLY.seeds };
}

function numberOf(name: "seeds" | "first" | "seed" | "hours" | "faults"): number {
  const number = Number(values[name]);
  return Number.isFinite(number) && number >= 0 ? number : wrong(`--${name} is no number`);
}

function wrong(problem: string): never {
  say(`${problem}\n\n${usage}`);
  process.exit(2);
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
