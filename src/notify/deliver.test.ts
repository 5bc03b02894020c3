/** Delivery over time: a day of outage in a millisecond. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Clock } from "../clock.ts";
import type { Channel, SendResult } from "./channel.ts";
import { firing, resolved } from "./channel-contract.ts";
import {
  BACKOFF_MAX_MS,
  createDelivery,
  type DeliveryOptions,
  GIVE_UP_MS,
  RETRY_AFTER_MAX_MS,
} from "./deliver.ts";
import type { Message } from "./message.ts";
import type { Notification } from "./notification.ts";

const startMs = Date.UTC(2025, 5, 3, 14, 0);

/** A clock that moves only when told, and lets all that is due run. */
function virtualClock() {
  let nowMs = startMs;
  let timers: { atMs: number; run: () => void }[] = [];
  const clock: Clock = {
    now: () => nowMs,
    every: () => assert.fail("not used"),
    after(delayMs, run) {
      const timer = { atMs: nowMs + delayMs, run };
      timers.push(timer);
      return () => {
        timers = timers.filter((other) => other !== timer);
      };
    },
  };
  async function advance(ms: number): Promise<void> {
    const endMs = nowMs + ms;
    await settle();
    for (;;) {
      const due = timers.filter(({ atMs }) => atMs <= endMs).sort((a, b) => a.atMs - b.atMs)[0];
      if (due === undefined) break;
      timers = timers.filter((timer) => timer !== due);
      nowMs = due.atMs;
      due.run();
      await settle();
    }
    nowMs = endMs;
  }
  return { clock, advance, timers: () => timers.length };
}

/** Lets everything that waits only for promises go on. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 500; turn += 1) await Promise.resolve();
}

type Answer = SendResult | Promise<SendResult> | (() => never);

function setUp(
  answer: (message: Message, attempt: number) => Answer,
  part: Partial<DeliveryOptions> = {},
) {
  const { clock, advance, timers } = virtualClock();
  const sent: string[] = [];
  const attempts: { atS: number; id: string }[] = [];
  const outcomes: string[] = [];
  let mostAtOnce = 0;
  let atOnce = 0;
  const channel: Channel = {
    kind: "slack",
    preview: ({ state, headline }) => `${state} ${headline}`,
    async send(message) {
      atOnce += 1;
      mostAtOnce = Math.max(mostAtOnce, atOnce);
      attempts.push({ atS: (clock.now() - startMs) / 1000, id: message.id });
      try {
        const given = answer(message, attempts.length);
        const result = await (typeof given === "function" ? given() : given);
        if (result.kind === "sent") sent.push(`${message.id} ${message.state}`);
        return result;
      } finally {
        atOnce -= 1;
      }
    },
  };
  const delivery = createDelivery({
    channel,
    clock,
    random: () => 1,
    onResult(id, outcome) {
      const more = "reason" in outcome ? ` (${outcome.reason})` : "";
      const into = outcome.kind === "merged" ? ` into ${outcome.into}` : "";
      outcomes.push(`${id} ${outcome.kind}${into}${more}`);
    },
    ...part,
  });
  return {
    delivery,
    clock,
    advance,
    timers,
    sent,
    attempts,
    outcomes,
    mostAtOnce: () => mostAtOnce,
  };
}

/** "F1" is agent 1's alert firing, "R1" the same resolved; more letters make it another one. */
function notification(id: string, timeMs = startMs): Notification {
  const message: Message = {
    ...(id.startsWith("F") ? firing : resolved),
    id,
    endpoint: `agent-${id.slice(1).replace(/\D+$/, "")}`,
    timeMs,
  };
  const { endpoint } = message;
  return { id, alertChangeId: id, channel: "slack", endpoint, timeMs, text: "", message };
}

const ok: SendResult = { kind: "sent" };
const down: SendResult = { kind: "retry", reason: "away" };

