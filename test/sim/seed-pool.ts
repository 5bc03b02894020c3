/** Processes that simulate seeds, as many at a time as there are processors. */
import { type ChildProcess, fork } from "node:child_process";
import { availableParallelism } from "node:os";
import type { Simulation, SimulationOptions } from "./simulate.ts";

export type Simulate = (options: SimulationOptions) => Promise<Simulation>;

/** Does `work` for each of the items, in one process after another. */
export async function inProcesses<Item>(
  items: readonly Item[],
  work: (item: Item, simulate: Simulate) => Promise<void>,
): Promise<void> {
  const waiting = items.values();
  const processes = Math.min(items.length, availableParallelism());
  await Promise.all(
    Array.from({ length: processes }, async () => {
      const child = fork(new URL("./seed-process.ts", import.meta.url), {
        execArgv: ["--disable-warning=ExperimentalWarning"],
      });
      try {
        for (const item of waiting) await work(item, (options) => ask(child, options));
      } finally {
        child.disconnect();
      }
    }),
  );
}

function ask(child: ChildProcess, options: SimulationOptions): Promise<Simulation> {
  return new Promise((resolve, reject) => {
    const onExit = () => reject(new Error(`the process of seed ${options.seed} ended`));
    child.once("exit", onExit);
    child.once("message", (simulation: Simulation) => {
      child.off("exit", onExit);
      resolve(simulation);
    });
    child.send(options);
  });
}
