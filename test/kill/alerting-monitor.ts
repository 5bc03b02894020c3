/**
 * A monitor whose alerts fire within a second and hold for the length of a test,
 * as a process: `DATA_DIRECTORY`, and `WEBHOOK_URL` to tell.
 */
import { systemClock } from "../../src/clock.ts";
import { Monitor } from "../../src/monitor/monitor.ts";
import { createSlackChannel } from "../../src/notify/slack/slack-channel.ts";
import { startServer } from "../../src/server/server.ts";

const { DATA_DIRECTORY: dataDirectory = "", WEBHOOK_URL: webhookUrl = "" } = process.env;

const monitor = await Monitor.start({
  dataDirectory,
  clock: systemClock,
  random: Math.random,
  rules: [
    {
      id: "error_rate",
      kind: "error_rate",
      endpoint: null,
      threshold: 5,
      windowSeconds: 60,
      minRequests: 5,
      holdSeconds: 1,
      keepFiringSeconds: 300,
    },
  ],
  channel: createSlackChannel({ webhookUrl, fetch, timeoutMs: 5_000 }),
  pageUrl: () => null,
  formatTime: (timeMs) => new Date(timeMs).toISOString(),
  onNotice: console.error,
});
const source = { kind: "receiver", host: null, telemetry: "live" } as const;
const { url } = await startServer({
  monitor,
  surroundings: { source, sources: () => [] },
  port: 0,
});
console.error(`Page ${url}`);
