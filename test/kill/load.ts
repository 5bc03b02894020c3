/**
 * Senders that behave as OTLP exporters do: what was not acknowledged is sent
 * again until it is, and now and then something that was acknowledged is sent
 * again too, because its answer was late.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { Random } from "./random.ts";
import { agents, type Batch, type Copy, type Recording } from "./recordings.ts";

const SENDERS = 4;
/** Share of the batches that are sent once more although they were acknowledged. */
const REPEATED_SHARE = 0.1;
/** Share of the batches that are sent twice at the same time. */
const DOUBLED_SHARE = 0.05;
/** How often a sender looks whether the monitor is back, in milliseconds. */
const RETRY_MS = 20;

export type Load = {
  /** Where to send; `null` while the monitor is down. */
  target: string | null;
  /** Everything that was begun, each once. After `stop` all of it is acknowledged. */
  readonly copies: readonly Copy[];
  /** `unanswered`: the monitor was killed while it had the batch. */
  readonly counts: {
    readonly acknowledged: number;
    readonly unanswered: number;
    readonly repeated: number;
  };
  /** Rejects when a batch is refused, which no sender would try again. */
  readonly failed: Promise<never>;
  /** Lets each sender bring what it began to its end: the monitor must be up. */
  stop(): Promise<void>;
  /** Ends the senders wherever they are. */
  abandon(): void;
};

export function startLoad({
  recordings,
  random,
}: {
  readonly recordings: readonly Recording[];
  readonly random: Random;
}): Load {
  const copies: Copy[] = [];
  const acknowledged: Batch[] = [];
  const counts = { acknowledged: 0, unanswered: 0, repeated: 0 };
  let stopped = false;
  let abandoned = false;
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => {});

  async function post({ headers, body }: Batch): Promise<boolean> {
    if (load.target === null) return false;
    try {
      const response = await fetch(`${load.target}/v1/traces`, { method: "POST", headers, body });
      const text = await response.text();
      if (response.ok) return true;
      if (response.status === 503) return false;
      throw new Error(`a recorded body was refused with ${response.status}: ${text}`);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // fetch's way to say: no whole answer
      counts.unanswered++;
      return false;
    }
  }

  async function deliver(batch: Batch): Promise<void> {
    const isDoubled = random.next() < DOUBLED_SHARE;
    const twice = isDoubled ? [batch, batch] : [batch];
    while (!abandoned && !(await Promise.all(twice.map(post))).every(Boolean)) {
      await pause(RETRY_MS);
    }
    counts.acknowledged++;
    acknowledged.push(batch);
  }

  async function sender(): Promise<void> {
    while (!stopped) {
      const copy = random.pick(recordings).copy(random.pick(agents));
      copies.push(copy);
      for (const batch of copy.batches) await deliver(batch);
      if (random.next() < REPEATED_SHARE) {
        counts.repeated++;
        await deliver(random.pick(acknowledged));
      }
      await pause(random.between(5, 25));
    }
  }

  const load = {
    target: null as string | null, // set from outside
    copies,
    counts,
    failed: failed.promise,
    async stop() {
      stopped = true;
      await Promise.race([Promise.all(senders), failed.promise]);
    },
    abandon() {
      stopped = true;
      abandoned = true;
    },
  };
  const senders = Array.from({ length: SENDERS }, () => sender().catch(failed.reject));
  return load;
}
