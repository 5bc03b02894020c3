/** A step of an alert in, a message or none out. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { AlertChange, AlertStateName } from "../signals/alert.ts";
import { compose, composeNotification, summarise } from "./compose.ts";

function change(from: AlertStateName, to: AlertStateName, reason: string): AlertChange {
  return {
    id: `latency_p99:qa:1000:${to}`,
    ruleId: "latency_p99",
    endpoint: "qa",
    from,
    to,
    value: 4200,
    threshold: 1000,
    reason,
    timeMs: 1000,
  };
}

const channel = {
  kind: "slack" as const,
  preview: (message: { state: string; headline: string }) => `${message.state} ${message.headline}`,
};

test("people are told of firing and resolved, and of nothing else", () => {
  const told = (["inactive", "pending", "firing", "resolved"] as const).filter(
    (to) => compose(change("inactive", to, "qa is slow"), null) !== null,
  );
  assert.deepEqual(told, ["firing", "resolved"]);
});

for (const [reason, headline, detail] of [
  ["qa is slow: p99 is 4.2 s: high", "qa is slow", "p99 is 4.2 s: high"],
  ["qa is healthy. p99 is 0.4 s.", "qa is healthy.", "p99 is 0.4 s."],
  ["qa is healthy.", "qa is healthy.", ""],
  ["qa v1.2 is slow: p99 is 4.2 s", "qa v1.2 is slow", "p99 is 4.2 s"],
  ["", "", ""],
] as const) {
  test(`"${reason}" has a headline and a detail`, () => {
    const message = compose(change("pending", "firing", reason), null);
    assert.deepEqual([message?.headline, message?.detail], [headline, detail]);
  });
}

test("a headline without end is cut, and nothing is lost", () => {
  const reason = "x".repeat(1000);
  const message = compose(change("pending", "firing", reason), null);
  assert.deepEqual([message?.headline.length, message?.detail], [151, reason]);
});

test("a notification has the id of its change and channel, and the text that is shown", () => {
  const notification = composeNotification(change("pending", "firing", "qa is slow: very"), {
    channel,
    pageUrl: "http://127.0.0.1:4318/agents/qa",
  });
  assert.deepEqual(notification, {
    id: "latency_p99:qa:1000:firing@slack",
    alertChangeId: "latency_p99:qa:1000:firing",
    channel: "slack",
    endpoint: "qa",
    timeMs: 1000,
    text: "firing qa is slow",
    message: {
      id: "latency_p99:qa:1000:firing@slack",
      state: "firing",
      endpoint: "qa",
      ruleId: "latency_p99",
      timeMs: 1000,
      headline: "qa is slow",
      detail: "very",
      pageUrl: "http://127.0.0.1:4318/agents/qa",
    },
  });
});

test("what fired and is over becomes one message", () => {
  const of = (to: AlertStateName, reason: string) => {
    const notification = composeNotification(change("pending", to, reason), {
      channel,
      pageUrl: null,
    });
    assert.ok(notification);
    return notification;
  };
  const fired = of("firing", "qa is slow: p99 is 4.2 s.");
  const over = of("resolved", "qa is no longer slow: p99 is 0.4 s.");
  const { id, state, headline, detail } = summarise(fired, over);
  assert.deepEqual([id, state, headline], [over.id, "fired and resolved", "qa is no longer slow"]);
  assert.equal(
    detail,
    "p99 is 0.4 s.\nIt could not be told in time. When it fired: qa is slow: p99 is 4.2 s.",
  );
});
