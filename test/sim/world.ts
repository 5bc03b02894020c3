/**
 * A world in which time passes only when nothing is left to do: everything that happens is an
 * event at a moment, drawn from the seed. So an hour takes as long as its work, and the same
 * seed is the same hour.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Clock } from "../../src/clock.ts";
import { type Random, randomFrom } from "../kill/random.ts";
import type { Strike } from "./strikes.ts";

/** Lines of what happened that are kept. */
const LINES_MAX = 4_000;

type Event = {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => unknown;
  cancelled: boolean;
};

export type World = {
  readonly random: Random;
  /** Milliseconds since the world began. Every machine has a clock of its own, which may be wrong. */
  nowMs(): number;
  after(delayMs: number, run: () => unknown): () => void;
  /** Time passes in which nothing happens: what was due meanwhile happens at once afterwards. */
  sleep(durationMs: number): void;
  /** Waits for work that the world does not simulate, such as DuckDB's. Time stands still meanwhile. */
  real<T>(work: Promise<T>): Promise<T>;
  note(who: string, what: string): void;
  /** Of which there are many: only where they are asked for. */
  noteStep(who: string, what: string): void;
  readonly lines: readonly string[];
  /** What nobody caught, and no process that was killed threw. */
  readonly escaped: unknown[];
  run(untilMs: number): Promise<void>;
};

/** Of a process that is dead: it did not catch it, because there is nobody to. */
export class Killed extends Error {}

/** @param stepsOf of processes whose names begin so, each step is noted. */
export function createWorld(
  seed: number,
  { stepsOf = null }: { readonly stepsOf?: string | null } = {},
): World {
  const events = new Heap();
  const lines: string[] = [];
  const escaped: unknown[] = [];
  const outstanding = new Set<Promise<unknown>>();
  let nowMs = 0;
  let order = 0;

  const world: World = {
    random: randomFrom(seed),
    nowMs: () => nowMs,
    after(delayMs, run) {
      const event = { atMs: nowMs + Math.max(0, delayMs), order: order++, run, cancelled: false };
      events.push(event);
      return () => {
        event.cancelled = true;
      };
    },
    sleep(durationMs) {
      nowMs += durationMs;
    },
    real(work) {
      const settled = work.catch(() => {});
      outstanding.add(settled);
      void settled.finally(() => outstanding.delete(settled));
      return work;
    },
    note(who, what) {
      lines.push(`${timeText(nowMs)} ${who}: ${what}`);
      if (lines.length > LINES_MAX && stepsOf === null) lines.shift();
    },
    noteStep(who, what) {
      if (stepsOf !== null && who.startsWith(stepsOf)) world.note(who, `… ${what}`);
    },
    lines,
    escaped,
    async run(untilMs) {
      const onEscape = (error: unknown) => {
        if (!(error instanceof Killed)) escaped.push(error);
      };
      process.on("unhandledRejection", onEscape);
      /** What was begun has come as far as it comes by itself. */
      const settle = async () => {
        await nextTurn();
        while (outstanding.size > 0) {
          await Promise.all(outstanding);
          await nextTurn();
        }
      };
      try {
        await settle();
        for (let next = events.peek(); next && next.atMs <= untilMs; next = events.peek()) {
          events.pop();
          if (next.cancelled) continue;
          nowMs = Math.max(nowMs, next.atMs);
          try {
            const running = next.run();
            if (running instanceof Promise) running.catch(onEscape);
          } catch (error) {
            onEscape(error);
          }
          await settle();
        }
        nowMs = Math.max(nowMs, untilMs);
      } finally {
        process.off("unhandledRejection", onEscape);
      }
    },
  };
  return world;
}

export function timeText(ms: number): string {
  const at = new Date(Math.round(ms)).toISOString();
  const days = Math.floor(ms / 86_400_000);
  return `${days > 0 ? `${days} d ` : ""}${at.slice(11, 23)}`;
}

