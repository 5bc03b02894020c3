/**
 * The one SQL warehouse of the workspace. It runs nowhere – SQL runs in this process –
 * but it starts, stops by itself, and may be used by those who may, as one would.
 */
import type { Clock } from "../clock.ts";

export type WarehouseState = "RUNNING" | "STARTING" | "STOPPED";

export type Warehouse = {
  readonly id: string;
  readonly name: string;
  state(): WarehouseState;
  /** Settles when it runs. Statements start a warehouse that was stopped. */
  start(): Promise<void>;
  stop(): void;
};

export const WAREHOUSE_ID = "10ca1de1ce5e0001";
export const WAREHOUSE_NAME = "Serverless Starter Warehouse";
export const AUTO_STOP_MINUTES = 10;

export function createWarehouse(clock: Clock, startMs: () => number): Warehouse {
  let state: WarehouseState = "STOPPED";
  let starting: Promise<void> | null = null;
  let cancelStop: (() => void) | null = null;

  function run(): void {
    state = "RUNNING";
    starting = null;
    cancelStop?.();
    cancelStop = clock.after(AUTO_STOP_MINUTES * 60_000, stop);
  }

  function stop(): void {
    cancelStop?.();
    cancelStop = null;
    state = "STOPPED";
  }

  return {
    id: WAREHOUSE_ID,
    name: WAREHOUSE_NAME,
    state: () => state,
    stop,
    start() {
      if (starting) return starting;
      const delayMs = state === "RUNNING" ? 0 : startMs();
      if (delayMs === 0) {
        run();
        return Promise.resolve();
      }
      state = "STARTING";
      starting = new Promise((resolve) => {
        clock.after(delayMs, () => {
          run();
          resolve();
        });
      });
      return starting;
    },
  };
}
