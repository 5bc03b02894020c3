/** What is said of many messages, and when. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { onceASecond } from "./once-a-second.ts";

test("nothing of what takes no second, then at most one a second", () => {
  const said: string[] = [];
  let nowMs = 0;
  const say = onceASecond(
    (message) => said.push(message),
    () => nowMs,
  );
  for (nowMs = 0; nowMs < 3_000; nowMs += 300) say(String(nowMs));
  assert.deepEqual(said, ["1200", "2400"]);
});
