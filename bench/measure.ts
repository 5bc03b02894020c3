/**
 * Measures alternatives against each other: one process, one after the other in turn
 * over many rounds, CPU time of this thread, medians. Machines are noisy, so only the
 * ratio within one run means anything.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

export type Row = {
  readonly name: string;
  readonly oursNs: number;
  readonly peer: string;
  readonly peerNs: number;
  readonly ratio: number;
};

/** What one benchmark found out. */
export type Measured = {
  readonly rows: readonly Row[];
  /** For people: what a ratio does not tell. */
  readonly notes: readonly string[];
};

export type Effort = { readonly rounds: number; readonly roundMs: number };

/** The clock of a thread moves in steps of up to 4 ms: a round takes many of them. */
export const FULL: Effort = { rounds: 15, roundMs: 50 };
/** Shows that everything still works; its figures mean nothing. */
export const QUICK: Effort = { rounds: 1, roundMs: 40 };

export type Contestant = {
  readonly name: string;
  /** Done before each time, and not measured. */
  readonly prepare?: () => void;
  readonly run: (times: number) => void | Promise<void>;
};

const WARM_UPS = 5;

/** Nanoseconds per operation, the median of each contestant's rounds. */
export async function measure(
  contestants: readonly Contestant[],
  { rounds, roundMs }: Effort,
): Promise<number[]> {
  const times: number[] = [];
  for (const contestant of contestants) {
    let count = 1;
    // Warm up, and find out how many times make a round.
    for (let i = 0; i < WARM_UPS || (await isShort(contestant, count, roundMs)); i++) {
      const ms = Math.max(1, await cpuMs(contestant, count));
      count = Math.ceil((count * Math.max(ms, roundMs)) / ms);
    }
    times.push(count);
  }
  const measured: number[][] = contestants.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const [index, contestant] of contestants.entries()) {
      const count = times[index] ?? 1;
      measured[index]?.push(((await cpuMs(contestant, count)) * 1e6) / count);
    }
  }
  return measured.map(median);
}

/** Once compiled, a contestant may need far more times than at first. */
async function isShort(contestant: Contestant, count: number, roundMs: number): Promise<boolean> {
  return (await cpuMs(contestant, count)) < roundMs / 2;
}

async function cpuMs({ prepare, run }: Contestant, times: number): Promise<number> {
  if (!prepare) return timed(run, times);
  // Too short for the clock's steps; their sum is not.
  let ms = 0;
  for (let i = 0; i < times; i++) {
    prepare();
    ms += await timed(run, 1);
  }
  return ms;
}

async function timed(run: Contestant["run"], times: number): Promise<number> {
  const before = process.threadCpuUsage();
  const running = run(times);
  if (running) await running;
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1_000;
}

/** The first contestant against each of the others. */
export async function compare(
  name: string,
  contestants: readonly [Contestant, ...Contestant[]],
  effort: Effort,
): Promise<Row[]> {
  const [oursNs = 0, ...peers] = await measure(contestants, effort);
  return peers.map((peerNs, index) => ({
    name,
    oursNs,
    peer: contestants[index + 1]?.name ?? "",
    peerNs,
    ratio: peerNs / oursNs,
  }));
}

/** "1 000: 540 ns, 100 000: 560 ns (slowest over fastest: 1.04)". */
export function flatness(sizes: readonly number[], ns: readonly number[]): string {
  const each = sizes.map((size, index) => `${grouped(size)}: ${nsText(ns[index] ?? 0)}`);
  return `${each.join(", ")} (slowest over fastest: ${(Math.max(...ns) / Math.min(...ns)).toFixed(2)})`;
}

export function nsText(ns: number): string {
  if (ns < 100) return `${ns.toFixed(1)} ns`;
  if (ns < 10_000) return `${ns.toFixed(0)} ns`;
  return ns < 10_000_000 ? `${(ns / 1e3).toFixed(1)} µs` : `${(ns / 1e6).toFixed(1)} ms`;
}

export function grouped(value: number): string {
  return Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, " ");
}

/** The same sequence in every run (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** @param type `minor` collects what has just become garbage, in a millisecond. */
export const collectGarbage: (type: "minor" | "major") => void = (() => {
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("gc");
  if (typeof collect !== "function") throw new Error("This Node cannot collect garbage.");
  return (type) => {
    collect({ type });
  };
})();

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
