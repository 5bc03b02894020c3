/** Traces close a few at a time, so that what arrives is taken between: none may be left behind. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { spansOf } from "../src/ingest/otlp/test-spans.ts";
import { startMonitor } from "./start-monitor.ts";

const TRACES = 1_000;

test("a thousand traces that are open at a stop are all counted, and known after the next start", async () => {
  const dataDirectory = mkdtempSync(join(tmpdir(), "many-traces-"));
  try {
    const first = await startMonitor({ dataDirectory, keep: true });
    const endMs = first.monitor.now();
    const spans = Array.from({ length: TRACES }, (_, index) => {
      const traceId = (index + 1).toString(16).padStart(32, "0");
      return spansOf({}).map((span) => ({ ...span, traceId, startMs: endMs - 10, endMs }));
    }).flat();
    await first.monitor.takeSpans(spans, new Map());
    assert.equal(first.monitor.state.openTraces.traceCount, TRACES);
    await first.close();
    assert.equal(first.monitor.state.openTraces.traceCount, 0);
    assert.equal(first.monitor.state.tracesClosed, TRACES);

    const second = await startMonitor({ dataDirectory, keep: true });
    assert.equal(second.monitor.state.tracesClosed, TRACES);
    assert.equal(second.monitor.state.openTraces.traceCount, 0);
    await second.monitor.takeSpans(spans, new Map());
    assert.equal(second.monitor.state.run.dropped.get("duplicate_span"), spans.length);
    await second.close();
  } finally {
    rmSync(dataDirectory, { recursive: true, force: true });
  }
});
