/** What Databricks counts and bills, in words. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { AccountView } from "../api.ts";
import { accountLines } from "./account-words.ts";

const nothing: AccountView = { days: 30, counted: [], billed: [], costs: [] };

function check(view: Partial<AccountView>, ...lines: string[]) {
  const told = accountLines({ ...nothing, ...view });
  assert.deepEqual(
    told.map(({ name, value }) => `${name}: ${value}`),
    lines,
  );
}

test("who called, tokens of all of them, what failed", () =>
  check(
    {
      counted: [
        { requester: "user", requests: 120, failed: 3, inputTokens: 10, outputTokens: null },
        { requester: "unknown", requests: 1, failed: 0, inputTokens: 5, outputTokens: null },
      ],
    },
    "Requests of people: 120",
    "Requests of unknown callers: 1",
    "Of these, failed: 3",
    "Tokens in: 15",
  ));

test("what is billed, in its unit and at list prices", () =>
  check(
    {
      billed: [{ unit: "DBU", quantity: 1234.567 }],
      costs: [
        { currency: "USD", amount: 86.4 },
        { currency: "EUR", amount: 0.001234 },
      ],
    },
    "Billed, DBU: 1,234.57",
    "Cost at list prices: 86.4\u00a0USD",
    "Cost at list prices: 0.00123\u00a0EUR",
  ));

test("what Databricks does not say stands nowhere", () => check({}));
