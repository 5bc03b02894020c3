import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  emptyPriceBook,
  type ModelPrices,
  priceBookOf,
  priceOf,
  withModels,
} from "./price-book.ts";
import type { Tokens } from "./request.ts";

const source = "the list";

/** Prices that are easy to reckon: powers of ten per million. */
const listed: readonly ModelPrices[] = [
  {
    names: ["large", "acme/large", "acme/large-2026-01-01"],
    prices: [
      { since: "2026-01-01", inputUsd: 10, outputUsd: 100, source },
      {
        since: "2026-06-01",
        inputUsd: 1,
        outputUsd: 10,
        cacheReadUsd: 0.1,
        cacheWriteUsd: 2,
        source,
      },
    ],
  },
  { names: ["other/large"], prices: [{ since: "2026-01-01", inputUsd: 7, outputUsd: 7, source }] },
  {
    names: ["acme/short"],
    prices: [{ since: "2026-01-01", inputUsd: 1, outputUsd: 1, upToInputTokens: 200_000, source }],
  },
  { names: ["acme/free"], prices: [{ since: "2026-01-01", inputUsd: 0, outputUsd: 0, source }] },
];
const book = priceBookOf(listed);
const million: Tokens = { input: 1e6, output: 0 };

/** @param name `provider/model`, or a model whose provider is not told. */
function check(name: string, used: Tokens, time: string, expected: number | string, inBook = book) {
  const end = name.lastIndexOf("/");
  const model = { provider: end < 0 ? null : name.slice(0, end), model: name.slice(end + 1) };
  const pricing = priceOf(inBook, model, used, Date.parse(time));
  const told = pricing.kind === "priced" ? Number(pricing.usd.toFixed(12)) : pricing.reason;
  assert.equal(told, expected);
}

const june = "2026-06-15T12:00:00Z";

test("input and output have prices of their own", () =>
  check("acme/large", { input: 2_000, output: 300 }, june, 0.005));
test("a fraction of a cent is not rounded away", () =>
  check("acme/large", { input: 1, output: 0 }, june, 0.000001));
test("no tokens cost nothing", () => check("acme/large", { input: 0, output: 0 }, june, 0));
test("a model may be free", () => check("acme/free", million, june, 0));
test("what the provider's cache served has its own price, and is counted once", () =>
  check("acme/large", { input: 1e6, output: 0, cacheRead: 4e5 }, june, 0.64));
test("what is written to the provider's cache has its own price, and is counted once", () =>
  check("acme/large", { input: 1e6, output: 0, cacheRead: 4e5, cacheWrite: 1e5 }, june, 0.74));
test("all of the input may come from the cache", () =>
  check("acme/large", { input: 1e6, output: 0, cacheRead: 1e6 }, june, 0.1));
test("told that the cache served nothing, the rest is as usual", () =>
  check("acme/short", { input: 1e5, output: 0, cacheRead: 0, cacheWrite: 0 }, june, 0.1));
test("a cache without a price leaves the call unpriced", () =>
  check("acme/short", { input: 1e5, output: 0, cacheRead: 10 }, june, "cache_unpriced"));

test("the price of the day counts: before a change", () =>
  check("acme/large", million, "2026-05-31T23:59:59.999Z", 10));
test("the price of the day counts: from its first moment", () =>
  check("acme/large", million, "2026-06-01T00:00:00Z", 1));
test("before its first price a model has none", () =>
  check("acme/large", million, "2025-12-31T23:59:59Z", "before_first_price"));

test("an alias is the same model", () => check("acme/large-2026-01-01", million, june, 1));
test("a model is found by its name alone where telemetry tells no provider", () =>
  check("large", million, june, 1));
test("the same name at another provider is another price", () =>
  check("other/large", million, june, 7));
test("a provider that is not listed has no price, whatever the model is called", () =>
  check("elsewhere/large", million, june, "unknown_model"));
