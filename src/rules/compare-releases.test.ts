/** What two releases are said to be; how often that is right stands in `compare-releases-rates.test.ts`. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  compareReleases,
  type MetricComparison,
  metrics,
  type ReleaseComparison,
  type ReleaseSample,
  SAMPLES_MAX,
  type Verdict,
} from "./compare-releases.ts";
import { drawRelease, lognormal, seeded } from "./test-releases.ts";

const all = (value: number, length: number) => new Array<number>(length).fill(value);

/** Two hundred requests, each the same, none failed. */
const even: ReleaseSample = {
  release: "3ab90e1c44",
  requests: 200,
  failed: 0,
  latenciesMs: all(900, 200),
  tokensPerRequest: all(1_000, 200),
  costUsdPerRequest: all(0.003, 200),
  predictors: new Map(),
};

function verdicts({ metrics: byMetric }: ReleaseComparison): string {
  return metrics.map((metric) => byMetric[metric].verdict).join(" ");
}

function check(before: Partial<ReleaseSample>, after: Partial<ReleaseSample>, expected: string) {
  assert.equal(verdicts(compareReleases({ ...even, ...before }, { ...even, ...after })), expected);
}

const same = "no_difference no_difference no_difference no_difference";

test("a release does not differ from itself", () => check({}, {}, same));
test("each figure has its own verdict", () =>
  check(
    {},
    {
      latenciesMs: all(1_200, 200),
      failed: 20,
      tokensPerRequest: all(800, 200),
    },
    "worse worse better no_difference",
  ));
test("what is certain but less than 2 % is no difference", () =>
  check({}, { latenciesMs: all(915, 200), tokensPerRequest: all(1_015, 200) }, same));
test("an alarm is raised for worse, not for better", () => {
  const slower = { ...even, latenciesMs: all(1_200, 200) };
  assert.equal(compareReleases(even, slower).alarm, true);
  assert.equal(compareReleases(slower, even).alarm, false);
});
test("figures that telemetry does not tell are not compared, and say nothing", () => {
  const untold = { tokensPerRequest: null, costUsdPerRequest: null };
  check({}, untold, "no_difference no_difference not_enough not_enough");
  const { tokensPerRequest } = compareReleases({ ...even, ...untold }, even).metrics;
  assert.deepEqual(tokensPerRequest, {
    before: null,
    after: 1_000,
    relativeChange: null,
    interval: null,
    verdict: "not_enough",
    samples: { before: 0, after: 200 },
    leftOut: { before: 0, after: 0 },
  });
});
test("what is not compared leaves its share of the error to the others", () => {
  const width = ({ interval }: MetricComparison) => (interval ? interval.high - interval.low : 0);
  const random = seeded(3);
  const traffic = { requests: 500, errorRate: 0.02, latency: lognormal(0.4), tokens: lognormal(1) };
  const [before, after] = [drawRelease(traffic, random), drawRelease(traffic, random)];
  const untold = { ...after, tokensPerRequest: null, costUsdPerRequest: null };
  const [four, two] = [compareReleases(before, after), compareReleases(before, untold)];
  assert.ok(width(two.metrics.latencyP95Ms) < width(four.metrics.latencyP95Ms));
  assert.ok(width(two.metrics.errorRate) < width(four.metrics.errorRate));
});

test("with 99 requests it is not enough yet, and one is missing", () => {
  const few = {
    requests: 99,
    latenciesMs: all(900, 99),
    tokensPerRequest: all(5_000, 99),
    costUsdPerRequest: all(9, 99),
  };
  check({}, few, "not_enough not_enough not_enough not_enough");
  const comparison = compareReleases({ ...even, ...few }, even);
  assert.deepEqual(comparison.missingRequests, { before: 1, after: 0 });
  assert.equal(comparison.alarm, false);
  assert.equal(comparison.metrics.latencyP95Ms.before, 900);
});
test("latencies of too few of the requests are not enough, though their failures are", () =>
  check({}, { latenciesMs: all(900, 99) }, "not_enough no_difference no_difference no_difference"));

test("latencies that cannot be are left out and counted", () => {
  const bad = [Number.NaN, -1, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e300];
  const { latencyP95Ms } = compareReleases(even, {
    ...even,
    latenciesMs: [...bad, ...all(900, 195)],
  }).metrics;
  assert.equal(latencyP95Ms.after, 900);
  assert.equal(latencyP95Ms.verdict, "no_difference");
  assert.deepEqual(latencyP95Ms.samples, { before: 200, after: 195 });
  assert.deepEqual(latencyP95Ms.leftOut, { before: 0, after: 5 });
});
test("there were at least as many requests as latencies", () =>
  assert.deepEqual(compareReleases({ ...even, requests: 50 }, even).requests, {
    before: 200,
    after: 200,
  }));
