/**
 * Brings notifications to one channel: one at a time, again after a failure, and
 * never twice what is old news. While the channel is away they wait; when it is
 * back, each alert is told once, as it stands then.
 *
 * It keeps nothing on disk. Whoever enqueues keeps the notification until a final
 * outcome and enqueues it again after a restart; its id stays the same.
 */
import type { Clock } from "../clock.ts";
import type { Channel, SendResult } from "./channel.ts";
import { summarise } from "./compose.ts";
import type { Message } from "./message.ts";
import type { Notification } from "./notification.ts";

/** `waiting` is followed by another outcome; all others are final. */
export type DeliveryOutcome =
  | { readonly kind: "sent"; readonly attempts: number; readonly text: string }
  | {
      readonly kind: "waiting";
      readonly attempts: number;
      readonly reason: string;
      readonly retryAtMs: number;
    }
  /** Refused by the channel, or given up. */
  | { readonly kind: "failed"; readonly attempts: number; readonly reason: string }
  /** Told by a later notification of the same alert. */
  | { readonly kind: "merged"; readonly into: string }
  /** The queue was full. */
  | { readonly kind: "dropped"; readonly reason: string };

export type Delivery = {
  /** A notification that is waiting already is not taken twice. After `close` none is taken. */
  enqueue(notification: Notification): void;
  stats(): DeliveryStats;
  /** Lets the attempt under way end, for a short while. What waits stays unsent, without an outcome. */
  close(): Promise<void>;
};

export type DeliveryStats = {
  readonly waiting: number;
  readonly sent: number;
  readonly failed: number;
  readonly merged: number;
  readonly dropped: number;
};

export type DeliveryLimits = { readonly queueMax: number; readonly giveUpMs: number };

export type DeliveryOptions = {
  readonly channel: Channel;
  readonly clock: Clock;
  /** From 0 to below 1, as `Math.random`. */
  readonly random: () => number;
  /** Must not throw. */
  readonly onResult: (notificationId: string, outcome: DeliveryOutcome) => void;
  readonly limits?: Partial<DeliveryLimits>;
};

/** Notifications that wait. At the bound, alerts that fired and are over go first, the oldest before the others. */
export const QUEUE_MAX = 1000;

/** After this long nobody is helped by the message any more. */
export const GIVE_UP_MS = 24 * 3_600_000;

export const BACKOFF_MIN_MS = 1000;
export const BACKOFF_MAX_MS = 60_000;

/** A channel that asks for a longer pause than this is asked again anyway. */
export const RETRY_AFTER_MAX_MS = 5 * 60_000;

/** How long `close` waits for the attempt under way. */
export const CLOSE_GRACE_MS = 3000;

type Waiting = {
  readonly order: number;
  readonly notification: Notification;
  readonly message: Message;
  readonly attempts: number;
  readonly reason: string | null;
};

