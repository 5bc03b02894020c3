import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MonitorError } from "../../monitor-error.ts";
import { priceOf } from "../../signals/price-book.ts";
import { PRICE_BOOK_LENGTH_MAX, parsePriceBook, readPriceBook } from "./read-price-book.ts";

const price = {
  since: "2026-01-01",
  input_usd_per_million: 0.5,
  output_usd_per_million: 1.5,
};
const model = { model: "databricks/our-llama", prices: [price] };

test("a whole price book is read", () => {
  const whole = {
    models: [
      {
        model: "databricks/our-llama",
        aliases: ["our-llama"],
        prices: [
          {
            ...price,
            cache_read_usd_per_million: 0.05,
            cache_write_usd_per_million: 0,
            up_to_input_tokens: 200_000,
            source: "contract of 2026",
          },
        ],
      },
    ],
  };
  assert.deepEqual(parsePriceBook(JSON.stringify(whole), "prices.json"), [
    {
      names: ["databricks/our-llama", "our-llama"],
      prices: [
        {
          since: "2026-01-01",
          inputUsd: 0.5,
          outputUsd: 1.5,
          cacheReadUsd: 0.05,
          cacheWriteUsd: 0,
          upToInputTokens: 200_000,
          source: "contract of 2026",
        },
      ],
    },
  ]);
});

test("without a source the file is the source", () => {
  const [read] = parsePriceBook(JSON.stringify({ models: [model] }), "prices.json");
  assert.equal(read?.prices[0]?.source, "prices.json");
});

/** @param expected the error's message after the file's name. */
function refused(file: unknown, expected: string, hint: RegExp = /./) {
  const text = typeof file === "string" ? file : JSON.stringify(file);
  assert.throws(
    () => parsePriceBook(text, "prices.json"),
    (error) => {
      assert.ok(error instanceof MonitorError && error.code === "CONFIG_INVALID");
      assert.equal(error.message, `the price book prices.json: ${expected}`);
      assert.match(error.hint, hint);
      return true;
    },
  );
}

const withPrice = (changed: object) => ({
  models: [{ ...model, prices: [{ ...price, ...changed }] }],
});
const withModel = (changed: object) => ({ models: [{ ...model, ...changed }] });

