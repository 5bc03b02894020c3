/**
 * What tokens cost, by model and day. Pure: the prices themselves are data (`prices.ts`,
 * or a file of the user's). A model has a price only under a name that the book lists;
 * no name is cut or guessed, so that no model is ever priced as its sibling.
 */
import type { Tokens } from "./request.ts";

/** US dollars per million tokens, from a day on. */
export type Price = {
  /** First day (UTC) that the price is known to hold, such as `2026-10-07`. */
  readonly since: string;
  readonly inputUsd: number;
  readonly outputUsd: number;
  /** Input served by the provider's prompt cache; absent where no price is known. */
  readonly cacheReadUsd?: number;
  /** Input written to the provider's prompt cache; absent where no price is known. */
  readonly cacheWriteUsd?: number;
  /** Input tokens of one call up to which the price holds; absent where it always does. */
  readonly upToInputTokens?: number;
  /** Whose price list says so. */
  readonly source: string;
};

export type ModelPrices = {
  /**
   * As telemetry names it. `openai/gpt-4o` is the model at that provider; a name without
   * a provider is the model of a call that tells none.
   */
  readonly names: readonly string[];
  readonly prices: readonly Price[];
};

/** Which model was called, as telemetry tells it. */
export type ModelName = { readonly provider: string | null; readonly model: string | null };

/** By name, the latest price first. A star in the place of a provider stands for any. */
export type PriceBook = ReadonlyMap<string, readonly Price[]>;

export type Pricing =
  | { readonly kind: "priced"; readonly usd: number; readonly price: Price }
  | {
      readonly kind: "unpriced";
      readonly reason: "unknown_model" | "before_first_price" | "long_input" | "cache_unpriced";
    };

export const emptyPriceBook: PriceBook = new Map();

const ANY_PROVIDER = "*/";

export function priceBookOf(models: readonly ModelPrices[]): PriceBook {
  const book = new Map<string, readonly Price[]>();
  for (const { names, prices } of models) {
    for (const name of names) book.set(name, latestFirst(prices));
  }
  return book;
}

/**
 * The book with the models of another one in it, each in place of all prices that it
 * had. A name without a provider stands for the model at every provider.
 */
export function withModels(book: PriceBook, models: readonly ModelPrices[]): PriceBook {
  const merged = new Map(book);
  const bareNames = new Set(models.flatMap(({ names }) => names).filter((n) => !n.includes("/")));
  for (const name of book.keys()) {
    if (bareNames.has(name.slice(name.lastIndexOf("/") + 1))) merged.delete(name);
  }
  for (const { names, prices } of models) {
    for (const name of names) {
      merged.set(name.includes("/") ? name : `${ANY_PROVIDER}${name}`, latestFirst(prices));
    }
  }
  return merged;
}

/** @param timeMs when the call ended, Unix milliseconds. */
export function priceOf(
  book: PriceBook,
  { provider, model }: ModelName,
  { input, output, cacheRead = 0, cacheWrite = 0 }: Tokens,
  timeMs: number,
): Pricing {
  if (model === null) return { kind: "unpriced", reason: "unknown_model" };
  const prices =
    book.get(provider === null ? model : `${provider}/${model}`) ??
    book.get(`${ANY_PROVIDER}${model}`);
  if (!prices) return { kind: "unpriced", reason: "unknown_model" };
  const price = prices.find(({ since }) => startMs(since) <= timeMs);
  if (!price) return { kind: "unpriced", reason: "before_first_price" };
  if (price.upToInputTokens !== undefined && input > price.upToInputTokens) {
    return { kind: "unpriced", reason: "long_input" };
  }
  const cacheReadUsd = cacheRead === 0 ? 0 : price.cacheReadUsd;
  const cacheWriteUsd = cacheWrite === 0 ? 0 : price.cacheWriteUsd;
  if (cacheReadUsd === undefined || cacheWriteUsd === undefined) {
    return { kind: "unpriced", reason: "cache_unpriced" };
  }
  const millionthsUsd =
    // Never below 0, whatever telemetry tells of the parts.
    Math.max(0, input - cacheRead - cacheWrite) * price.inputUsd +
    cacheRead * cacheReadUsd +
    cacheWrite * cacheWriteUsd +
    output * price.outputUsd;
  return { kind: "priced", usd: millionthsUsd / 1e6, price };
}

function latestFirst(prices: readonly Price[]): readonly Price[] {
  return prices.toSorted((a, b) => (a.since < b.since ? 1 : -1));
}

function startMs(day: string): number {
  return Date.parse(`${day}T00:00:00Z`);
}