for (const sibling of ["acme/large-2026-02-02", "acme/large-mini", "acme/larg", "acme/Large"]) {
  test(`a model is never priced as its sibling: ${sibling}`, () =>
    check(sibling, million, june, "unknown_model"));
}
test("a call without a model has no price", () =>
  assert.equal(priceOf(book, { provider: "acme", model: null }, million, 0).kind, "unpriced"));
test("an empty book prices nothing", () =>
  check("acme/large", million, june, "unknown_model", emptyPriceBook));

test("a price that ends at a length holds up to it", () =>
  check("acme/short", { input: 200_000, output: 0 }, june, 0.2));
test("beyond the length that a price holds for there is none", () =>
  check("acme/short", { input: 200_001, output: 0 }, june, "long_input"));

const own = (name: string): ModelPrices[] => [
  { names: [name], prices: [{ since: "2026-06-01", inputUsd: 5, outputUsd: 5, source: "ours" }] },
];

test("a model of the user's replaces the built-in one with all its prices", () => {
  const merged = withModels(book, own("acme/large"));
  check("acme/large", million, june, 5, merged);
  check("acme/large", million, "2026-02-02T00:00:00Z", "before_first_price", merged);
});
test("the other models stay as they are", () =>
  check("acme/free", million, june, 0, withModels(book, own("acme/large"))));
test("with a provider it is for that provider only", () =>
  check("other/large", million, june, 7, withModels(book, own("acme/large"))));
test("without a provider it is for every provider", () => {
  const merged = withModels(book, own("large"));
  for (const name of ["large", "acme/large", "other/large", "new/large"]) {
    check(name, million, june, 5, merged);
  }
});
test("of the user's own, the one with a provider is nearer", () => {
  const merged = withModels(book, [...own("large"), ...own("acme/large").map(free)]);
  check("acme/large", million, june, 0, merged);
  check("other/large", million, june, 5, merged);
});

function free(model: ModelPrices): ModelPrices {
  return { ...model, prices: [{ since: "2026-01-01", inputUsd: 0, outputUsd: 0, source }] };
}

// ─── Properties ─────────────────────────────────────────────────────────────

const count = fc.nat({ max: 2_000_000 });
/** What a provider can tell: the parts are part of the input. */
const used = fc
  .record({ fresh: count, cacheRead: count, cacheWrite: count, output: count })
  .map(({ fresh, cacheRead, cacheWrite, output }) => ({
    input: fresh + cacheRead + cacheWrite,
    output,
    cacheRead,
    cacheWrite,
  }));
const usdOf = (tokens: Tokens) => {
  const pricing = priceOf(book, { provider: "acme", model: "large" }, tokens, Date.parse(june));
  return pricing.kind === "priced" ? pricing.usd : Number.NaN;
};

test("cost is additive: two calls cost what one with the tokens of both does", () => {
  fc.assert(
    fc.property(used, used, (one, other) => {
      const both = {
        input: one.input + other.input,
        output: one.output + other.output,
        cacheRead: one.cacheRead + other.cacheRead,
        cacheWrite: one.cacheWrite + other.cacheWrite,
      };
      assert.ok(Math.abs(usdOf(both) - usdOf(one) - usdOf(other)) < 1e-9);
    }),
  );
});

test("every token counts once: at one price for all, only how many there are matters", () => {
  const flat = priceBookOf([
    {
      names: ["flat"],
      prices: [
        {
          since: "2026-01-01",
          inputUsd: 3,
          outputUsd: 3,
          cacheReadUsd: 3,
          cacheWriteUsd: 3,
          source,
        },
      ],
    },
  ]);
  fc.assert(
    fc.property(used, (tokens) => {
      const pricing = priceOf(flat, { provider: null, model: "flat" }, tokens, Date.parse(june));
      assert.ok(pricing.kind === "priced");
      assert.ok(Math.abs(pricing.usd - ((tokens.input + tokens.output) * 3) / 1e6) < 1e-9);
    }),
  );
});

test("a cost is never negative, even of parts that are more than the whole", () => {
  fc.assert(
    fc.property(count, count, count, count, (input, output, cacheRead, cacheWrite) => {
      assert.ok(usdOf({ input, output, cacheRead, cacheWrite }) >= 0);
    }),
  );
});