const cases: readonly [about: string, file: unknown, expected: string, hint?: RegExp][] = [
  ["an empty file", "", "it stops being JSON at line 1, column 1"],
  ["a file that is cut off", '{\n  "models": [', "it stops being JSON at line 2, column 14"],
  ["a comma too many", '{\n  "models": [],\n}', "it stops being JSON at line 3, column 1"],
  ["a comma too few", '{"models": [1 2]}', "it stops being JSON at line 1, column 15"],
  ["a comment", '{ // ours\n "models": [] }', "it stops being JSON at line 1, column 3"],
  ["something after the end", '{"models": []} {}', "it stops being JSON at line 1, column 16"],
  ["a wrong bracket", '{"models": [}', "it stops being JSON at line 1, column 13"],
  ["a number as a key", "{1: 2}", "it stops being JSON at line 1, column 2"],
  ["a word", "{'models': []}", "it stops being JSON at line 1, column 2"],
  ["a number with a zero in front", '{"models": 01}', "it stops being JSON at line 1, column 12"],
  ["a list", [], "the whole is not an object"],
  ["no models", {}, "models is missing"],
  ["models that are no list", { models: {} }, "models is not a list"],
  ["a model that is no object", { models: [1] }, "models[0] is not an object"],
  ["a mistyped key", { modles: [] }, "modles is not a known key", /Did you mean models\?/],
  ["a key of a model", withModel({ alias: [] }), "models[0].alias is not a known key", /aliases\?/],
  [
    "a key of a price",
    withPrice({ input_usd_per_milion: 1 }),
    "models[0].prices[0].input_usd_per_milion is not a known key",
    /Did you mean input_usd_per_million\?/,
  ],
  [
    "a key that is near to none",
    withPrice({ currency: "EUR" }),
    "models[0].prices[0].currency is not a known key",
    /^Known are since, /,
  ],
  ["no name", withModel({ model: undefined }), "models[0].model is missing"],
  ["an empty name", withModel({ model: " " }), "models[0].model is not a text"],
  ["a strange alias", withModel({ aliases: ["a", 1] }), "models[0].aliases[1] is not a text"],
  [
    "a name twice",
    { models: [model, { ...model, model: "b", aliases: [model.model] }] },
    'models[1].aliases[0]: "databricks/our-llama" is listed at models[0].model already',
  ],
  ["no prices", withModel({ prices: undefined }), "models[0].prices is missing"],
  ["an empty list of prices", withModel({ prices: [] }), "models[0].prices is empty", /unpriced/],
  [
    "two prices of one day",
    withModel({ prices: [price, price] }),
    "models[0].prices[1].since: 2026-01-01 has a price already",
  ],
  [
    "a price below 0",
    withPrice({ output_usd_per_million: -1 }),
    "models[0].prices[0].output_usd_per_million is not a price",
  ],
  [
    "a price in words",
    withPrice({ input_usd_per_million: "0.5" }),
    "models[0].prices[0].input_usd_per_million is not a price",
  ],
  [
    "a price that is too high to be one",
    withPrice({ input_usd_per_million: 2e6 }),
    "models[0].prices[0].input_usd_per_million is not a price",
    /per million tokens/,
  ],
  [
    "no output price",
    withPrice({ output_usd_per_million: undefined }),
    "models[0].prices[0].output_usd_per_million is missing",
  ],
  [
    "a cache price of null",
    withPrice({ cache_read_usd_per_million: null }),
    "models[0].prices[0].cache_read_usd_per_million is not a price",
  ],
  ["no day", withPrice({ since: undefined }), "models[0].prices[0].since is missing"],
  [
    "a day that is none",
    withPrice({ since: "2026-02-30" }),
    "models[0].prices[0].since is not a day",
  ],
  ["a moment", withPrice({ since: "2026-01-01T00:00" }), "models[0].prices[0].since is not a day"],
  [
    "half a token",
    withPrice({ up_to_input_tokens: 0.5 }),
    "models[0].prices[0].up_to_input_tokens is not a number of tokens",
  ],
  [
    "a file that is far too long",
    " ".repeat(PRICE_BOOK_LENGTH_MAX + 1),
    "1048577 characters are more than the 1048576 that are read",
  ],
];
for (const [about, file, expected, hint] of cases) {
  test(`refused: ${about}`, () => refused(file, expected, hint));
}

test("whatever stands in the file, it is read or refused as wrong", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.json(),
        fc.string(),
        fc.json().map((text) => text.slice(1)),
      ),
      (text) => {
        try {
          parsePriceBook(text, "prices.json");
        } catch (error) {
          assert.ok(error instanceof MonitorError && error.code === "CONFIG_INVALID");
        }
      },
    ),
  );
});

const timeMs = Date.parse("2026-06-01");
const million = { input: 1e6, output: 0 };

test("the built-in book is there without a file", async () => {
  const book = await readPriceBook(undefined, () => Promise.reject(new Error("not read")));
  assert.equal(
    priceOf(book, { provider: null, model: "gpt-4o-mini" }, million, timeMs).kind,
    "priced",
  );
});

test("a file's models come into the built-in book", async () => {
  const text = JSON.stringify({ models: [model, { ...model, model: "gpt-4o" }] });
  const book = await readPriceBook("prices.json", () => Promise.resolve(text));
  const usd = (provider: string, name: string) => {
    const pricing = priceOf(book, { provider, model: name }, million, timeMs);
    return pricing.kind === "priced" ? pricing.usd : null;
  };
  assert.equal(usd("databricks", "our-llama"), 0.5);
  assert.equal(usd("openai", "gpt-4o"), 0.5);
  assert.equal(usd("azure", "gpt-4o"), 0.5);
  assert.equal(usd("openai", "gpt-4o-mini"), 0.15);
});
