import assert from "node:assert/strict";
import { test } from "node:test";
import type { AlertRow } from "../api.ts";
import { isSaid, sortAlerts } from "./alert-order.ts";

test("firing stands first, and the oldest before the newer", () => {
  const alert = (state: AlertRow["state"], sinceMs: number) => ({ state, sinceMs }) as AlertRow;
  const sorted = sortAlerts([
    alert("resolved", 1),
    alert("pending", 2),
    alert("firing", 4),
    alert("firing", 3),
  ]);
  assert.deepEqual(
    sorted.map(({ state, sinceMs }) => `${state} ${sinceMs}`),
    ["firing 3", "firing 4", "pending 2", "resolved 1"],
  );
});

const SENTENCE = {
  status: "critical",
  headline: "support-rag is slow",
  detail: "p99 is 4.2 s (limit 1.0 s) since 14:02. 71 % of the added time is in `self.rewrite`.",
} as const;

test("a reason that the sentence told already is not told twice, though figures moved", () => {
  assert.equal(
    isSaid("support-rag is slow: p99 is 4.4 s (limit 1.0 s) since 14:02.", SENTENCE),
    true,
  );
  assert.equal(isSaid("69 % of the added time is in `self.rewrite`.", SENTENCE), true);
});

test("a reason with more to tell stays", () => {
  assert.equal(isSaid("p99 is 4.4 s (limit 1.0 s). Model calls wait.", SENTENCE), false);
  assert.equal(isSaid("11 % of requests fail.", SENTENCE), false);
});
