import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { assembleTrace } from "../ingest/otlp/assemble-trace.ts";
import { spansOf } from "../ingest/otlp/test-spans.ts";
import { unknownCost } from "../signals/cost.ts";
import type { ReleaseName } from "./by-release.ts";
import {
  addReleases,
  RELEASE_SAMPLES_MAX,
  RELEASES_MAX,
  Releases,
  type SeenRequest,
} from "./releases.ts";

type CountedRequest = SeenRequest & { readonly program: string };

/** The n-th request, which takes n milliseconds and ends at n seconds. */
function request(n: number, part: Partial<CountedRequest> = {}): CountedRequest {
  return {
    eventId: `${n.toString(16).padStart(32, "0")}:${n.toString(16).padStart(16, "0")}`,
    timeMs: n * 1_000,
    release: "r1",
    modelVersion: null,
    program: "Rag",
    latencyMs: n,
    tokens: null,
    cost: unknownCost,
    errorClass: null,
    ...part,
  };
}

function after(requests: readonly CountedRequest[]): Releases {
  const releases = new Releases();
  for (const one of requests) releases.of(one)?.add(one);
  return releases;
}

test("a release follows the one of the same program, not of another one beside it", () => {
  const releases = after([
    request(1, { program: "Rag", release: "rag1" }),
    request(2, { program: "Triage", release: "triage1" }),
    request(3, { program: "Rag", release: "rag2" }),
  ]);
  assert.deepEqual(
    releases.all().map((seen) => [seen.name.release, releases.before(seen)?.name.release ?? null]),
    [
      ["rag1", null],
      ["triage1", null],
      ["rag2", "rag1"],
    ],
  );
});

test("the same version of a model is another release in another program", () => {
  const version = { release: null, modelVersion: "3" };
  const releases = after([
    request(1, { ...version, program: "Rag" }),
    request(2, { ...version, program: "Triage" }),
  ]);
  assert.deepEqual(
    releases.all().map(({ program, requests }) => [program, requests]),
    [
      ["Rag", 1],
      ["Triage", 1],
    ],
  );
});

test("a request that lost its beginning is of no release: it does not tell its program", () => {
  const [, inner] = spansOf({ modelVersion: "3", inside: [{ modelVersion: "3" }] });
  assert.ok(inner);
  const releases = new Releases();
  assert.deepEqual(addReleases(releases, assembleTrace([inner])), []);
  assert.deepEqual(releases.all(), []);
});

const numbers = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

test("requests, failures and times of each release", () => {
  const releases = after([
    request(1),
    request(2, { errorClass: "tool" }),
    request(3, { release: "r2" }),
    request(4, { errorClass: "client" }),
  ]);
  assert.deepEqual(
    releases.all().map(({ name, requests, failed, firstMs, lastMs }) => ({
      ...name,
      requests,
      failed,
      firstMs,
      lastMs,
    })),
    [
      { release: "r1", modelVersion: null, requests: 3, failed: 1, firstMs: 1_000, lastMs: 4_000 },
      { release: "r2", modelVersion: null, requests: 1, failed: 0, firstMs: 3_000, lastMs: 3_000 },
    ],
  );
});

const names: [string, ReleaseName, ReleaseName, number][] = [
  ["the same", { release: "a", modelVersion: "1" }, { release: "a", modelVersion: "1" }, 1],
  ["another state", { release: "a", modelVersion: "1" }, { release: "b", modelVersion: "1" }, 2],
  ["another version", { release: "a", modelVersion: "1" }, { release: "a", modelVersion: "2" }, 2],
  [
    "versions alone, where the state is not told",
    { release: null, modelVersion: "1" },
    { release: null, modelVersion: "2" },
    2,
  ],
  [
    "none is named",
    { release: null, modelVersion: null },
    { release: null, modelVersion: null },
    0,
  ],
];
for (const [name, first, second, expected] of names) {
  test(`a release is a state in a version: ${name}`, () => {
    assert.equal(after([request(1, first), request(2, second)]).all().length, expected);
  });
}

test("the release not seen for longest makes room", () => {
  const releases = after(
    numbers(RELEASES_MAX + 2).map((n) => request(n, { release: n === 1 ? "r1" : `r${n}` })),
  );
  const kept = releases.all().map(({ name }) => name.release);
  assert.equal(kept.length, RELEASES_MAX);
  assert.equal(kept.includes("r1") || kept.includes("r2"), false);
});

test("few requests are all kept", () => {
  const [release] = after(numbers(RELEASE_SAMPLES_MAX).map((n) => request(n))).all();
  assert.equal(release?.sample().latenciesMs.length, RELEASE_SAMPLES_MAX);
});

test("of many requests a sample is kept that is spread over all of them", () => {
  const count = 50_000;
  const [release] = after(numbers(count).map((n) => request(n))).all();
  const latencies = release?.sample().latenciesMs ?? [];
  assert.equal(latencies.length, RELEASE_SAMPLES_MAX);
  for (let tenth = 0; tenth < 10; tenth++) {
    const from = (tenth * count) / 10;
    const share = latencies.filter((ms) => ms > from && ms <= from + count / 10).length;
    assert.ok(share > 60 && share < 145, `${share} of the ${tenth + 1}th tenth`);
  }
});

test("the sample is the same in whatever order requests come", () => {
  const many = numbers(3 * RELEASE_SAMPLES_MAX);
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const shuffled = many
        .map((n) => ({ n, at: Math.imul(n ^ seed, 0x9e3779b1) }))
        .sort((a, b) => a.at - b.at)
        .map(({ n }) => n);
      const sampled = (order: readonly number[]) =>
        after(order.map((n) => request(n)))
          .all()[0]
          ?.sample()
          .latenciesMs.toSorted((a, b) => a - b);
      assert.deepEqual(sampled(shuffled), sampled(many));
    }),
    { numRuns: 10 },
  );
});

test("predictors are those that were seen last, and bounded", () => {
  const seen = new Releases().of({ release: "r1", modelVersion: null, program: "Rag" });
  assert.ok(seen);
  for (let n = 0; n < 1_000; n++) seen.addPredictor(`self.p${n}`, "h");
  seen.addPredictor("self.p0", "h2");
  assert.equal(seen.predictors.size, 200);
  assert.equal(seen.predictors.get("self.p0"), "h2");
});

test("tokens and cost are of the requests that tell them", () => {
  const [release] = after([
    request(1, { tokens: { input: 10, output: 5 }, cost: { ...unknownCost, toldUsd: 0.5 } }),
    request(2),
  ]).all();
  assert.deepEqual(release?.sample(), { latenciesMs: [1, 2], tokens: [15], costsUsd: [0.5] });
});

test("all agents share the room, and an agent that goes gives its own back", () => {
  const room = { left: 3 };
  const [one, other] = [new Releases(room), new Releases(room)];
  for (const release of ["a", "b"])
    one.of({ release, modelVersion: null, program: "Rag" })?.add(request(1));
  other.of({ release: "c", modelVersion: null, program: "Rag" })?.add(request(1));
  const third = new Releases(room);
  assert.equal(
    third.of({ release: "d", modelVersion: null, program: "Rag" }),
    null,
    "there is no room at all",
  );
  assert.ok(
    one.of({ release: "e", modelVersion: null, program: "Rag" }),
    "its own oldest makes room",
  );
  assert.equal(one.all().length, 2);
  one.clear();
  assert.ok(third.of({ release: "d", modelVersion: null, program: "Rag" }));
});
