import assert from "node:assert/strict";
import { test } from "node:test";
import { type Command, type Press, pressKey } from "./keyboard.ts";

/** Presses the keys one after the other and tells the commands that came of it. */
function check(keys: string, commands: Command[], place: Press["place"] = "page"): void {
  let waiting: "g" | null = null;
  const given: Command[] = [];
  for (const written of keys.split(" ")) {
    const modified = written.startsWith("Ctrl+");
    const key = written.replace("Ctrl+", "");
    const pressed = pressKey(waiting, { key, modified, place });
    waiting = pressed.waiting;
    if (pressed.command) given.push(pressed.command);
  }
  assert.deepEqual(given, commands);
}

test("a slash filters", () => check("/", ["filter"]));
test("a question mark helps", () => check("?", ["help"]));
test("g then o goes to the overview", () => check("g o", ["go to overview"]));
test("g then a, e or h goes to alerts, errors or health", () =>
  check("g a g e g h", ["go to alerts", "go to errors", "go to health"]));
test("o alone does nothing", () => check("o", []));
test("another key between g and o forgets the g", () => check("g x o", []));
test("g twice still waits", () => check("g g o", ["go to overview"]));
test("arrows walk the rows", () =>
  check("ArrowDown ArrowUp Escape", ["next row", "previous row", "close"]));
test("keys with Ctrl belong to the browser", () => check("Ctrl+/ Ctrl+g o", []));
test("the filter takes letters, and gives the rest back", () =>
  check("g o / ? ArrowDown Enter Escape", ["next row", "open first row", "close"], "filter"));
test("another field keeps its keys", () => check("/ ? ArrowDown", [], "other field"));
