/** Ports on the command line. */
import { MonitorError } from "../monitor-error.ts";

/** @throws MonitorError `USAGE_INVALID`. */
export function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (port >= 0 && port <= 65_535) return port;
  throw new MonitorError("USAGE_INVALID", `--port "${text}" is not a port`, {
    hint: "Give a number from 1 to 65535, or 0 for any that is free.",
  });
}
