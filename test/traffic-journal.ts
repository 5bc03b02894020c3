/** Recorded traces at other times and of other lengths: a journal of some hours, for tests. */
import { readFileSync } from "node:fs";
import { agentSpans } from "../src/ingest/otlp/agent-span.ts";
import { decodeTracesProtobuf } from "../src/ingest/otlp/decode-protobuf.ts";
import { bodyOf, type JournalEntry } from "../src/state/journal-entry.ts";
import type { PlacedEntry } from "../src/store/journal.ts";

const captures = [
  "callback-react-tool-error-0020.otlp.pb",
  "callback-err-429-0042.otlp.pb",
  "callback-pipeline-0025.otlp.pb",
  "callback-err-500-0044.otlp.pb",
];

export const trafficStartMs = Date.UTC(2026, 10, 24, 22, 58, 30);
const EVERY_MS = 37_000;

/** One trace every 37 s, from one of two agents; some come an hour late. */
export function trafficJournal(traces: number): PlacedEntry[] {
  const bodies = captures.map((file) => {
    const url = new URL(`../fixtures/telemetry/captures/${file}`, import.meta.url);
    return decodeTracesProtobuf(readFileSync(url), agentSpans).spans;
  });
  const entries: { readonly timeMs: number; readonly entry: JournalEntry }[] = [];
  for (let index = 0; index < traces; index++) {
    const recorded = bodies[index % bodies.length] ?? [];
    const endpoint = index % 3 === 0 ? "triage" : "qa";
    const endMs = trafficStartMs + index * EVERY_MS;
    const recordedEndMs = Math.max(...recorded.map(({ endMs }) => endMs));
    const scale = 0.2 + ((index * 7919) % 100) / 20;
    const moved = (timeMs: number) => endMs + (timeMs - recordedEndMs) * scale;
    const number = index.toString(16).padStart(8, "0");
    const spans = recorded.map((span) => ({
      ...span,
      endpoint,
      traceId: `${number}${span.traceId.slice(8)}`,
      startMs: moved(span.startMs),
      endMs: moved(span.endMs),
      modelVersion: index < traces / 2 ? "1" : "2",
      release: span.parentSpanId === null ? (index < traces / 2 ? "abc" : "def") : null,
    }));
    const timeMs = index % 10 === 9 ? endMs + 3_600_000 : endMs + 2_000;
    entries.push({ timeMs, entry: { kind: "spans", spans, dropped: {} } });
    const traceIds = [...new Set(spans.map(({ traceId }) => `${traceId} ${endpoint}`))];
    entries.push({ timeMs: timeMs + 1, entry: { kind: "close", traceIds } });
  }
  return entries
    .sort((a, b) => a.timeMs - b.timeMs)
    .map(({ timeMs, entry }, at) => ({ seq: at + 1, timeMs, body: bodyOf(entry) }));
}
