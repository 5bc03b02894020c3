/**
 * What model calls cost, and where the figure comes from. Telemetry tells the cost,
 * or the price book gives it from the tokens; the two are summed apart. A call that
 * used tokens of a model without a price is counted, so that a sum over calls says
 * whether it is the whole. What is not known is `null`, never 0.
 */
export type Cost = {
  /** Told by telemetry. A call that DSPy's cache answered costs 0. */
  readonly toldUsd: number | null;
  /** From the tokens, by the price book: of calls whose telemetry tells no cost. */
  readonly pricedUsd: number | null;
  /** What calls that DSPy's cache answered would have cost, where telemetry tells. Part of no cost. */
  readonly savedUsd: number | null;
  /** Calls that used tokens, for which neither telemetry nor the price book has a cost. */
  readonly unpricedCalls: number;
};

/** `both` of a sum over calls. */
export type CostSource = "told" | "price_book" | "both";

export const unknownCost: Cost = {
  toldUsd: null,
  pricedUsd: null,
  savedUsd: null,
  unpricedCalls: 0,
};

/** Of a request without a model call, where model calls tell their cost. */
export const noCost: Cost = { ...unknownCost, toldUsd: 0 };

export const unpricedCall: Cost = { ...unknownCost, unpricedCalls: 1 };

export function addCosts(one: Cost, other: Cost): Cost {
  if (one === unknownCost) return other;
  if (other === unknownCost) return one;
  return {
    toldUsd: addKnown(one.toldUsd, other.toldUsd),
    pricedUsd: addKnown(one.pricedUsd, other.pricedUsd),
    savedUsd: addKnown(one.savedUsd, other.savedUsd),
    unpricedCalls: one.unpricedCalls + other.unpricedCalls,
  };
}

/** As `addCosts`, in place: for sums over very many calls. NaN is not known: a field that may be `null` is made anew each time. */
export class CostSum {
  #toldUsd = Number.NaN;
  #pricedUsd = Number.NaN;
  #savedUsd = Number.NaN;
  #unpricedCalls = 0;

  add({ toldUsd, pricedUsd, savedUsd, unpricedCalls }: Cost): void {
    if (toldUsd !== null) this.#toldUsd = plus(this.#toldUsd, toldUsd);
    if (pricedUsd !== null) this.#pricedUsd = plus(this.#pricedUsd, pricedUsd);
    if (savedUsd !== null) this.#savedUsd = plus(this.#savedUsd, savedUsd);
    this.#unpricedCalls += unpricedCalls;
  }

  value(): Cost {
    return {
      toldUsd: knownOf(this.#toldUsd),
      pricedUsd: knownOf(this.#pricedUsd),
      savedUsd: knownOf(this.#savedUsd),
      unpricedCalls: this.#unpricedCalls,
    };
  }
}

function plus(sum: number, usd: number): number {
  return Number.isNaN(sum) ? usd : sum + usd;
}

function knownOf(sum: number): number | null {
  return Number.isNaN(sum) ? null : sum;
}

/**
 * Of the calls whose cost is known: see `unpricedCalls`. Answers of DSPy's cache cost
 * nothing: beside unpriced calls they don't make the sum 0.
 */
export function costUsdOf({ toldUsd, pricedUsd, unpricedCalls }: Cost): number | null {
  const sum = addKnown(toldUsd, pricedUsd);
  return sum === 0 && unpricedCalls > 0 ? null : sum;
}

/** Answers of DSPy's cache, which cost nothing, do not make a priced cost a told one. */
export function costSourceOf(cost: Cost): CostSource | null {
  const { toldUsd, pricedUsd } = cost;
  if (costUsdOf(cost) === null) return null;
  if (pricedUsd === null) return "told";
  return toldUsd === null || toldUsd === 0 ? "price_book" : "both";
}

/** `null` when neither is known. */
export function addKnown(one: number | null, other: number | null): number | null {
  return other === null ? one : (one ?? 0) + other;
}