/** One run of a program on a machine. */
export class Process {
  readonly name: string;
  readonly clock: Clock;
  readonly #world: World;
  readonly #onDeath: (() => void)[] = [];
  readonly #strikes: Strike[] = [];
  #isAlive = true;
  #stepsLeft = Number.POSITIVE_INFINITY;
  #dieWith = (process: Process, what: string) => process.kill(`SIGKILL before ${what}`);

  /** @param skewMs how far the machine's clock is from the world's, now. */
  constructor(name: string, world: World, skewMs: () => number) {
    this.name = name;
    this.#world = world;
    const after = (delayMs: number, run: () => unknown) =>
      world.after(delayMs, () => (this.#isAlive ? run() : undefined));
    this.clock = {
      now: () => Math.round(world.nowMs() + skewMs()),
      after,
      every(intervalMs, run) {
        let stop = () => {};
        const again = () => {
          stop = after(intervalMs, () => {
            again();
            return run();
          });
        };
        again();
        return () => stop();
      },
    };
  }

  /** What it met, of which it may tell people. */
  get struckBy(): readonly Strike[] {
    return this.#strikes;
  }

  strike(strike: Strike): void {
    this.#strikes.push(strike);
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  onDeath(run: () => void): void {
    this.#onDeath.push(run);
  }

  /** Dies before its nth step from now: a step is whatever others can see or a disk can keep. */
  dieBefore(steps: number, how = this.#dieWith): void {
    this.#stepsLeft = steps;
    this.#dieWith = how;
  }

  /** @throws Killed when it is dead, or dies now. */
  step(what: string): void {
    this.#world.noteStep(this.name, what);
    if (this.#isAlive && this.#stepsLeft-- <= 0) this.#dieWith(this, what);
    if (!this.#isAlive) throw new Killed();
  }

  kill(why: string): void {
    if (!this.#isAlive) return;
    this.#isAlive = false;
    if (why !== "") this.#world.note(this.name, why);
    for (const run of this.#onDeath) run();
  }

  /** It ends by itself. */
  end(): void {
    this.kill("");
  }

  /** What `begin` gives, some milliseconds later; never in a process that dies meanwhile. */
  async later<T>(what: string, begin: () => Promise<T> | T): Promise<T> {
    try {
      this.step(what);
    } catch {
      return new Promise<T>(() => {});
    }
    const outcome = await Promise.resolve()
      .then(begin)
      .then(
        (value) => () => value,
        (error) => () => {
          throw error;
        },
      );
    return new Promise<T>((resolve, reject) => {
      this.clock.after(this.#world.random.between(0, 3), () => {
        try {
          resolve(outcome());
        } catch (error) {
          reject(error);
        }
      });
    });
  }
}

/** Events by time, and those of one moment in the order in which they were made. */
class Heap {
  readonly #events: Event[] = [];

  peek(): Event | undefined {
    return this.#events[0];
  }

  push(event: Event): void {
    const events = this.#events;
    let at = events.push(event) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (!this.#swapUnlessOrdered(above, at)) break;
      at = above;
    }
  }

  pop(): void {
    const events = this.#events;
    const last = events.pop();
    if (!last || events.length === 0) return;
    events[0] = last;
    for (let at = 0; ; ) {
      const left = 2 * at + 1;
      const right = left + 1;
      const isRight = right < events.length && this.#isBefore(right, left);
      const below = isRight ? right : left;
      if (below >= events.length || !this.#swapUnlessOrdered(at, below)) break;
      at = below;
    }
  }

  #isBefore(one: number, other: number): boolean {
    const [a, b] = [this.#events[one], this.#events[other]];
    if (!a || !b) return false;
    return a.atMs === b.atMs ? a.order < b.order : a.atMs < b.atMs;
  }

  #swapUnlessOrdered(above: number, below: number): boolean {
    if (!this.#isBefore(below, above)) return false;
    const [a, b] = [this.#events[above], this.#events[below]];
    if (a && b) {
      this.#events[above] = b;
      this.#events[below] = a;
    }
    return true;
  }
}