test("what is enqueued is sent, one after the other", async () => {
  const { delivery, advance, sent, outcomes, mostAtOnce } = setUp(() => ok);
  for (const id of ["F1", "F2", "F3"]) delivery.enqueue(notification(id));
  await advance(0);
  assert.deepEqual(sent, ["F1 firing", "F2 firing", "F3 firing"]);
  assert.deepEqual(outcomes, ["F1 sent", "F2 sent", "F3 sent"]);
  assert.equal(mostAtOnce(), 1);
});

test("tries again with growing pauses, up to the longest, with the same id", async () => {
  const { delivery, advance, attempts } = setUp(() => down);
  delivery.enqueue(notification("F1"));
  await advance(300_000);
  assert.deepEqual(
    attempts.map(({ atS }) => atS),
    [0, 2, 6, 14, 30, 62, 122, 182, 242],
  );
  assert.ok(attempts.every(({ id }) => id === "F1"));
});

test("pauses are spread over the whole interval, and never shorter than a second", async () => {
  const { delivery, advance, attempts } = setUp(() => down, { random: () => 0 });
  delivery.enqueue(notification("F1"));
  await advance(5500);
  assert.deepEqual(
    attempts.map(({ atS }) => atS),
    [0, 1, 2, 3, 4, 5],
  );
});

test("waits as long as the channel asks for, within reason", async () => {
  const answers: SendResult[] = [
    { ...down, retryAfterMs: 30_000 },
    { ...down, retryAfterMs: 99_999_999 },
  ];
  const { delivery, advance, attempts } = setUp((_, attempt) => answers[attempt - 1] ?? ok);
  delivery.enqueue(notification("F1"));
  await advance(1_000_000);
  assert.deepEqual(
    attempts.map(({ atS }) => atS),
    [0, 30, 30 + RETRY_AFTER_MAX_MS / 1000],
  );
});

test("says that it waits, why, and then that it was sent", async () => {
  const { delivery, advance, outcomes } = setUp((_, attempt) => (attempt < 3 ? down : ok));
  delivery.enqueue(notification("F1"));
  await advance(10_000);
  assert.deepEqual(outcomes, ["F1 waiting (away)", "F1 waiting (away)", "F1 sent"]);
});

test("a success makes the next pause short again", async () => {
  const { delivery, advance, attempts } = setUp(({ id }, attempt) =>
    attempt === 6 || (id === "F2" && attempt > 7) ? ok : down,
  );
  delivery.enqueue(notification("F1"));
  await advance(62_000);
  delivery.enqueue(notification("F2"));
  await advance(10_000);
  assert.deepEqual(
    attempts.slice(5).map(({ atS, id }) => `${atS} ${id}`),
    ["62 F1", "62 F2", "64 F2"],
  );
});

test("what the channel refuses is not tried again, and the next one is", async () => {
  const { delivery, advance, attempts, outcomes } = setUp(({ id }) =>
    id === "F1" ? { kind: "refused", reason: "no_service" } : ok,
  );
  delivery.enqueue(notification("F1"));
  delivery.enqueue(notification("F2"));
  await advance(100_000);
  assert.deepEqual(outcomes, ["F1 failed (no_service)", "F2 sent"]);
  assert.equal(attempts.length, 2);
});

test("one message that the channel chokes on does not hold up the others", async () => {
  const { delivery, advance, sent } = setUp(({ id }) => (id === "F1" ? down : ok));
  for (const id of ["F1", "F2", "F3"]) delivery.enqueue(notification(id));
  await advance(2000);
  assert.deepEqual(sent, ["F2 firing", "F3 firing"]);
});

test("a channel that throws is tried again, and what it threw is not shown", async () => {
  const { delivery, advance, outcomes } = setUp((_, attempt) =>
    attempt === 1
      ? () => {
          throw new Error("https://hooks.example.com/secret");
        }
      : ok,
  );
  delivery.enqueue(notification("F1"));
  await advance(2000);
  assert.deepEqual(outcomes, ["F1 waiting (the channel broke off)", "F1 sent"]);
});

