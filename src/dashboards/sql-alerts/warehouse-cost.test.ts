/** What a day of evaluations costs, by warehouse. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type CostedWarehouse, warehouseCost, warehouseCostText } from "./warehouse-cost.ts";

const small: CostedWarehouse = { size: "2X-Small", isServerless: true, autoStopMinutes: 10 };

function check(warehouse: Partial<CostedWarehouse>, everyMinutes: number, expected: string) {
  const cost = warehouseCost({ ...small, ...warehouse }, everyMinutes);
  const { evaluationsPerDay, hoursPerDay, dbuPerDay, usdPerDay } = cost;
  const usd = usdPerDay === null ? "?" : usdPerDay.toFixed(2);
  assert.equal(`${evaluationsPerDay}x ${hoursPerDay} h ${dbuPerDay ?? "?"} DBU $${usd}`, expected);
}

test("one that stops later than the next evaluation runs all day", () =>
  check({}, 5, "288x 24 h 96 DBU $67.20"));
test("one that never stops, too", () =>
  check({ autoStopMinutes: 0 }, 60, "24x 24 h 96 DBU $67.20"));
test("one that stops after a minute runs a minute and the evaluation", () =>
  check({ autoStopMinutes: 1 }, 5, "288x 7.2 h 28.8 DBU $20.16"));
test("asked every hour, one that stops after ten minutes costs little", () =>
  check({}, 60, "24x 4.2 h 16.8 DBU $11.76"));
test("a larger one costs more", () => check({ size: "Medium" }, 5, "288x 24 h 576 DBU $403.20"));
test("a size that is not known has no price, and none is made up", () =>
  check({ size: "6X-Large" }, 5, "288x 24 h ? DBU $?"));

test("as it is told", () => {
  assert.equal(
    warehouseCostText(small, 5),
    "runs 24 h a day for 288 evaluations: 96 DBU, about $67 at the list price of $0.70 (2026-04, US), unless it runs anyway",
  );
  assert.match(warehouseCostText({ ...small, size: null }, 5), /not known of size unknown$/);
});
