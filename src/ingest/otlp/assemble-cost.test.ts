/** What the calls of a trace cost: told by telemetry, else by the price book, else unpriced. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { costSourceOf, costUsdOf } from "../../signals/cost.ts";
import { priceBookOf } from "../../signals/price-book.ts";
import { assembleTrace } from "./assemble-trace.ts";
import { type Branch, failure, spansOf } from "./test-spans.ts";

/** One dollar per million tokens in, ten out, a tenth of a dollar from the provider's cache. */
const book = priceBookOf([
  {
    names: ["acme/large", "large"],
    prices: [
      { since: "1970-01-01", inputUsd: 1, outputUsd: 10, cacheReadUsd: 0.1, source: "a list" },
    ],
  },
]);

const large = { kind: "lm", provider: "acme", model: "large" } as const;
const unlisted = { kind: "lm", provider: "acme", model: "unlisted" } as const;
/** Costs 1 + 1 dollar. */
const tokens = { input: 1_000_000, output: 100_000 };

/** @param expected dollars of the request, where they come from, and calls without a price. */
function check(
  tree: Branch,
  expected: readonly [usd: number | null, source: string | null, unpriced: number],
) {
  const [request] = assembleTrace(spansOf(tree), book).requests;
  assert.ok(request);
  const { cost } = request;
  assert.deepEqual([costUsdOf(cost), costSourceOf(cost), cost.unpricedCalls], expected);
}

test("what telemetry tells wins over the price book", () =>
  check({ inside: [{ ...large, tokens, costUsd: 0.5 }] }, [0.5, "told", 0]));
test("without a told cost the price book gives it", () =>
  check({ inside: [{ ...large, tokens }] }, [2, "price_book", 0]));
test("what the provider's cache served is priced as such", () =>
  check({ inside: [{ ...large, tokens: { ...tokens, cacheRead: 1_000_000 } }] }, [
    1.1,
    "price_book",
    0,
  ]));
test("a model without a price is unpriced, not free", () =>
  check({ inside: [{ ...unlisted, tokens }] }, [null, null, 1]));
test("a cost of some of the calls says of how many it is not", () =>
  check(
    {
      inside: [
        { ...large, tokens },
        { ...unlisted, tokens },
      ],
    },
    [2, "price_book", 1],
  ));
test("told and priced add up", () =>
  check(
    {
      inside: [
        { ...large, tokens },
        { ...unlisted, tokens, costUsd: 0.5 },
      ],
    },
    [2.5, "both", 0],
  ));
test("a call without tokens, such as one that failed, is neither priced nor unpriced", () =>
  check({ inside: [{ ...unlisted, ...failure("LMServerError") }] }, [null, null, 0]));
test("an answer of DSPy's cache costs nothing, whatever the model", () =>
  check(
    {
      inside: [
        { ...unlisted, tokens: { input: 0, output: 0 }, costUsd: 0, cacheHit: true },
        { ...large, tokens },
      ],
    },
    [2, "price_book", 0],
  ));
test("no tokens cost nothing", () =>
  check({ inside: [{ ...unlisted, tokens: { input: 0, output: 0 } }] }, [0, "price_book", 0]));

test("what an answer of DSPy's cache saved stands apart from what was paid", () => {
  const hit = { ...large, tokens: { input: 0, output: 0 }, costUsd: 0, cacheHit: true };
  const tree = {
    inside: [
      { ...hit, savedCostUsd: 0.25 },
      { ...large, tokens, costUsd: 1 },
    ],
  };
  const [request] = assembleTrace(spansOf(tree), book).requests;
  assert.deepEqual(request?.cost, {
    toldUsd: 1,
    pricedUsd: null,
    savedUsd: 0.25,
    unpricedCalls: 0,
  });
});

test("LiteLLM's attempt, not the call around it, has the tokens: priced once", () =>
  check({ inside: [{ ...large, inside: [{ ...large, tokens }] }] }, [2, "price_book", 0]));
test("tokens of the call and of its attempt are the same tokens: priced once", () =>
  check({ inside: [{ ...large, tokens, inside: [{ ...large, tokens }] }] }, [2, "price_book", 0]));
test("the cost that an attempt tells wins over the price of the call", () =>
  check({ inside: [{ ...large, tokens, inside: [{ ...large, tokens, costUsd: 0.5 }] }] }, [
    0.5,
    "told",
    0,
  ]));
test("an attempt that names no model is one of the model that was called", () =>
  check({ inside: [{ ...large, inside: [{ kind: "lm", tokens }] }] }, [2, "price_book", 0]));

test("MLflow's total is priced when all calls were of one model", () =>
  check({ totalTokens: tokens, inside: [large, large] }, [2, "price_book", 0]));
test("MLflow's total of one unlisted model makes its calls unpriced", () => {
  const tree = { totalTokens: tokens, inside: [unlisted, unlisted] };
  check(tree, [null, null, 2]);
  const calls = assembleTrace(spansOf(tree), book).moduleCalls.filter(({ kind }) => kind === "lm");
  assert.deepEqual(
    calls.map(({ cost }) => cost.unpricedCalls),
    [1, 1],
  );
});
test("MLflow's total over several models can't be divided: unknown", () =>
  check({ totalTokens: tokens, inside: [large, unlisted] }, [null, null, 0]));
test("MLflow's total without a model call is unknown", () =>
  check({ totalTokens: tokens }, [null, null, 0]));
test("MLflow's total is not added to what the calls tell themselves", () =>
  check({ totalTokens: tokens, inside: [{ ...large, tokens }] }, [2, "price_book", 0]));

test("a request costs what its calls do, and uses the tokens that they do", () => {
  const count = fc.nat({ max: 1_000_000 });
  const call = fc.record({
    ...{ kind: fc.constant("lm" as const), provider: fc.constant("acme") },
    model: fc.constantFrom("large", "unlisted"),
    tokens: fc.option(fc.record({ input: count, output: count }), { nil: null }),
    costUsd: fc.option(fc.double({ min: 0, max: 10, noNaN: true }), { nil: null }),
  });
  fc.assert(
    fc.property(fc.array(call, { maxLength: 6 }), (inside) => {
      const { requests, moduleCalls } = assembleTrace(spansOf({ inside }), book);
      const [request] = requests;
      assert.ok(request);
      const sum = (read: (of: (typeof moduleCalls)[number]) => number) =>
        moduleCalls.reduce((total, of) => total + read(of), 0);
      const near = (a: number, b: number) => assert.ok(Math.abs(a - b) < 1e-9, `${a} ≠ ${b}`);
      near(
        costUsdOf(request.cost) ?? 0,
        sum(({ cost }) => costUsdOf(cost) ?? 0),
      );
      assert.ok((costUsdOf(request.cost) ?? 0) >= 0);
      near(
        request.tokens?.input ?? 0,
        sum(({ tokens }) => tokens?.input ?? 0),
      );
      assert.equal(
        request.cost.unpricedCalls,
        sum(({ cost }) => cost.unpricedCalls),
      );
    }),
  );
});
