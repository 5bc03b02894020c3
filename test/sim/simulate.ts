/**
 * One seed: an hour or more of a monitor, its history and its exports, with everything that can
 * go wrong. At the end all is well again, what waited is done, and the promises are checked.
 */
import { loadDuckDb } from "../../src/history/duckdb.ts";
import { MonitorError } from "../../src/monitor-error.ts";
import { brokenPromises } from "./check.ts";
import { faultNames, faults } from "./faults.ts";
import { startLoad } from "./load.ts";
import { toldLosses } from "./losses.ts";
import { createMachine, ORIGIN } from "./machine.ts";
import { createNetwork } from "./network.ts";
import { type Plant, plants } from "./plants.ts";
import { connectDuckDb } from "./shared-duckdb.ts";
import type { Way } from "./ways.ts";
import { createWorkspaceModel } from "./workspace-model.ts";
import { createWorld } from "./world.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** Share of the minutes in which nobody sends: an hour is long, and sealing is work. */
const QUIET_SHARE = 0.7;
const SLOW_STATEMENTS_SHARE = 0.4;
/** Time that is given for everything to come to rest. */
const SETTLE_MS = 20 * MINUTE_MS;
/** In each of the seeds in which something is damaged. */
const DAMAGES_MAX = 3;
/** Exports that may be needed at the end. */
const LAST_EXPORTS = 5;

/** In one seed; of two, each has all the rows, and people change from one to the other. */
const waysOfSeeds: readonly (readonly Way[])[] = [
  ["volume"],
  ["volume"],
  ["merge"],
  ["directory"],
  ["volume", "merge"],
  ["volume", "directory"],
];

export type SimulationOptions = {
  readonly seed: number;
  readonly hours: number;
  /** In each hour. */
  readonly faults: number;
  /** Name of a planted bug. */
  readonly plant?: string | undefined;
  /** Processes whose steps are told, such as `export 12`. */
  readonly stepsOf?: string | undefined;
};

export type Simulation = SimulationOptions & {
  /** Promises that were broken. */
  readonly broken: readonly string[];
  /** What happened, in order. */
  readonly lines: readonly string[];
  readonly injected: Readonly<Record<string, number>>;
  readonly rows: number;
  /** Rows that people were told of as lost by damage, by table; infinite where it is not known. */
  readonly lost: readonly number[];
};

export async function simulate(options: SimulationOptions): Promise<Simulation> {
  const { seed, hours, plant } = options;
  const world = createWorld(seed, { stepsOf: options.stepsOf ?? null });
  const { random } = world;
  const model = createWorkspaceModel(world, { origin: ORIGIN, slowShare: SLOW_STATEMENTS_SHARE });
  const network = createNetwork(world, model);
  const duckDb = await loadDuckDb();
  const drawnWays = random.pick(waysOfSeeds);
  const planted: Partial<Plant> = plant === undefined ? {} : plantOf(plant);
  const machine = createMachine({
    world,
    ways: planted.ways ?? drawnWays,
    exportEvery: `${random.pick([2, 4, 7])} minutes`,
    duckDb,
    connectDuckDb,
    network,
    plant: planted,
  });
  try {
    const injected: Record<string, number> = {};
    const load = startLoad(world, {
      monitorNow: machine.monitorNow,
      wallClockMs: machine.wallClockMs,
      quietShare: QUIET_SHARE,
    });
    machine.startMonitor();
    const lasting = new Set<() => void>();
    const lasts = (forMs: number, mend: () => void) => {
      const once = () => {
        if (lasting.delete(once)) mend();
      };
      lasting.add(once);
      world.after(forMs, once);
    };
    const chances = faultNames.flatMap((name) =>
      Array.from({ length: faults[name]?.weight ?? 0 }, () => name),
    );
    const ofDamage = chances.filter(isDamage);
    const others = chances.filter((name) => !isDamage(name));
    const endMs = hours * HOUR_MS;
    const damages = random.next() < 0.5 ? random.between(1, DAMAGES_MAX) : 0;
    for (let count = Math.ceil(options.faults * hours); count > 0; count--) {
      const name = random.pick(count <= damages ? ofDamage : others);
      world.after(random.between(MINUTE_MS, endMs), () => {
        injected[name] = (injected[name] ?? 0) + 1;
        world.note("fault", name);
        faults[name]?.inject({ world, machine, network, model, lasts });
      });
    }
    await world.run(endMs);

    load.stop();
    machine.disarm();
    for (const disk of [machine.disk, machine.lake]) disk.failIn(Number.POSITIVE_INFINITY);
    network.next = null;
    model.slowShare = 0;
    world.note("world", "all is well from here on");
    for (const mend of lasting) mend();
    // What damage of the journal made it forget, it does again when it starts.
    machine.monitorProcess?.kill("starts a last time");
    await world.run(world.nowMs() + SETTLE_MS);
    machine.isSupervised = false;
    // What an error of the disk left behind is removed when the history begins anew.
    machine.historyProcess?.end();
    await world.run(world.nowMs() + MINUTE_MS);
    void machine.stopMonitor();
    await world.run(world.nowMs() + SETTLE_MS);
    for (const way of machine.ways) await exportUntilDone(way);

    const connection = await connectDuckDb();
    const broken = await brokenPromises({ machine, model, load, connection });
    connection.closeSync();
    for (const error of world.escaped) {
      broken.push(`nobody caught: ${error instanceof Error ? error.stack : error}`);
    }
    return {
      ...options,
      broken,
      lines: world.lines.map((line) => line.replaceAll(machine.dataDirectory, "DATA")),
      injected,
      rows: load.acknowledged.size,
      lost: [...toldLosses(machine.notices).values()],
    };
  } finally {
    machine.killAll("");
    machine.close();
  }

  /** As somebody who does what the messages say. */
  async function exportUntilDone(way: Way): Promise<void> {
    let recreate = false;
    for (let left = LAST_EXPORTS; left > 0; left--) {
      let isDone = false;
      void machine.startExport({ way, recreate }).then((outcome) => {
        isDone = outcome.kind === "done" && outcome.rows === 0;
        const error = outcome.kind === "failed" ? outcome.error : null;
        const { hint } = error instanceof MonitorError ? error : { hint: "" };
        const rename = /ALTER TABLE \S+ RENAME TO [\w.]+/.exec(hint);
        if (rename) void model.run(rename[0]);
        recreate = hint.includes("--recreate");
      });
      await world.run(world.nowMs() + SETTLE_MS);
      if (isDone) return;
    }
    machine.bugs.push(`${way}: ${LAST_EXPORTS} exports were not enough when all was well`);
  }
}

function isDamage(fault: string): boolean {
  return fault.endsWith("is damaged");
}

function plantOf(name: string): Plant {
  const plant = plants[name];
  if (!plant) throw new Error(`no bug is called ${name}: ${Object.keys(plants).join(", ")}`);
  return plant;
}
