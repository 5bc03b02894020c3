/** The monitor of `whole-path.ts`: on a data directory of its own, which goes with it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../src/clock.ts";
import { Monitor } from "../src/monitor/monitor.ts";
import { receiverRules } from "../src/rules/built-in-rules.ts";
import { startServer } from "../src/server/server.ts";

export type Told = {
  readonly port: number;
  /** Of all threads of this process. */
  readonly cpuMicros: number;
  /** Of the thread that does all but the journal's writing and part of the collection of garbage. */
  readonly mainMicros: number;
  readonly spansTaken: number;
  readonly openTraces: number;
};

const dataDirectory = mkdtempSync(join(tmpdir(), "bench-monitor-"));
const monitor = await Monitor.start({
  dataDirectory,
  clock: systemClock,
  random: Math.random,
  rules: receiverRules,
  channel: null,
  pageUrl: () => null,
  formatTime: String,
  onNotice: (notice) => process.stderr.write(`${notice}\n`),
});
const source = { kind: "receiver", host: null, telemetry: "live" } as const;
const surroundings = { source, sources: () => [] };
const server = await startServer({ monitor, surroundings, port: 0 });

function tell(): void {
  const { user, system } = process.cpuUsage();
  const main = process.threadCpuUsage();
  const told: Told = {
    port: Number(new URL(server.url).port),
    cpuMicros: user + system,
    mainMicros: main.user + main.system,
    spansTaken: monitor.state.spansTaken,
    openTraces: monitor.state.openTraces.traceCount,
  };
  process.send?.(told);
}

process.on("message", async (message) => {
  if (message === "tell") tell();
  if (message !== "stop") return;
  await server.close();
  await monitor.close();
  rmSync(dataDirectory, { recursive: true, force: true });
  process.exit();
});
tell();
