/** Simulates one seed after another, as it is asked to. */
import { closeParquetReader } from "./parquet-rows.ts";
import { type SimulationOptions, simulate } from "./simulate.ts";

process.on("message", async (options: SimulationOptions) =>
  process.send?.(await simulate(options)),
);
process.on("disconnect", async () => {
  await closeParquetReader();
  process.exit(0);
});
