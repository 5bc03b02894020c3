/** A series is known again by what tells it from others, however many there are. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { eventIdOf } from "./event-id.ts";
import { KnownSeries, type Series } from "./series.ts";

const name = fc.constantFrom("cpu", "memory");
const label = fc.constantFrom("a", "b", "constructor", "__proto__");
const labels = fc
  .array(fc.tuple(label, fc.constantFrom("1", "2", "3", "undefined")), { maxLength: 3 })
  .map((entries): Record<string, string> => Object.fromEntries(entries));
const sample = fc.record({
  name,
  labels,
  endpoint: fc.constantFrom("qa", "rag"),
  kind: fc.constantFrom("gauge", "counter"),
  value: fc.constant(1),
  timeMs: fc.nat(),
});
const told = fc.record({
  source: fc.constantFrom("otlp_metrics", "endpoint_metrics"),
  workspaceId: fc.constantFrom("local", "other"),
  modelVersion: fc.constantFrom("1", null),
});

test("two values are of one series exactly where all but value and time is the same", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(sample, told), { maxLength: 100 }), (many) => {
      const known = new KnownSeries();
      const first = new Map<string, Series>();
      for (const [its, of] of many) {
        const { endpoint, kind } = its;
        const parts = [of.source, of.workspaceId, endpoint, its.name] as const;
        const id = eventIdOf(...parts, its.labels);
        const series = known.of(its, of);
        const key = `${id} ${kind} ${of.modelVersion}`;
        const before = first.get(key) ?? series;
        assert.equal(series, before);
        assert.deepEqual([series.id, series.kind, series.labels], [id, kind, its.labels]);
        first.set(key, series);
      }
      assert.equal(new Set(first.values()).size, first.size);
    }),
  );
});