for (const failed of [201, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
  test(`${failed} failures of 200 requests are not believed`, () => {
    const { errorRate } = compareReleases(even, { ...even, failed }).metrics;
    assert.equal(errorRate.after, null);
    assert.equal(errorRate.verdict, "not_enough");
  });
}
test("from no failure at all there is no relative change, but a difference", () => {
  const { errorRate } = compareReleases(even, { ...even, failed: 20 }).metrics;
  assert.equal(errorRate.relativeChange, null);
  assert.equal(errorRate.verdict, "worse");
  assert.ok(errorRate.interval && errorRate.interval.low > 0.03 && errorRate.interval.high < 0.2);
});
test("one failure more is chance", () => check({}, { failed: 1 }, same));
test("releases without any sample are compared without a word", () => {
  const nothing = {
    requests: 0,
    failed: 0,
    latenciesMs: [],
    tokensPerRequest: [],
    costUsdPerRequest: [],
  };
  check(nothing, nothing, "not_enough not_enough not_enough not_enough");
});

function changes(before: Record<string, string>, after: Record<string, string>) {
  const [was, is] = [before, after].map((predictors) => new Map(Object.entries(predictors)));
  return compareReleases(
    { ...even, predictors: was ?? new Map() },
    { ...even, predictors: is ?? new Map() },
  ).changedPredictors?.map(({ path, change }) => `${path} ${change}`);
}

test("predictors are changed, added or removed, in order", () =>
  assert.deepEqual(
    changes(
      { "self.rewrite": "a", "self.rank": "b", "self.answer": "c" },
      { "self.answer": "c", "self.rewrite": "x", "self.judge": "d" },
    ),
    ["self.judge added", "self.rank removed", "self.rewrite changed"],
  ));
test("the same predictors have not changed", () =>
  assert.deepEqual(changes({ self: "a" }, { self: "a" }), []));
test("without predictors of both it is not known what changed", () => {
  assert.equal(changes({}, { self: "a" }), undefined);
  assert.equal(changes({ self: "a" }, {}), undefined);
});

test("a million latencies are thinned out evenly", () => {
  const random = seeded(4);
  const some = Array.from({ length: 1_000_000 }, () => 1_000 * random());
  const { latencyP95Ms } = compareReleases(even, { ...even, latenciesMs: some }).metrics;
  assert.equal(latencyP95Ms.samples.after, SAMPLES_MAX);
  assert.ok(Math.abs((latencyP95Ms.after ?? 0) - 950) < 5);
});
test("thinning out is not misled by traffic with a beat", () => {
  const beat = Array.from({ length: 10 * SAMPLES_MAX }, (_, index) => (index % 10 === 0 ? 9 : 1));
  const { tokensPerRequest } = compareReleases(even, { ...even, tokensPerRequest: beat }).metrics;
  assert.ok(Math.abs((tokensPerRequest.after ?? 0) - 1.8) < 0.02, `${tokensPerRequest.after}`);
});

/** Two releases that are alike, worse or better, of any size. */
const anyPair = fc
  .record({
    seed: fc.integer(),
    before: fc.integer({ min: 90, max: 400 }),
    after: fc.integer({ min: 90, max: 400 }),
    factor: fc.constantFrom(0.5, 0.8, 1, 1, 1.3, 2),
    errorRate: fc.constantFrom(0, 0.02, 0.2),
  })
  .map(({ seed, before, after, factor, errorRate }) => {
    const random = seeded(seed);
    const draw = lognormal(0.4);
    return [
      drawRelease({ requests: before, errorRate: 0.02, latency: draw, tokens: draw }, random),
      drawRelease(
        {
          requests: after,
          errorRate,
          latency: (next) => factor * draw(next),
          tokens: (next) => factor * draw(next),
        },
        random,
      ),
    ] as const;
  });

const near = (actual: number | null | undefined, expected: number | null | undefined) =>
  assert.ok(
    actual === expected ||
      Math.abs((actual ?? Number.NaN) - (expected ?? Number.NaN)) <=
        1e-9 * Math.max(1, Math.abs(expected ?? 0)),
    `${actual} ${expected}`,
  );

const mirrored: Readonly<Record<Verdict, Verdict>> = {
  worse: "better",
  better: "worse",
  no_difference: "no_difference",
  not_enough: "not_enough",
};

test("swapping the two releases mirrors every verdict and interval", () => {
  fc.assert(
    fc.property(anyPair, ([before, after]) => {
      const [there, back] = [compareReleases(before, after), compareReleases(after, before)];
      for (const metric of metrics) {
        const [one, other] = [there.metrics[metric], back.metrics[metric]];
        assert.equal(other.verdict, mirrored[one.verdict]);
        const mirror = (change: number) =>
          metric === "errorRate" ? -change : 1 / (1 + change) - 1;
        near(other.interval?.low, one.interval ? mirror(one.interval.high) : undefined);
      }
    }),
    { numRuns: 200 },
  );
});

test("the order of samples does not matter", () => {
  fc.assert(
    fc.property(anyPair, ([before, after]) => {
      const turned = (values: readonly number[] | null) =>
        values && [...values.slice(7).reverse(), ...values.slice(0, 7)];
      const other = compareReleases(before, {
        ...after,
        latenciesMs: turned(after.latenciesMs) ?? [],
        tokensPerRequest: turned(after.tokensPerRequest),
        costUsdPerRequest: turned(after.costUsdPerRequest),
      });
      const one = compareReleases(before, after);
      assert.equal(verdicts(other), verdicts(one));
      assert.deepEqual(other.metrics.latencyP95Ms, one.metrics.latencyP95Ms);
      near(other.metrics.tokensPerRequest.after, one.metrics.tokensPerRequest.after);
      near(
        other.metrics.tokensPerRequest.interval?.low,
        one.metrics.tokensPerRequest.interval?.low,
      );
    }),
    { numRuns: 200 },
  );
});

test("another unit of time scales both p95s and changes nothing else", () => {
  fc.assert(
    fc.property(anyPair, fc.constantFrom(0.001, 0.7, 3, 1000), ([before, after], factor) => {
      const scaled = (sample: ReleaseSample) => ({
        ...sample,
        latenciesMs: sample.latenciesMs.map((ms) => ms * factor),
      });
      const one = compareReleases(before, after);
      const other = compareReleases(scaled(before), scaled(after));
      assert.equal(verdicts(other), verdicts(one));
      const [p95, p95Scaled] = [one.metrics.latencyP95Ms, other.metrics.latencyP95Ms];
      near(p95Scaled.before, (p95.before ?? 0) * factor);
      near(p95Scaled.after, (p95.after ?? 0) * factor);
      near(p95Scaled.relativeChange, p95.relativeChange);
      near(p95Scaled.interval?.high, p95.interval?.high);
    }),
    { numRuns: 200 },
  );
});

test("worse and better lie wholly on one side of no change", () => {
  fc.assert(
    fc.property(anyPair, ([before, after]) => {
      for (const { verdict, interval } of Object.values(compareReleases(before, after).metrics)) {
        if (verdict === "worse") assert.ok(interval && interval.low > 0);
        if (verdict === "better") assert.ok(interval && interval.high < 0);
      }
    }),
    { numRuns: 200 },
  );
});

test("whatever comes in, what comes out is a number or null", () => {
  const numbers = fc.array(
    fc.oneof(
      fc.double(),
      fc.double({ min: 0, max: 10 }),
      fc.constantFrom(0, 0, 5e-324, 1, 2 ** 53),
    ),
    { minLength: 0, maxLength: 150 },
  );
  // Repeated, so that most are enough to be compared.
  const many = numbers.map((values) => [...values, ...values, ...values]);
  const anything = fc.record({
    release: fc.string(),
    requests: fc.oneof(fc.double(), fc.maxSafeNat()),
    failed: fc.oneof(fc.double(), fc.nat(500)),
    latenciesMs: many,
    tokensPerRequest: fc.option(many),
    costUsdPerRequest: fc.option(many),
    predictors: fc.constant(new Map<string, string>()),
  });
  fc.assert(
    fc.property(anything, anything, (before, after) => {
      for (const { verdict, ...told } of Object.values(compareReleases(before, after).metrics)) {
        const figures = [told.before, told.after, told.relativeChange];
        for (const figure of [...figures, told.interval?.low ?? null, told.interval?.high ?? null])
          assert.ok(figure === null || Number.isFinite(figure), `${verdict} ${figure}`);
      }
    }),
    { numRuns: 500 },
  );
});

test("nonsense options are a bug of the caller", () => {
  assert.throws(() => compareReleases(even, even, { familyAlpha: 0 }), /familyAlpha/);
  assert.throws(() => compareReleases(even, even, { leastChange: Number.NaN }), /leastChange/);
});
