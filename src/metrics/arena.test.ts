/** What happens in shared memory where a long time or an unlucky moment is needed to see it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "../clock.ts";
import { Arena, PAGE_BYTES, SHARD_HEAD, shardWord } from "./arena.ts";
import { describe } from "./labels.ts";
import { Ledger } from "./ledger.ts";
import { Recorder } from "./recorder.ts";
import { KIND_COUNTER, KIND_GAUGE, KIND_LATENCY, RowWriter } from "./rows.ts";
import { steadyTime } from "./steady-time.ts";
import { createTestClock } from "./test-clock.ts";

function setUp(options: { readonly maxBytes?: number; readonly ringSamples?: number } = {}) {
  const { maxBytes = 2 ** 24, ringSamples = 4_096 } = options;
  const clock = createTestClock();
  const arena = Arena.create({
    maxSeries: 10_000,
    maxSeriesPerMetric: 10_000,
    maxBytes,
    startMs: 0,
  });
  const record = () => {
    const shard = arena.claimShard(1) ?? assert.fail("no place");
    return {
      shard,
      recorder: new Recorder(arena, shard, { clock, ringSamples, onTick: () => {} }),
    };
  };
  const ledger = new Ledger(arena, { ownShard: -1, historySize: 1_000 });
  const summaryOf = (name: string, windowSeconds = Number.POSITIVE_INFINITY) => {
    ledger.drain();
    return ledger.summary(ledger.latencies(name, {}), {
      startMs: clock.now() - windowSeconds * 1_000,
    });
  };
  const totalOf = (kind: typeof KIND_COUNTER | typeof KIND_GAUGE, name: string) => {
    const metric = ledger.metric(kind, name);
    return metric?.series.reduce((sum, series) => sum + ledger.value(metric, series), 0);
  };
  return { clock, arena, record, ledger, summaryOf, totalOf };
}

test("after 2^32 latencies of a thread, windows and history go on", () => {
  const { clock, arena, record, summaryOf } = setUp();
  const { shard, recorder } = record();
  const head = shardWord(shard) + SHARD_HEAD;
  arena.words[head] = 2 ** 32 - 500;
  summaryOf("x_ms");
  clock.advance(3_600_000);
  for (let i = 1; i <= 1_200; i++) {
    recorder.observe("x_ms", i, [], undefined, undefined);
    if (i === 800) assert.equal(summaryOf("x_ms", 60)?.count, 800);
  }
  assert.equal(arena.words[head], 700);
  const window = summaryOf("x_ms", 60);
  assert.deepEqual([window?.count, window?.exact], [1_200, false]); // 1 000 are held
  assert.ok(Math.abs((window?.p50 ?? 0) - 600) <= 6);
  clock.advance(2_000);
  for (let i = 1; i <= 10; i++) recorder.observe("x_ms", i, [], undefined, undefined);
  const last = summaryOf("x_ms", 1);
  assert.deepEqual([last?.count, last?.p50, last?.exact], [10, 5, true]);
});

test("a history that 2^32 latencies went through does not look as if it held all of them", () => {
  const { clock, arena, record, summaryOf } = setUp();
  const { shard, recorder } = record();
  for (let i = 0; i < 5_000; i++) recorder.observe("x_ms", 1, [], undefined, undefined);
  summaryOf("x_ms");
  // So many later, of which the collector has seen all, the head is small again.
  arena.words[shardWord(shard) + SHARD_HEAD] = 0;
  summaryOf("x_ms");
  clock.advance(1_000);
  recorder.observe("x_ms", 2, [], undefined, undefined);
  assert.equal(summaryOf("x_ms")?.exact, false);
});

test("gauges go on after 2^32 settings: the last one wins", () => {
  const { arena, record, totalOf } = setUp();
  const { recorder } = record();
  const shard = arena.claimShard(2) ?? assert.fail("no place");
  const other = new Recorder(arena, shard, {
    clock: createTestClock(),
    ringSamples: 4_096,
    onTick: () => {},
  });
  for (const from of [0n, 2n ** 31n - 2n, 2n ** 32n - 2n, 2n ** 40n]) {
    // Double 5 of the header is the number of the last setting.
    new BigInt64Array(arena.buffer, 40, 1)[0] = from;
    for (const value of [1, 2, 3, 4, 5]) {
      (value % 2 === 0 ? recorder : other).setGauge("g", value, undefined);
      assert.equal(totalOf(KIND_GAUGE, "g"), value);
    }
  }
});

test("what a thread left that was ended while it wrote a row does not count in the next one's", () => {
  const { arena, record, ledger } = setUp();
  const { shard } = record();
  const page = Array.from({ length: arena.pages() }, (_, i) => i).findLast(
    (one) => arena.kindOf(one) === 1 && arena.shardOf(one) === shard,
  );
  const used = arena.load(((page ?? 0) * PAGE_BYTES) / 4);
  // The text of a row whose end was not moved yet.
  arena.doubles.fill(
    7,
    ((page ?? 0) * PAGE_BYTES) / 8 + used,
    ((page ?? 0) * PAGE_BYTES) / 8 + used + 100,
  );
  arena.freeThread(1);
  const { recorder } = record();
  recorder.observe("x_ms", 5, [], undefined, undefined);
  const [series] = ledger.latencies("x_ms", {});
  const metric = ledger.metric(KIND_LATENCY, "x_ms") ?? assert.fail("no metric");
  const snapshot = ledger.snapshotOf(metric, series ?? assert.fail("no series"));
  assert.ok(snapshot.kind === "latency");
  assert.deepEqual([snapshot.count, snapshot.sumMs, snapshot.exemplar], [1, 5, undefined]);
});

test("a row that a thread wrote but did not tell of is found once the next thread has its place", () => {
  const { arena, ledger, totalOf } = setUp();
  const shard = arena.claimShard(1) ?? assert.fail("no place");
  const writer = new RowWriter(arena, shard);
  writer.rowOf(KIND_COUNTER, describe("a", []));
  assert.equal(totalOf(KIND_COUNTER, "a"), 0);
  const told = arena.rows();
  writer.rowOf(KIND_COUNTER, describe("b", []));
  // As if it had been ended between the two.
  arena.store(2, told);
  assert.equal(ledger.metric(KIND_COUNTER, "b"), undefined);
  const row = new RowWriter(arena, shard).rowOf(KIND_COUNTER, describe("b", []));
  arena.doubles[row] = 3;
  assert.equal(totalOf(KIND_COUNTER, "b"), 3);
});

test("when memory is used up, every record still counts, in overflow series", () => {
  const { record, ledger, totalOf } = setUp({ maxBytes: 10 * PAGE_BYTES, ringSamples: 4_096 });
  const { recorder } = record();
  const labels = (i: number) => ({ id: `${i}-${"x".repeat(500)}` });
  for (let i = 0; i < 2_000; i++) recorder.addToCounter("x", 1, [], labels(i));
  for (let i = 0; i < 10; i++) recorder.addToCounter(`y${i}`, 1, [], labels(i));
  const counted = ledger
    .metrics()
    .filter(({ name }) => /^[xy]|^overflow_total/.test(name))
    .reduce((sum, { name }) => sum + (totalOf(KIND_COUNTER, name) ?? 0), 0);
  assert.equal(counted, 2_010);
  assert.ok((totalOf(KIND_COUNTER, "metrics_overflow_total") ?? 0) > 1_000);
});

test("a machine without memory left takes no request with it", () => {
  const { arena, record, totalOf } = setUp();
  const { recorder } = record();
  arena.buffer.grow = () => {
    throw new RangeError("out of memory");
  };
  for (let i = 0; i < 5_000; i++) recorder.addToCounter("x", 1, [], { id: `${i}` });
  assert.equal(
    (totalOf(KIND_COUNTER, "x") ?? 0) + (totalOf(KIND_COUNTER, "overflow_total") ?? 0),
    5_000,
  );
});

test("a place is given back only by the thread that has it", () => {
  const { arena } = setUp();
  const first = arena.claimShard(7) ?? assert.fail("no place");
  arena.freeShard(first, 8);
  assert.notEqual(arena.claimShard(9), first);
  arena.freeThread(7);
  assert.equal(arena.claimShard(8), first);
  // The news of thread 7's end comes late, or twice.
  arena.freeThread(7);
  assert.notEqual(arena.claimShard(10), first);
});

test("time for windows runs on when the clock is set back, and as fast as the clock", () => {
  const clock = createTestClock(1_000);
  const now = steadyTime(clock);
  const seen = [5, -3_000, 10, 0, -1, 1, 100_000].map((byMs) => {
    clock.advance(byMs);
    return now() - 1_000;
  });
  assert.deepEqual(seen, [5, 5, 15, 15, 15, 16, 100_016]);
});

test("the machine's time for windows is the same in all threads, and never goes back", () => {
  const [one, other] = [steadyTime(systemClock), steadyTime(systemClock)];
  let last = 0;
  for (let i = 0; i < 1_000; i++) {
    const now = (i % 2 === 0 ? one : other)();
    assert.ok(now >= last);
    last = now;
  }
});
