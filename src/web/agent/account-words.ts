/** What Databricks counts and bills of an agent, as lines of a name and a value. */
import type { AccountView } from "../api.ts";
import { formatCount } from "../format.ts";

export type AccountLine = { readonly name: string; readonly value: string };

const CALLERS = {
  user: "Requests of people",
  service_principal: "Requests of service principals",
  unknown: "Requests of unknown callers",
} as const;

export function accountLines({ counted, billed, costs }: AccountView): AccountLine[] {
  const sum = (read: (row: AccountView["counted"][number]) => number | null) => {
    const known = counted.map(read).filter((value) => value !== null);
    return known.length === 0 ? null : known.reduce((total, value) => total + value, 0);
  };
  const failed = sum((row) => row.failed) ?? 0;
  const line = (name: string, value: number | null) =>
    value === null ? [] : [{ name, value: formatCount(value) }];
  return [
    ...counted.flatMap(({ requester, requests }) => line(CALLERS[requester], requests)),
    ...(failed > 0 ? line("Of these, failed", failed) : []),
    ...line(
      "Tokens in",
      sum((row) => row.inputTokens),
    ),
    ...line(
      "Tokens out",
      sum((row) => row.outputTokens),
    ),
    ...billed.map(({ unit, quantity }) => ({
      name: `Billed, ${unit}`,
      value: amountText(quantity),
    })),
    ...costs.map(({ currency, amount }) => ({
      name: "Cost at list prices",
      value: `${amountText(amount)}\u00a0${currency}`,
    })),
  ];
}

/** Three digits of what is small, two decimals of what is not. */
function amountText(amount: number): string {
  const digits =
    Math.abs(amount) < 1 ? { maximumSignificantDigits: 3 } : { maximumFractionDigits: 2 };
  return amount.toLocaleString("en-US", digits);
}
