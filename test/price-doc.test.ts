/**
 * `docs/cost.md` shows the built-in prices as they are, and an example price book that is
 * read as written. `UPDATE=1` writes the table anew.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { parsePriceBook } from "../src/cli/monitor/read-price-book.ts";
import { priceOf, withModels } from "../src/signals/price-book.ts";
import {
  builtInPriceBook,
  type ListedPrice,
  type PriceList,
  priceLists,
} from "../src/signals/prices.ts";

const DOC = "docs/cost.md";
const TABLE = /(<!-- prices: [^\n]*-->\n)[\s\S]*(<!-- \/prices -->)/;

test("the table of the docs holds the built-in prices", () => {
  const text = readFileSync(DOC, "utf8");
  assert.match(text, TABLE);
  const now = text.replace(TABLE, (_, begin: string, end: string) => `${begin}${tables()}${end}`);
  if (process.env.UPDATE === "1") writeFileSync(DOC, now);
  else assert.equal(text, now);
});

test("the example of the docs is the example file, and prices what it says", () => {
  const [, example = ""] = /^```json\n([\s\S]*?)^```/m.exec(readFileSync(DOC, "utf8")) ?? [];
  assert.equal(readFileSync("docs/price-book.json", "utf8"), example);
  const book = withModels(builtInPriceBook, parsePriceBook(example, DOC));
  const usd = (provider: string, model: string, day: string, cacheRead = 0) => {
    const tokens = { input: 200_000, output: 100_000, cacheRead };
    const pricing = priceOf(book, { provider, model }, tokens, Date.parse(day));
    return pricing.kind === "priced" ? Number(pricing.usd.toFixed(9)) : pricing.reason;
  };
  assert.equal(usd("databricks", "our-llama", "2026-06-30"), 0.25);
  assert.equal(usd("databricks", "our-llama", "2026-07-01"), 0.2);
  assert.equal(usd("databricks", "our-llama", "2026-07-01", 100_000), 0.164);
  assert.equal(usd("databricks", "our-llama", "2026-06-30", 100_000), "cache_unpriced");
  assert.equal(usd("anyone", "our-llama-v2", "2026-07-01"), 0.2);
  assert.equal(usd("elsewhere", "our-llama", "2026-07-01"), "unknown_model");
});

function tables(): string {
  return priceLists.map(table).join("");
}

function table(list: PriceList): string {
  const rows = list.prices.map((price) => row(list, price)).join("");
  return `
### ${list.seller}

Source: ${list.source}. Named as ${list.providers.map((name) => `\`${name}/…\``).join(", ")}${
    list.isFoundByNameAlone ? ", or by the model alone" : ""
  }.

| model | since | input | output | cache read | cache write | as of |
|---|---|---|---|---|---|---|
${rows}`;
}

function row({ asOf }: PriceList, price: ListedPrice): string {
  const names = [price.model, ...(price.aliases ?? [])].map((name) => `\`${name}\``).join(", ");
  const upTo = price.upToInputTokens
    ? `, up to ${price.upToInputTokens / 1_000} k input tokens`
    : "";
  const usd = (value: number | undefined) => (value === undefined ? "–" : `$${value}`);
  const cells = [
    `${names}${upTo}`,
    price.since,
    usd(price.inputUsd),
    usd(price.outputUsd),
    usd(price.cacheReadUsd),
    usd(price.cacheWriteUsd),
    price.asOf ?? asOf,
  ];
  return `| ${cells.join(" | ")} |\n`;
}
