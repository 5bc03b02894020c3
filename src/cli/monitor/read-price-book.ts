/**
 * The price book of `--price-book FILE`: JSON of a person's hand, checked down to the
 * field. Its models come into the built-in book, each in place of the built-in one.
 */

import { nearest } from "../../config/nearest.ts";
import { MonitorError } from "../../monitor-error.ts";
import {
  type ModelPrices,
  type Price,
  type PriceBook,
  withModels,
} from "../../signals/price-book.ts";
import { builtInPriceBook } from "../../signals/prices.ts";
import { jsonErrorPlace } from "../json-error-place.ts";

/** Longest file that is read, in characters. */
export const PRICE_BOOK_LENGTH_MAX = 1_048_576;
/** A dollar per token: more is a price per token, or per thousand, in the wrong field. */
const USD_PER_MILLION_MAX = 1_000_000;

const DOCS = "docs/cost.md shows an example.";

/** @throws MonitorError `CONFIG_INVALID`, naming the file and the field. */
export async function readPriceBook(
  path: string | undefined,
  readFile: (path: string) => Promise<string>,
): Promise<PriceBook> {
  if (path === undefined) return builtInPriceBook;
  let text: string;
  try {
    text = await readFile(path);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? ` (${String(error.code)})` : "";
    throw new MonitorError("CONFIG_INVALID", `the price book ${path} could not be read${code}`, {
      hint: "Check the path and that this user may read it.",
      cause: error,
    });
  }
  return withModels(builtInPriceBook, parsePriceBook(text, path));
}

/** @throws MonitorError `CONFIG_INVALID`. */
export function parsePriceBook(text: string, path: string): ModelPrices[] {
  const wrong = (what: string, hint: string) =>
    new MonitorError("CONFIG_INVALID", `the price book ${path}: ${what}`, { hint });
  if (text.length > PRICE_BOOK_LENGTH_MAX) {
    throw wrong(
      `${text.length} characters are more than the ${PRICE_BOOK_LENGTH_MAX} that are read`,
      "list only models whose price differs from the built-in one",
    );
  }
  let file: unknown;
  try {
    file = JSON.parse(text);
  } catch {
    const { line, column } = jsonErrorPlace(text);
    throw wrong(`it stops being JSON at line ${line}, column ${column}`, DOCS);
  }

  const names = new Map<string, string>();
  return list(fields(file, "", ["models"]).models, "models").map((model, index) =>
    readModel(model, `models[${index}]`),
  );

  function readModel(value: unknown, at: string): ModelPrices {
    const model = fields(value, at, ["model", "aliases", "prices"]);
    const aliases = model.aliases === undefined ? [] : list(model.aliases, `${at}.aliases`);
    const own = [
      name(model.model, `${at}.model`),
      ...aliases.map((alias, index) => name(alias, `${at}.aliases[${index}]`)),
    ];
    const prices = list(model.prices, `${at}.prices`).map((price, index) =>
      readPrice(price, `${at}.prices[${index}]`),
    );
    if (prices.length === 0) {
      throw wrong(`${at}.prices is empty`, "Give a price, or leave the model out: it is unpriced.");
    }
    const days = prices.map(({ since }) => since);
    const twice = days.findIndex((day, index) => days.indexOf(day) !== index);
    if (twice >= 0) {
      throw wrong(
        `${at}.prices[${twice}].since: ${days[twice]} has a price already`,
        "Give one price for each day on which the price changed.",
      );
    }
    return { names: own, prices };
  }

  function readPrice(value: unknown, at: string): Price {
    const price = fields(value, at, [
      "since",
      "input_usd_per_million",
      "output_usd_per_million",
      "cache_read_usd_per_million",
      "cache_write_usd_per_million",
      "up_to_input_tokens",
      "source",
    ]);
    const usd = (key: string) => amount(price[key], `${at}.${key}`);
    const usdIfTold = (key: string) => (price[key] === undefined ? undefined : usd(key));
    const cacheReadUsd = usdIfTold("cache_read_usd_per_million");
    const cacheWriteUsd = usdIfTold("cache_write_usd_per_million");
    const upToInputTokens =
      price.up_to_input_tokens === undefined
        ? undefined
        : wholeNumber(price.up_to_input_tokens, `${at}.up_to_input_tokens`);
    return {
      since: day(price.since, `${at}.since`),
      inputUsd: usd("input_usd_per_million"),
      outputUsd: usd("output_usd_per_million"),
      ...(cacheReadUsd === undefined ? {} : { cacheReadUsd }),
      ...(cacheWriteUsd === undefined ? {} : { cacheWriteUsd }),
      ...(upToInputTokens === undefined ? {} : { upToInputTokens }),
      source: price.source === undefined ? path : someText(price.source, `${at}.source`),
    };
  }

  function fields(value: unknown, at: string, known: readonly string[]): Record<string, unknown> {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw wrong(`${at || "the whole"} is not an object`, `Give { ${known.join(", ")} }; ${DOCS}`);
    }
    for (const key of Object.keys(value)) {
      if (known.includes(key)) continue;
      const meant = nearest(key, known);
      throw wrong(
        `${at === "" ? key : `${at}.${key}`} is not a known key`,
        `${meant === null ? "" : `Did you mean ${meant}? `}Known are ${known.join(", ")}.`,
      );
    }
    return value as Record<string, unknown>; // an object, as was just checked
  }

  function list(value: unknown, at: string): readonly unknown[] {
    if (Array.isArray(value)) return value;
    throw wrong(`${at} is ${value === undefined ? "missing" : "not a list"}`, DOCS);
  }

  function someText(value: unknown, at: string): string {
    if (typeof value === "string" && value.trim() !== "") return value;
    throw wrong(`${at} is ${value === undefined ? "missing" : "not a text"}`, DOCS);
  }

  /** Each name once, or one of two prices would silently be left out. */
  function name(value: unknown, at: string): string {
    const told = someText(value, at);
    const before = names.get(told);
    if (before !== undefined) {
      throw wrong(`${at}: "${told}" is listed at ${before} already`, "list each name once");
    }
    names.set(told, at);
    return told;
  }

  function amount(value: unknown, at: string): number {
    if (typeof value === "number" && value >= 0 && value <= USD_PER_MILLION_MAX) return value;
    const what = value === undefined ? "is missing" : "is not a price";
    throw wrong(
      `${at} ${what}`,
      `Give US dollars per million tokens, from 0 to ${USD_PER_MILLION_MAX}.`,
    );
  }

  function wholeNumber(value: unknown, at: string): number {
    if (typeof value === "number" && Number.isSafeInteger(value) && value > 0) return value;
    throw wrong(`${at} is not a number of tokens`, "Give a whole number above 0, or leave it out.");
  }

  function day(value: unknown, at: string): string {
    if (typeof value === "string" && /^\d{4}-\d\d-\d\d$/.test(value)) {
      const timeMs = Date.parse(value);
      // 2026-02-30 is read as the 2nd of March.
      if (timeMs >= 0 && new Date(timeMs).toISOString().startsWith(value)) return value;
    }
    throw wrong(
      `${at} is ${value === undefined ? "missing" : "not a day"}`,
      "Give the first day of the price in UTC, such as 2026-10-07.",
    );
  }
}
