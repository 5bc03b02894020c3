import assert from "node:assert/strict";
import { test } from "node:test";
import { nextSort, type Sort, type SortValue, sortRows } from "./sort-rows.ts";

function check(values: SortValue[], direction: Sort["direction"], expected: SortValue[]): void {
  assert.deepEqual(
    sortRows(values, (value) => value, direction),
    expected,
  );
}

test("numbers, the highest first", () => check([2, 30, 4], "descending", [30, 4, 2]));
test("numbers, the lowest first", () => check([2, 30, 4], "ascending", [2, 4, 30]));
test("names by their numbers, not by their digits", () =>
  check(["agent-10", "agent-2"], "ascending", ["agent-2", "agent-10"]));
test("what is unknown stands last either way", () => {
  check([null, 1, 2], "descending", [2, 1, null]);
  check([null, 2, 1], "ascending", [1, 2, null]);
});

test("rows that are equal keep their order", () => {
  const rows = ["b1", "a1", "c2"];
  assert.deepEqual(
    sortRows(rows, (row) => Number(row[1]), "ascending"),
    ["b1", "a1", "c2"],
  );
});

test("a column of numbers sorts down, then up, then not at all", () => {
  const p99 = { id: "p99" };
  const once = nextSort(null, p99);
  const twice = nextSort(once, p99);
  assert.deepEqual(
    [once?.direction, twice?.direction, nextSort(twice, p99)],
    ["descending", "ascending", null],
  );
});

test("a column of names begins with the first; another column begins anew", () => {
  const byName = nextSort({ columnId: "p99", direction: "ascending" }, { id: "name", text: true });
  assert.deepEqual(byName, { columnId: "name", direction: "ascending" });
});
