/**
 * Measures alternatives against each other: one process, one after the other in turn
 * over many rounds, CPU time of this thread, medians. Machines are noisy, so only the
 * ratio within one run means anything.
 */

export type Row = {
  readonly name: string;
  readonly oursNs: number;
  readonly peer: string;
  readonly peerNs: number;
  readonly ratio: number;
};

export type Contestant = {
  readonly name: string;
  /** Done before each round, and not measured. */
  readonly prepare?: () => void;
  readonly run: (times: number) => void;
  readonly timesPerRound: number;
};

/** The clock moves in steps of up to 4 ms: a round takes many of them. */
const ROUND_MS = 60;

/** Nanoseconds per operation, the median of each contestant's rounds. */
export function measure(contestants: readonly Contestant[], rounds: number): number[] {
  const times = contestants.map((contestant) => {
    let { timesPerRound } = contestant;
    // Warm up, then make the round long enough.
    for (let i = 0; i < 4; i++) {
      contestant.prepare?.();
      const ms = Math.max(
        1,
        cpuMs(() => contestant.run(timesPerRound)),
      );
      if (!contestant.prepare) timesPerRound = Math.ceil((timesPerRound * ROUND_MS) / ms);
    }
    return timesPerRound;
  });
  const measured: number[][] = contestants.map(() => []);
  for (let round = 0; round < rounds; round++) {
    contestants.forEach((contestant, index) => {
      contestant.prepare?.();
      const count = times[index] ?? 1;
      measured[index]?.push((cpuMs(() => contestant.run(count)) * 1e6) / count);
    });
  }
  return measured.map(median);
}

export function cpuMs(run: () => void): number {
  const before = process.threadCpuUsage();
  run();
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1_000;
}

/** The first contestant against each of the others. */
export function compare(
  name: string,
  contestants: readonly [Contestant, ...Contestant[]],
  rounds: number,
): Row[] {
  const [oursNs = 0, ...peers] = measure(contestants, rounds);
  return peers.map((peerNs, index) => ({
    name,
    oursNs,
    peer: contestants[index + 1]?.name ?? "",
    peerNs,
    ratio: peerNs / oursNs,
  }));
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
