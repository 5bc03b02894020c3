/**
 * `system.billing.usage` with `list_prices`: the SQL that sums up what is billed for each
 * endpoint by day, and what its rows say. Retractions are rows of their own, so everything
 * is summed. A price is the list price, which is not what an invoice says.
 */
import type { BilledDay, Money } from "../../signals/account-day.ts";
import { dayOf, numberOf, quotedText } from "./values.ts";

export const BILLING_TABLE = "system.billing.usage";
export const PRICES_TABLE = "system.billing.list_prices";

/** @param hasPrices whether the prices may be read. */
export function selectBilled(
  endpointIds: readonly string[],
  { fromMs, hasPrices }: { readonly fromMs: number; readonly hasPrices: boolean },
): string {
  const usage = `SELECT usage_metadata.endpoint_id AS endpoint_id, usage_date, sku_name, cloud, usage_unit, usage_end_time, usage_quantity
  FROM ${BILLING_TABLE}
  WHERE usage_date >= DATE '${dayOf(fromMs)}' AND usage_metadata.endpoint_id IN (${endpointIds.map(quotedText).join(", ")})`;
  const columns =
    "u.endpoint_id, CAST(u.usage_date AS STRING) AS day, u.sku_name, u.usage_unit, CAST(sum(u.usage_quantity) AS DOUBLE) AS quantity";
  if (!hasPrices) {
    return `SELECT ${columns}, CAST(NULL AS STRING) AS currency, CAST(NULL AS DOUBLE) AS cost FROM (${usage}) AS u GROUP BY ALL`;
  }
  return `SELECT ${columns}, p.currency_code AS currency,
  CAST(sum(u.usage_quantity * p.pricing.effective_list.\`default\`) AS DOUBLE) AS cost
FROM (${usage}) AS u LEFT JOIN ${PRICES_TABLE} AS p
  ON p.sku_name = u.sku_name AND p.cloud = u.cloud AND p.usage_unit = u.usage_unit
  AND u.usage_end_time >= p.price_start_time AND (p.price_end_time IS NULL OR u.usage_end_time < p.price_end_time)
GROUP BY ALL`;
}

/**
 * A row for each currency, which all have the same quantity.
 *
 * @param names of the endpoints by id; what is of others is left out.
 */
export function readBilled(
  rows: readonly (readonly (string | null)[])[],
  names: ReadonlyMap<string, string>,
): BilledDay[] {
  const days = new Map<string, BilledDay & { quantity: number; costs: Money[] }>();
  /** The usage of one SKU may have a price in one part of the day only: by currency. */
  const byCurrency = new Map<string, Map<string, number>>();
  for (const [id, day, sku, unit, quantity, currency, cost] of rows) {
    const endpoint = names.get(id ?? "");
    const amount = numberOf(cost);
    if (endpoint === undefined || !day || !sku || !unit) continue;
    const key = `${endpoint} ${day} ${sku} ${unit}`;
    const billed = days.get(key) ?? { endpoint, day, sku, unit, quantity: 0, costs: [] };
    days.set(key, billed);
    const quantities = byCurrency.get(key) ?? new Map<string, number>();
    byCurrency.set(key, quantities);
    quantities.set(
      currency ?? "",
      (quantities.get(currency ?? "") ?? 0) + (numberOf(quantity) ?? 0),
    );
    if (currency && amount !== null) billed.costs.push({ currency, amount });
  }
  return Array.from(days, ([key, billed]) => ({
    ...billed,
    quantity: rounded(quantityOf(byCurrency.get(key) ?? new Map())),
    costs: billed.costs
      .map(({ currency, amount }) => ({ currency, amount: rounded(amount) }))
      .sort((a, b) => (a.currency < b.currency ? -1 : 1)),
  }));
}

/** A sum whose last digits depend on the order of its rows is no news each time. */
function rounded(value: number): number {
  return Number(value.toFixed(9));
}

/** What has no price, and once what has one, in however many currencies. */
function quantityOf(byCurrency: ReadonlyMap<string, number>): number {
  const priced = [...byCurrency].filter(([currency]) => currency !== "").map(([, sum]) => sum);
  return (byCurrency.get("") ?? 0) + (priced.length === 0 ? 0 : Math.max(...priced));
}
