/**
 * What Databricks counted and bills of every endpoint, day by day. A day that is told anew
 * takes the place of what was known, so that late rows and corrections are counted once.
 */
import {
  type AccountDays,
  type BilledDay,
  billedKey,
  type CountedDay,
  countedKey,
  type Money,
  type RequesterKind,
} from "../signals/account-day.ts";

/** Days that are kept, today included. */
export const ACCOUNT_DAYS = 31;
/** Endpoints that are kept: as many as a workspace may hold. */
const ENDPOINTS_MAX = 1_000;
/** Rows of each kind that are kept of an endpoint: twenty on each day. */
const ROWS_MAX = 620;
const DAY_MS = 86_400_000;

/** Sums over some days. What Databricks does not say is `null`. */
export type AccountSums = {
  readonly counted: readonly {
    readonly requester: RequesterKind;
    readonly requests: number;
    readonly failed: number;
    readonly inputTokens: number | null;
    readonly outputTokens: number | null;
  }[];
  /** By unit, such as `DBU`. */
  readonly billed: readonly { readonly unit: string; readonly quantity: number }[];
  readonly costs: readonly Money[];
};

type Known = { readonly counted: Map<string, CountedDay>; readonly billed: Map<string, BilledDay> };

export class Account {
  readonly #endpoints = new Map<string, Known>();

  /** What of it is not known yet, or is other than known. */
  newsOf({ counted, billed }: AccountDays): AccountDays {
    const known = (endpoint: string) => this.#endpoints.get(endpoint);
    return {
      counted: counted.filter(
        (day) => !isSame(known(day.endpoint)?.counted.get(countedKey(day)), day),
      ),
      billed: billed.filter((day) => !isSame(known(day.endpoint)?.billed.get(billedKey(day)), day)),
    };
  }

  take({ counted, billed }: AccountDays, nowMs: number): void {
    for (const day of counted) put(this.#of(day.endpoint)?.counted, countedKey(day), day);
    for (const day of billed) put(this.#of(day.endpoint)?.billed, billedKey(day), day);
    const first = firstDay(ACCOUNT_DAYS, nowMs);
    for (const [endpoint, known] of this.#endpoints) {
      for (const days of [known.counted, known.billed]) {
        for (const [key, { day }] of days) if (day < first) days.delete(key);
      }
      if (known.counted.size + known.billed.size === 0) this.#endpoints.delete(endpoint);
    }
  }

  /** All that is known. */
  all(): AccountDays {
    const known = [...this.#endpoints.values()];
    return {
      counted: known.flatMap(({ counted }) => [...counted.values()]),
      billed: known.flatMap(({ billed }) => [...billed.values()]),
    };
  }

  /** Of the last days (UTC), today included; `null` where Databricks says nothing of it. */
  sumsOf(endpoint: string, days: number, nowMs: number): AccountSums | null {
    const known = this.#endpoints.get(endpoint);
    if (!known) return null;
    const first = firstDay(days, nowMs);
    const counted = [...known.counted.values()].filter(({ day }) => day >= first);
    const billed = [...known.billed.values()].filter(({ day }) => day >= first);
    return {
      counted: [...Map.groupBy(counted, ({ requester }) => requester)]
        .map(([requester, all]) => ({ requester, ...sumOf(all) }))
        .sort((a, b) => b.requests - a.requests),
      billed: [...Map.groupBy(billed, ({ unit }) => unit)].map(([unit, all]) => ({
        unit,
        quantity: all.reduce((sum, { quantity }) => sum + quantity, 0),
      })),
      costs: costsOf(billed),
    };
  }

  #of(endpoint: string): Known | undefined {
    const known = this.#endpoints.get(endpoint);
    if (known || this.#endpoints.size >= ENDPOINTS_MAX) return known;
    const fresh: Known = { counted: new Map(), billed: new Map() };
    this.#endpoints.set(endpoint, fresh);
    return fresh;
  }
}

function sumOf(days: readonly CountedDay[]) {
  const total = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);
  const known = (values: readonly (number | null)[]) => values.filter((value) => value !== null);
  const inputs = known(days.map(({ inputTokens }) => inputTokens));
  const outputs = known(days.map(({ outputTokens }) => outputTokens));
  return {
    requests: total(days.map(({ requests }) => requests)),
    failed: total(days.map(({ failed }) => failed)),
    inputTokens: inputs.length === 0 ? null : total(inputs),
    outputTokens: outputs.length === 0 ? null : total(outputs),
  };
}

function costsOf(billed: readonly BilledDay[]): Money[] {
  const costs = new Map<string, number>();
  for (const { currency, amount } of billed.flatMap((day) => day.costs)) {
    costs.set(currency, (costs.get(currency) ?? 0) + amount);
  }
  return Array.from(costs, ([currency, amount]) => ({ currency, amount }));
}

function firstDay(days: number, nowMs: number): string {
  return new Date(nowMs - (days - 1) * DAY_MS).toISOString().slice(0, 10);
}

function put<T>(map: Map<string, T> | undefined, key: string, value: T): void {
  if (!map || (!map.has(key) && map.size >= ROWS_MAX)) return;
  map.set(key, value);
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
