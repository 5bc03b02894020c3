/**
 * What Databricks itself says of an endpoint, by the day (UTC): the requests that it counted
 * and what it bills. Told anew, a day takes the place of what was known of it.
 */

/** Who asked, as far as that says what kind of caller it is. Names are never read. */
export type RequesterKind = "user" | "service_principal" | "unknown";

export type CountedDay = {
  readonly endpoint: string;
  /** Such as `2026-11-26`. */
  readonly day: string;
  readonly requester: RequesterKind;
  readonly requests: number;
  /** Answered with a status of 400 or more. */
  readonly failed: number;
  readonly inputTokens: number | null;
  readonly outputTokens: number | null;
};

export type BilledDay = {
  readonly endpoint: string;
  readonly day: string;
  readonly sku: string;
  /** Of the quantity, such as `DBU`. */
  readonly unit: string;
  readonly quantity: number;
  /** At list prices, by currency; empty where there is no price. */
  readonly costs: readonly Money[];
};

export type Money = { readonly currency: string; readonly amount: number };

export type AccountDays = {
  readonly counted: readonly CountedDay[];
  readonly billed: readonly BilledDay[];
};

/** What a day takes the place of. */
export function countedKey({ endpoint, day, requester }: CountedDay): string {
  return `${endpoint} ${day} ${requester}`;
}

export function billedKey({ endpoint, day, sku, unit }: BilledDay): string {
  return `${endpoint} ${day} ${sku} ${unit}`;
}
