import assert from "node:assert/strict";
import { test } from "node:test";
import type { ModuleRow } from "../api.ts";
import { isWithoutPaths, treeRows } from "./module-tree.ts";

/** A row is written `depth path share program`. It reads as said|name, with a star when it stands out. */
function check(rows: string[], expected: string[]): void {
  const written = treeRows(rows.map(moduleOf)).map(
    ({ said, name, ofProgram, isLargest }) =>
      `${said}|${name}${ofProgram ? ` of ${ofProgram}` : ""}${isLargest ? " *" : ""}`,
  );
  assert.deepEqual(written, expected);
}

function moduleOf(row: string): ModuleRow {
  const [depth = "0", path = "", share, program = "RagQA"] = row.split(" ");
  return {
    program,
    path,
    pathSource: "attribute",
    kind: "module",
    depth: Number(depth),
    calls: 1,
    errors: 0,
    latencyMs: null,
    selfMs: null,
    lmCalls: 0,
    parseFailures: 0,
    toolFailures: 0,
    timeShare: share === undefined ? null : Number(share),
    tokens: null,
    costUsd: null,
    costSource: null,
    unpricedCalls: 0,
    savedCostUsd: null,
    cacheHits: null,
  };
}

test("a child's path leaves out what its parent said", () =>
  check(
    ["0 self", "1 self.rag", "2 self.rag.generate"],
    ["|self", "self.|rag", "self.rag.|generate"],
  ));

test("a sibling does not lend its path", () =>
  check(
    ["0 self", "1 self.a", "2 self.a.b", "1 self.ab"],
    ["|self", "self.|a", "self.a.|b", "self.|ab"],
  ));

test("a path of one program says nothing of another's, and each program is named once", () =>
  check(
    ["0 self 0 Rag", "1 self.a 0 Rag", "0 self 0 Triage", "1 self.a 0 Triage"],
    ["|self of Rag", "self.|a", "|self of Triage", "self.|a"],
  ));

test("span names stay whole", () => check(["0 RAG", "1 Predict"], ["|RAG", "|Predict"]));

test("the module with most of the time stands out", () =>
  check(["0 self 0.1", "1 self.a 0.7", "1 self.b 0.2"], ["|self", "self.|a *", "self.|b"]));

test("when none has much, none stands out", () => check(["0 a 0.2", "0 b 0.25"], ["|a", "|b"]));

test("unknown shares stand out nowhere", () => check(["0 a", "0 b"], ["|a", "|b"]));

test("no modules are no rows", () => check([], []));

test("an agent whose tools have no path is not told that its telemetry has none", () => {
  const module = moduleOf("0 self");
  const tool: ModuleRow = { ...moduleOf("1 lookup"), kind: "tool", pathSource: "span" };
  assert.equal(isWithoutPaths([module, tool]), false);
  assert.equal(isWithoutPaths([tool]), true);
  assert.equal(isWithoutPaths([]), false);
});