test("an alert that fired and resolved during an outage is told once, as over", async () => {
  let isUp = false;
  const { delivery, advance, sent, outcomes } = setUp(() => (isUp ? ok : down));
  delivery.enqueue(notification("F1"));
  await advance(600_000);
  delivery.enqueue(notification("R1"));
  await advance(3_000_000);
  isUp = true;
  await advance(BACKOFF_MAX_MS);
  assert.deepEqual(sent, ["R1 fired and resolved"]);
  assert.deepEqual(
    outcomes.filter((outcome) => !outcome.includes("waiting")),
    ["F1 merged into R1", "R1 sent"],
  );
});

for (const [name, ids, expected] of [
  ["fired, and fires still", "F1", "F1 firing"],
  ["resolved after it had been told", "R1", "R1 resolved"],
  ["flapped, and is over", "F1 R1 F1b R1b", "R1b fired and resolved"],
  ["flapped, and fires", "F1 R1 F1b", "F1b firing"],
  ["resolved, fired again and fires", "R1 F1", "F1 firing"],
  ["two alerts", "F1 F2 R2", "F1 firing, R2 fired and resolved"],
] as const) {
  test(`after an outage each alert is told as it stands: ${name}`, async () => {
    let isUp = false;
    const { delivery, advance, sent } = setUp(({ id }) => (isUp && id !== "X9" ? ok : down));
    delivery.enqueue(notification("X9"));
    await advance(1000);
    for (const id of ids.split(" ")) delivery.enqueue(notification(id));
    await advance(3_600_000);
    isUp = true;
    await advance(2 * BACKOFF_MAX_MS);
    assert.equal(sent.join(", "), expected);
  });
}

test("a summary tells of the last time that it fired", async () => {
  let isUp = false;
  const details: string[] = [];
  const { delivery, advance } = setUp(({ id, detail }) => {
    if (isUp && id !== "X9") details.push(detail);
    return isUp && id !== "X9" ? ok : down;
  });
  delivery.enqueue(notification("X9"));
  for (const [id, detail] of [
    ["F1", "first"],
    ["R1", "over"],
    ["F1b", "second"],
    ["R1b", "over again"],
  ] as const) {
    const given = notification(id);
    delivery.enqueue({ ...given, message: { ...given.message, detail } });
  }
  await advance(1000);
  isUp = true;
  await advance(2 * BACKOFF_MAX_MS);
  assert.deepEqual(details, [
    "over again\nIt could not be told in time. When it fired: support-agent is slow: second",
  ]);
});

test("a message on its way is not merged, as it may have arrived", async () => {
  const { promise, resolve } = Promise.withResolvers<SendResult>();
  const { delivery, advance, sent } = setUp(({ id }) => (id === "F1" ? promise : ok));
  delivery.enqueue(notification("F1"));
  await advance(1000);
  delivery.enqueue(notification("R1"));
  resolve(ok);
  await advance(1000);
  assert.deepEqual(sent, ["F1 firing", "R1 resolved"]);
});

test("within a minute of the channel's return, all is told", async () => {
  let isUp = false;
  const { delivery, advance, sent } = setUp(() => (isUp ? ok : down));
  for (let n = 0; n < 50; n += 1) delivery.enqueue(notification(`F${n}`));
  await advance(3_600_000);
  isUp = true;
  await advance(60_000);
  assert.equal(sent.length, 50);
});

test("a channel that is away is asked at most once a second", async () => {
  const { delivery, advance, attempts } = setUp(() => down, { random: () => 0 });
  for (let n = 0; n < 50; n += 1) delivery.enqueue(notification(`F${n}`));
  await advance(60_000);
  assert.equal(attempts.length, 61);
});

test("gives up after a day, with the last reason", async () => {
  const { delivery, advance, outcomes, timers } = setUp(() => down);
  delivery.enqueue(notification("F1"));
  await advance(GIVE_UP_MS + 2 * BACKOFF_MAX_MS);
  assert.equal(outcomes.at(-1), "F1 failed (given up after 24 h: away)");
  assert.deepEqual([delivery.stats().waiting, timers()], [0, 0]);
});

