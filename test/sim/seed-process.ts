/** Simulates one seed after another, as it is asked to. */
import { type SimulationOptions, simulate } from "./simulate.ts";

process.on("message", async (options: SimulationOptions) =>
  process.send?.(await simulate(options)),
);
process.on("disconnect", () => process.exit(0));
