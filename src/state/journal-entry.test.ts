/** Entries come back from the journal as they went in, those that earlier versions wrote too. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { bodyOf, entryOf, type JournalEntry } from "./journal-entry.ts";

const metrics: JournalEntry = {
  kind: "metrics",
  points: [
    {
      endpoint: "qa",
      name: "queue_length",
      labels: { region: "eu-central" },
      mode: "gauge",
      startMs: 0,
      timeMs: 1_795_465_667_140.5,
      values: [{ suffix: "", kind: "gauge", value: "NaN" }],
    },
  ],
  repeated: 3,
  dropped: { metric_time: 1 },
};

for (const entry of [
  metrics,
  { kind: "spans", spans: [], dropped: { attribute: 2 } },
  { kind: "close", traceIds: ["0af7651916cd43dd8448eb211c80319c"] },
] satisfies readonly JournalEntry[]) {
  test(`${entry.kind} come back as they went in`, () => {
    assert.deepEqual(entryOf(bodyOf(entry)), entry);
  });
}

test("metric points of earlier versions are text, and are read", () => {
  assert.deepEqual(entryOf(JSON.stringify(metrics)), metrics);
});
