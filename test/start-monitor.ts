/** A monitor and its server in this process, on a data directory of their own, for tests that send to it. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../src/clock.ts";
import { Monitor, type MonitorOptions } from "../src/monitor/monitor.ts";
import type { Surroundings } from "../src/server/api/overview.ts";
import { startServer } from "../src/server/server.ts";
import type { Summaries } from "../src/summaries/summaries.ts";

export type StartedMonitor = {
  readonly monitor: Monitor;
  readonly url: string;
  /** Stops it as a person would. Its state can still be read. */
  close(): Promise<void>;
};

/** With `keep` its data directory stays, for another monitor to be started on. */
export async function startMonitor({
  keep = false,
  forwarding,
  summaries,
  ...options
}: Partial<MonitorOptions> & {
  readonly keep?: boolean;
  readonly forwarding?: Surroundings["forwarding"];
  readonly summaries?: Summaries;
} = {}): Promise<StartedMonitor> {
  const dataDirectory = mkdtempSync(join(tmpdir(), "monitor-"));
  const monitor = await Monitor.start({
    dataDirectory,
    clock: systemClock,
    random: () => 0,
    rules: [],
    channel: null,
    pageUrl: () => null,
    formatTime: String,
    onNotice: (notice) => {
      throw new Error(notice);
    },
    ...options,
  });
  const source = { kind: "receiver", host: null, telemetry: "live" } as const;
  const surroundings = { source, sources: () => [], forwarding, summaries };
  const server = await startServer({ monitor, surroundings, port: 0 });
  return {
    monitor,
    url: server.url,
    async close() {
      await server.close();
      await monitor.close();
      if (!keep) rmSync(dataDirectory, { recursive: true, force: true });
    },
  };
}

const captures = new URL("../fixtures/telemetry/captures/", import.meta.url);
const recorded: Record<string, { headers: [string, string][] }> = JSON.parse(
  readFileSync(new URL("headers.json", captures), "utf8"),
);

/** Sends a recorded body as its client sent it. */
export function sendCapture(url: string, file: string): Promise<Response> {
  const kept = new Set(["content-type", "content-encoding"]);
  const headers = recorded[file]?.headers.filter(([name]) => kept.has(name.toLowerCase())) ?? [];
  const body = readFileSync(new URL(file, captures));
  return fetch(`${url}/v1/traces`, { method: "POST", headers, body });
}
