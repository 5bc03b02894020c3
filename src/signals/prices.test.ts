import assert from "node:assert/strict";
import { test } from "node:test";
import { expectedCaptures } from "../../test/captures.expected.ts";
import { priceOf } from "./price-book.ts";
import { builtInPriceBook, modelsOf, priceLists } from "./prices.ts";

const rows = priceLists.flatMap((list) => list.prices.map((price) => ({ list, price })));

test("no name has prices of two lists", () => {
  const names = priceLists.flatMap(modelsOf).flatMap(({ names }) => names);
  const twice = names.filter((name, index) => names.indexOf(name) !== index);
  assert.deepEqual(twice, []);
});

test("a model whose price changed has the same names at each, and one price a day", () => {
  for (const { prices } of priceLists) {
    for (const [model, ofModel] of Map.groupBy(prices, ({ model }) => model)) {
      const aliases = new Set(ofModel.map(({ aliases = [] }) => aliases.join()));
      const days = new Set(ofModel.map(({ since }) => since));
      assert.deepEqual([aliases.size, days.size], [1, ofModel.length], model);
    }
  }
});

for (const { list, price } of rows) {
  test(`${list.seller}: ${price.model} since ${price.since} is a price`, () => {
    const { inputUsd, outputUsd, cacheReadUsd = 0, cacheWriteUsd = inputUsd } = price;
    for (const day of [price.since, price.asOf ?? list.asOf]) {
      assert.match(day, /^20\d\d-\d\d-\d\d$/);
      assert.equal(new Date(day).toISOString().slice(0, 10), day);
    }
    assert.ok(inputUsd > 0 && outputUsd >= inputUsd, "output costs at least what input does");
    assert.ok(cacheReadUsd < inputUsd, "reading from the cache is cheaper than input");
    // Some providers take nothing extra for it, none takes more than twice as much.
    assert.ok(cacheWriteUsd >= inputUsd && cacheWriteUsd <= 2 * inputUsd);
  });
}

/** @param name as DSPy and LiteLLM write it. */
function check(name: string, day: string, usdPerMillionIn: number | null) {
  const end = name.lastIndexOf("/");
  const model = { provider: end < 0 ? null : name.slice(0, end), model: name.slice(end + 1) };
  const tokens = { input: 100_000, output: 0 };
  const pricing = priceOf(builtInPriceBook, model, tokens, Date.parse(day));
  assert.equal(
    pricing.kind === "priced" ? Number((pricing.usd * 10).toFixed(9)) : null,
    usdPerMillionIn,
  );
}

const cases: readonly [name: string, day: string, usdPerMillionIn: number | null][] = [
  ["databricks/databricks-claude-sonnet-4-5", "2026-11-01", 3],
  ["databricks-claude-sonnet-4-5", "2026-11-01", 3],
  ["openai/databricks-claude-sonnet-4-5", "2026-11-01", 3],
  ["databricks/databricks-meta-llama-3-3-70b-instruct", "2025-06-01", 1],
  ["databricks/databricks-meta-llama-3-3-70b-instruct", "2026-06-01", 0.5],
  ["openai/gpt-4o-mini", "2026-11-01", 0.15],
  ["openai/gpt-4o-mini-2024-07-18", "2026-11-01", 0.15],
  ["openai/gpt-4o-2024-05-13", "2026-11-01", 5],
  ["openai/o3", "2025-06-09", 10],
  ["openai/o3", "2025-06-10", 2],
  ["azure/gpt-4.1", "2026-11-01", 2],
  ["anthropic/claude-haiku-4-5", "2026-11-01", 1],
  ["gemini/gemini-3.8-flash", "2026-12-31T23:59:59Z", 0.75],
  ["gemini/gemini-3.8-flash", "2027-01-01", 1.5],
  ["vertex_ai/gemini-2.5-flash", "2026-11-01", 0.3],
  ["mistral/mistral-large-2512", "2026-11-01", 0.5],
  ["cohere_chat/command-a-03-2025", "2026-11-01", 2.5],
  ["bedrock/anthropic.claude-sonnet-4-5-20250929-v1:0", "2026-11-01", 3],
  ["bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0", "2026-11-01", 3.3],
  // Elsewhere the same weights have other prices, or none.
  ["groq/llama-3.3-70b-versatile", "2026-11-01", null],
  ["ollama/gpt-oss:20b", "2026-11-01", null],
  ["openrouter/openai/gpt-4o-mini", "2026-11-01", null],
  ["azure/our-deployment", "2026-11-01", null],
  ["openai/stub", "2026-11-01", null],
  ["openai/ft:gpt-4o-mini-2024-07-18:acme::abc", "2026-11-01", null],
  ["mistral/mistral-large-latest", "2026-11-01", null],
];
for (const [name, day, usd] of cases) {
  test(`${name} on ${day} costs ${usd ?? "nobody knows what"}`, () => check(name, day, usd));
}

test("the book gives what DSPy itself told of the recorded calls", () => {
  const model = { provider: "openai", model: "gpt-4o-mini" };
  const told = expectedCaptures.filter(({ toldCostUsd }) => toldCostUsd !== null);
  assert.ok(told.length > 10);
  for (const { file, tokens, toldCostUsd } of told) {
    assert.ok(tokens && toldCostUsd !== null);
    const pricing = priceOf(builtInPriceBook, model, tokens, Date.parse("2026-07-24"));
    assert.ok(pricing.kind === "priced");
    assert.equal(pricing.usd.toFixed(12), toldCostUsd.toFixed(12), file);
  }
});