test("a notification that is a day old after a restart is given up at once", async () => {
  const { delivery, advance, outcomes, attempts } = setUp(() => ok);
  delivery.enqueue(notification("F1", startMs - GIVE_UP_MS - 1));
  await advance(0);
  assert.deepEqual(outcomes, ["F1 failed (given up after 24 h)"]);
  assert.equal(attempts.length, 0);
});

test("the same notification is not taken twice while it waits", async () => {
  const { delivery, advance, outcomes } = setUp((_, attempt) => (attempt === 1 ? down : ok));
  delivery.enqueue(notification("F1"));
  delivery.enqueue(notification("F1"));
  await advance(1000);
  delivery.enqueue(notification("F1"));
  await advance(10_000);
  assert.deepEqual(outcomes, ["F1 waiting (away)", "F1 sent"]);
});

test("a full queue lets go first of what is over, and counts it", async () => {
  const { delivery, advance, outcomes } = setUp(() => down, { limits: { queueMax: 4 } });
  delivery.enqueue(notification("F0"));
  await advance(0);
  for (const id of ["F1", "F2", "R2", "F3"]) delivery.enqueue(notification(id));
  assert.deepEqual(
    outcomes.filter((outcome) => outcome.includes("dropped")),
    ["F2 dropped (more than 4 were waiting)", "R2 dropped (more than 4 were waiting)"],
  );
  assert.deepEqual(delivery.stats(), { waiting: 3, sent: 0, failed: 0, merged: 0, dropped: 2 });
});

test("a full queue without anything that is over lets go of the oldest", async () => {
  const { delivery, advance, outcomes } = setUp(() => down, { limits: { queueMax: 3 } });
  for (const id of ["F1", "F2", "R3", "F4", "F5"]) delivery.enqueue(notification(id));
  await advance(0);
  delivery.enqueue(notification("F6"));
  assert.deepEqual(
    outcomes.filter((outcome) => outcome.includes("dropped")).map((outcome) => outcome.slice(0, 2)),
    ["R3", "F1", "F2"],
  );
  assert.equal(delivery.stats().waiting, 3);
});

test("a result may enqueue what comes next", async () => {
  const enqueued: Notification[] = [];
  const set = setUp(() => ok, {
    onResult(id) {
      if (id === "F1") enqueued.forEach((next) => void set.delivery.enqueue(next));
    },
  });
  enqueued.push(notification("F2"), notification("F3"));
  set.delivery.enqueue(notification("F1"));
  await set.advance(0);
  assert.deepEqual([set.sent.length, set.mostAtOnce()], [3, 1]);
});

test("closing lets the attempt under way end and sends nothing more", async () => {
  const { promise, resolve } = Promise.withResolvers<SendResult>();
  const { delivery, advance, sent, outcomes, timers } = setUp(() => promise);
  delivery.enqueue(notification("F1"));
  delivery.enqueue(notification("F2"));
  const closed = delivery.close();
  delivery.enqueue(notification("F3"));
  resolve(ok);
  await closed;
  assert.equal(timers(), 0);
  await advance(100_000);
  assert.deepEqual(sent, ["F1 firing"]);
  assert.deepEqual(outcomes, ["F1 sent"]);
  assert.equal(delivery.stats().waiting, 1);
});

test("closing does not wait for an attempt that never ends", async () => {
  const { promise } = Promise.withResolvers<SendResult>();
  const { delivery, advance } = setUp(() => promise);
  delivery.enqueue(notification("F1"));
  const closed = delivery.close();
  await advance(3000);
  await closed;
});

test("closing during a pause ends the pause", async () => {
  const { delivery, advance, attempts, timers } = setUp(() => down);
  delivery.enqueue(notification("F1"));
  await advance(1000);
  await delivery.close();
  await advance(100_000);
  assert.deepEqual([attempts.length, timers(), delivery.stats().waiting], [1, 0, 1]);
});

test("closing twice is closing once", async () => {
  const { delivery } = setUp(() => ok);
  await delivery.close();
  await delivery.close();
});
