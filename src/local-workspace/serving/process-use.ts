/**
 * How much of the machine this process used in the last complete minute. The
 * local workspace serves all its endpoints from one process, so that each of
 * them reports the same, real figures.
 */
import { availableParallelism, totalmem } from "node:os";
import { cpuUsage, memoryUsage } from "node:process";
import type { Clock } from "../clock.ts";
import type { ProcessUse } from "./endpoint-metrics.ts";

const MINUTE_MS = 60_000;

export function measureProcessUse(clock: Clock): { last(): ProcessUse | null; close(): void } {
  let last: ProcessUse | null = null;
  let measured = { atMs: clock.now(), cpu: cpuUsage() };

  function measure() {
    const now = { atMs: clock.now(), cpu: cpuUsage() };
    const elapsedUs = (now.atMs - measured.atMs) * 1000;
    const usedUs = now.cpu.user + now.cpu.system - measured.cpu.user - measured.cpu.system;
    measured = now;
    if (elapsedUs <= 0) return;
    last = {
      cpuPercent: (100 * usedUs) / elapsedUs / availableParallelism(),
      memoryPercent: (100 * memoryUsage.rss()) / totalmem(),
    };
  }

  let stopEvery = () => {};
  const stopFirst = clock.after(MINUTE_MS - (clock.now() % MINUTE_MS), () => {
    measure();
    stopEvery = clock.every(MINUTE_MS, measure);
  });
  return {
    last: () => last,
    close() {
      stopFirst();
      stopEvery();
    },
  };
}
