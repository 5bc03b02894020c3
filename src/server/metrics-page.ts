/**
 * What `/metrics` answers. A monitor of many agents has an answer of more than a
 * megabyte: that one is made anew every few seconds only, however often it is asked
 * for, so that scrapes hold up nothing else. A small one is always of now.
 */

import type { ExportRow } from "../web/api.ts";
import type { Forwarded } from "./api/forwarding.ts";
import { type Monitored, metricsText, type PolledSource } from "./metrics-text.ts";
import { nothingDetailed } from "./module-families.ts";
import type { Refusals } from "./otlp.ts";

/** How old a large answer may be, in milliseconds. Prometheus asks every 15 s or more. */
export const SNAPSHOT_MAX_AGE_MS = 5_000;
/** An answer up to this is made within a few milliseconds. */
export const SMALL_MAX_CHARS = 256 * 1024;

/** @returns what to call for each scrape. */
export function createMetricsPage(
  monitor: Monitored,
  refusals: Refusals,
  {
    sources = () => [],
    forwarding = () => [],
    exports = () => [],
  }: {
    readonly sources?: () => readonly PolledSource[];
    readonly forwarding?: (() => readonly Forwarded[]) | undefined;
    readonly exports?: (() => readonly ExportRow[]) | undefined;
  } = {},
): () => string {
  const detailed = nothingDetailed();
  let large: { readonly text: string; readonly madeMs: number } | null = null;

  return () => {
    const nowMs = monitor.now();
    const ageMs = large ? nowMs - large.madeMs : Number.NaN;
    // A clock that was set back makes the age negative: then it is made anew.
    if (large && ageMs >= 0 && ageMs < SNAPSHOT_MAX_AGE_MS) return large.text;

    const text = metricsText(monitor, refusals, {
      detailed,
      sources: sources(),
      forwarded: forwarding(),
      exports: exports(),
    });
    large = text.length > SMALL_MAX_CHARS ? { text, madeMs: nowMs } : null;
    return text;
  };
}
