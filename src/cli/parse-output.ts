/** `--output text|json`, the same for every command. */
import { MonitorError } from "../monitor-error.ts";

export type OutputFormat = "text" | "json";

/** @throws MonitorError `USAGE_INVALID`. */
export function parseOutput(text: string): OutputFormat {
  if (text === "text" || text === "json") return text;
  throw new MonitorError("USAGE_INVALID", `--output "${text}" is not a format`, {
    hint: "Give --output text or --output json.",
  });
}