export function createDelivery(options: DeliveryOptions): Delivery {
  const { channel, clock, random, onResult } = options;
  const { queueMax = QUEUE_MAX, giveUpMs = GIVE_UP_MS } = options.limits ?? {};
  const counts = { sent: 0, failed: 0, merged: 0, dropped: 0 };
  const stop = new AbortController();
  let queue: Waiting[] = [];
  let order = 0;
  let inFlight: { readonly id: string; readonly done: Promise<void> } | null = null;
  let failuresInARow = 0;
  let cancelPause: (() => void) | null = null;
  let isClosed = false;

  function report(id: string, outcome: DeliveryOutcome): void {
    if (outcome.kind !== "waiting") counts[outcome.kind] += 1;
    onResult(id, outcome);
  }

  function enqueue(notification: Notification): void {
    const { id, message } = notification;
    if (isClosed || inFlight?.id === id) return;
    if (queue.some((waiting) => waiting.notification.id === id)) return;

    queue.push({ order: order++, notification, message, attempts: 0, reason: null });
    while (queue.length > queueMax) drop();
    sendNext();
  }

  function drop(): void {
    const leaving = new Set(leastMissed(queue));
    queue = queue.filter((waiting) => !leaving.has(waiting));
    for (const { notification } of leaving) {
      report(notification.id, { kind: "dropped", reason: `more than ${queueMax} were waiting` });
    }
  }

  function sendNext(): void {
    while (!isClosed && inFlight === null && cancelPause === null) {
      const taken = takeNext();
      if (taken === null) return;
      const { next, merged } = taken;
      const { id, timeMs } = next.notification;
      const isTooOld = clock.now() - timeMs > giveUpMs;
      // Taken before anything is reported, because a report may enqueue.
      if (!isTooOld) inFlight = { id, done: attempt(next) };

      for (const { notification } of merged) report(notification.id, { kind: "merged", into: id });
      if (isTooOld) {
        const why = next.reason === null ? "" : `: ${next.reason}`;
        const reason = `given up after ${giveUpMs / 3_600_000} h${why}`;
        report(id, { kind: "failed", attempts: next.attempts, reason });
      }
    }
  }

  /** The first in the queue, with all that waits for the same alert folded into the last of it. */
  function takeNext(): { readonly next: Waiting; readonly merged: readonly Waiting[] } | null {
    const [first] = queue;
    if (first === undefined) return null;
    const same = queue.filter((waiting) => alertOf(waiting) === alertOf(first));
    queue = queue.filter((waiting) => !same.includes(waiting));

    const merged = same.toSorted((a, b) => a.order - b.order);
    const last = merged.pop() ?? first;
    const fired = merged.findLast(({ message }) => message.state === "firing");
    if (last.message.state !== "resolved" || fired === undefined) return { next: last, merged };
    const message = summarise(fired.notification, last.notification);
    return { next: { ...last, message }, merged };
  }

  async function attempt(waiting: Waiting): Promise<void> {
    const { notification, message } = waiting;
    const attempts = waiting.attempts + 1;
    const result = await send(message);
    inFlight = null;

    if (result.kind === "retry") {
      failuresInARow += 1;
      const pauseMs = pauseAfter(failuresInARow, result.retryAfterMs ?? 0, random);
      // To the end, so that one message that the channel chokes on does not hold up the others.
      queue.push({ ...waiting, attempts, reason: result.reason });
      if (!isClosed) {
        cancelPause = clock.after(pauseMs, () => {
          cancelPause = null;
          sendNext();
        });
      }
      const retryAtMs = clock.now() + pauseMs;
      report(notification.id, { kind: "waiting", attempts, reason: result.reason, retryAtMs });
      return;
    }
    failuresInARow = 0;
    report(
      notification.id,
      result.kind === "sent"
        ? { kind: "sent", attempts, text: channel.preview(message) }
        : { kind: "failed", attempts, reason: result.reason },
    );
    sendNext();
  }

  async function send(message: Message): Promise<SendResult> {
    try {
      return await channel.send(message, stop.signal);
    } catch {
      // A channel that breaks its contract: what it threw may hold its secret.
      return { kind: "retry", reason: "the channel broke off" };
    }
  }

  return {
    enqueue,
    stats: () => ({ waiting: queue.length + (inFlight === null ? 0 : 1), ...counts }),
    async close() {
      isClosed = true;
      cancelPause?.();
      cancelPause = null;
      if (inFlight === null) return;

      const { promise: graceOver, resolve } = Promise.withResolvers<void>();
      const cancelGrace = clock.after(CLOSE_GRACE_MS, () => {
        stop.abort();
        resolve();
      });
      await Promise.race([inFlight.done, graceOver]);
      cancelGrace();
    },
  };
}

/** Jitter over all of the interval, so that monitors that failed together do not come back together. */
function pauseAfter(failuresInARow: number, retryAfterMs: number, random: () => number): number {
  const longestMs = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** Math.min(failuresInARow, 16));
  const jitteredMs = BACKOFF_MIN_MS + random() * (longestMs - BACKOFF_MIN_MS);
  return Math.round(Math.max(jitteredMs, Math.min(retryAfterMs, RETRY_AFTER_MAX_MS)));
}

/** What leaves a full queue: an alert that fired and is over, else the oldest "resolved", else the oldest. */
function leastMissed(queue: readonly Waiting[]): readonly Waiting[] {
  const oldestFirst = queue.toSorted((a, b) => a.order - b.order);
  for (const group of Map.groupBy(oldestFirst, alertOf).values()) {
    const isOver = group.at(-1)?.message.state === "resolved";
    if (isOver && group.some(({ message }) => message.state === "firing")) return group;
  }
  const isOver = ({ message }: Waiting) => message.state !== "firing";
  const oldest = oldestFirst.find(isOver) ?? oldestFirst[0];
  return oldest === undefined ? [] : [oldest];
}

function alertOf({ message }: Waiting): string {
  return `${message.ruleId}\n${message.endpoint}`;
}
