import assert from "node:assert/strict";
import { test } from "node:test";
import type { ChangeRow } from "../api.ts";
import { firingSpans } from "./firing-spans.ts";

/** One character a second, oldest first: f fires, r is resolved, p is pending. A span reads `from-to`. */
function check(timeline: string, expected: string): void {
  const words: Readonly<Record<string, string>> = { f: "firing", r: "resolved", p: "pending" };
  const changes = [...timeline].flatMap((letter, second): ChangeRow[] => {
    const to = words[letter];
    return to ? [{ timeMs: second, kind: "alert", endpoint: "a", to, text: "" }] : [];
  });
  const newestFirst = changes.reverse();
  const written = firingSpans(newestFirst).map(({ fromMs, toMs }) => `${fromMs}-${toMs ?? ""}`);
  assert.equal(written.join(" "), expected);
}

test("an alert that is over", () => check("p.f..r", "2-5"));
test("an alert that is still firing has no end", () => check(".f...", "1-"));
test("one after the other", () => check("f.r.f.r", "0-2 4-6"));
test("two that overlap are one", () => check("f.f.r.r", "0-6"));
test("an end without a beginning is left out", () => check("r.f.r", "2-4"));
test("pending alone is nothing", () => check("p...", ""));

test("a health check that says firing is no alert", () =>
  assert.deepEqual(
    firingSpans([{ timeMs: 1, kind: "health", endpoint: "a", to: "firing", text: "" }]),
    [],
  ));
