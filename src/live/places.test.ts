/** What each module, tool and retriever of an agent is said to have done. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { assembleTrace } from "../ingest/otlp/assemble-trace.ts";
import { type Branch, failure, spansOf } from "../ingest/otlp/test-spans.ts";
import { Places } from "./places.ts";
import { placeOf } from "./test-places.ts";

const nowMs = 1_800_000_000_000;

/** The places after these requests. A branch runs from `at[0]` to `at[1]` ms of its request. */
function after(...requests: Timed[]): Places {
  const places = new Places({ left: 100 });
  requests.forEach((request, index) => {
    places.add(assembleTrace(spansOf(branchOf(request), index * 1_000 + 1)), nowMs);
  });
  return places;
}

type Timed = Omit<Branch, "inside"> & {
  readonly at: readonly [startMs: number, endMs: number];
  readonly inside?: readonly Timed[];
};

function branchOf({ at: [startMs, endMs], inside = [], ...branch }: Timed): Branch {
  const times = { startMs: nowMs - 10_000 + startMs, endMs: nowMs - 10_000 + endMs };
  return { ...branch, ...times, inside: inside.map(branchOf) };
}

const lm = (startMs: number, endMs: number, part: Branch = {}): Timed => ({
  kind: "lm",
  model: "gpt",
  ...part,
  at: [startMs, endMs],
  inside: [],
});

function run(places: Places, path: string) {
  const place = placeOf({ places }, path);
  assert.ok(place, `${path} is a place`);
  return place.run;
}

test("self time is what no module below took: a module's own model calls are in it", () => {
  const places = after({
    path: "self",
    at: [0, 1_000],
    inside: [
      { path: "self.retrieve", kind: "retriever", at: [100, 300] },
      { path: "self.generate", at: [300, 900], inside: [lm(320, 880)] },
    ],
  });
  assert.deepEqual(run(places, "self").selfMs.percentiles(), { p50: 200, p95: 200, p99: 200 });
  assert.equal(run(places, "self.generate").selfMs.sum, 600);
  assert.equal(run(places, "self.generate").lmMs, 560);
  assert.equal(run(places, "self.retrieve").selfMs.sum, 200);
});

test("self time has percentiles of its own, also where only some calls had modules below", () => {
  const alone: Timed = { path: "self", at: [0, 100] };
  const called: Timed = {
    path: "self",
    at: [0, 1_000],
    inside: [{ path: "self.a", at: [10, 990] }],
  };
  for (const requests of [
    [alone, alone, called],
    [called, alone, alone],
  ]) {
    const { latencyMs, selfMs } = run(after(...requests), "self");
    assert.deepEqual(latencyMs.percentiles(), { p50: 100, p95: 1_000, p99: 1_000 });
    assert.deepEqual(selfMs.percentiles(), { p50: 100, p95: 100, p99: 100 });
    assert.equal(selfMs.sum, 220);
  }
});

test("model calls side by side take no more of a module than it lasted", () => {
  const places = after({ path: "self", at: [0, 500], inside: [lm(0, 500), lm(0, 500)] });
  assert.equal(run(places, "self").selfMs.sum, 500);
  assert.equal(run(places, "self").lmCalls, 2);
});

test("model calls count in the module that made them, so that rows add up", () => {
  const places = after({
    path: "self",
    at: [0, 900],
    inside: [lm(0, 100), { path: "self.a", at: [100, 900], inside: [lm(100, 200), lm(200, 300)] }],
  });
  assert.deepEqual([run(places, "self").lmCalls, run(places, "self.a").lmCalls], [1, 2]);
});

test("an answer that could not be read counts where it was asked for, also when a fallback read it", () => {
  const unread = { kind: "adapter", ...failure("AdapterParseError") } as const;
  const places = after({
    path: "self",
    at: [0, 900],
    inside: [
      {
        path: "self.a",
        at: [0, 900],
        inside: [
          { ...unread, name: "ChatAdapter.__call__", at: [0, 400], inside: [lm(0, 390)] },
          { kind: "adapter", name: "JSONAdapter.__call__", at: [400, 900], inside: [lm(400, 890)] },
        ],
      },
    ],
  });
  assert.deepEqual([run(places, "self.a").parseFailures, run(places, "self.a").failed], [1, 0]);
  assert.equal(run(places, "self").parseFailures, 0);
});

test("a tool that failed counts with the module that called it, also when that went on", () => {
  const tool = (part: Branch): Timed => ({
    kind: "tool",
    name: "look_up",
    ...part,
    at: [0, 9],
    inside: [],
  });
  const places = after({
    path: "self",
    at: [0, 900],
    inside: [tool(failure("KeyError")), tool(failure("KeyError")), tool({})],
  });
  const { toolFailures, failed } = run(places, "self");
  assert.deepEqual([toolFailures, failed], [2, 0]);
  assert.deepEqual([run(places, "look_up").calls, run(places, "look_up").failed], [3, 2]);
});

test("each release has figures of its own", () => {
  const places = after(
    { path: "self", at: [0, 100], release: "r1", modelVersion: "1" },
    {
      path: "self",
      at: [0, 300],
      release: "r2",
      modelVersion: "2",
      inside: [{ path: "self.a", modelVersion: "2", at: [0, 100] }],
    },
  );
  const over = (path: string) =>
    placeOf({ places }, path)?.slices.over(nowMs - 60_000, nowMs, nowMs);
  const r2 = ({ release }: { release: string | null }) => release === "r2";
  assert.equal(over("self")?.sum().calls, 2);
  assert.equal(over("self")?.sum(r2).latencyMs.sum, 300);
  assert.equal(over("self.a")?.sum(r2).calls, 1, "what was called in a request is of its release");
});
