/** Every reason for which something is left out stands in the table of `docs/telemetry.md`, and no other. */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { test } from "node:test";

/** Where the sources name a reason: its type, a call that counts it, or a pair with its count. */
const places = [
  /type \w*DropReason =((?:\s*\|?\s*"\w+")+);/g,
  /\bdrop\(("\w+")/g,
  /\[\[("\w+"), (?:1|\w+\.length)\]\]/g,
  /push\(\{ key, reason: ("\w+") \}\)/g,
];

function reasonsInSources(): string[] {
  const files = globSync("src/{ingest,sources,live,state}/**/*.ts").filter((path) =>
    /(?<!\.test)\.ts$/.test(path),
  );
  const text = files.map((path) => readFileSync(path, "utf8")).join("\n");
  const named = places.flatMap((place) => [...text.matchAll(place)].map(([, found = ""]) => found));
  return [...new Set(named.join(" ").match(/\w+/g))].sort();
}

function reasonsInDocs(): string[] {
  const [, section = ""] = readFileSync("docs/telemetry.md", "utf8").split("## What was left out");
  const rows =
    section
      .split("\n## ")[0]
      ?.split("\n")
      .filter((line) => line.startsWith("| `")) ?? [];
  const cells = rows.map((row) => row.split("|")[1] ?? "");
  return cells.flatMap((cell) => cell.match(/\w+/g) ?? []).sort();
}

test("every reason for which telemetry is left out stands in the docs, and no other", () => {
  const reasons = reasonsInSources();
  assert.ok(reasons.includes("late_span") && reasons.includes("component_limit"));
  assert.deepEqual(reasonsInDocs(), reasons);
});
