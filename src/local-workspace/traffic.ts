/**
 * Calls the example agents over HTTP, as their users would: most requests are
 * ordinary, some repeat a question, some fail, and for a while many are slow.
 * `traffic-plan.ts` decides what is asked; this file asks it.
 */
import type { Clock } from "./clock.ts";
import { readRecordings } from "./recordings.ts";
import { createTrafficPlan } from "./traffic-plan.ts";

export type TrafficOptions = {
  /** The local workspace. */
  readonly url: string;
  readonly token: string;
  readonly clock: Clock;
  /** From 0 to below 1. With the same numbers, the same is asked. */
  readonly random: () => number;
  readonly fetch?: typeof fetch;
};

export type TrafficCounts = {
  readonly answered: number;
  /** Answered with another status than 200. */
  readonly failed: number;
  /** Without an answer. */
  readonly unreachable: number;
  /** Not asked, since too many answers were awaited. */
  readonly skipped: number;
};

export type Traffic = {
  counts(): TrafficCounts;
  /** Asks nothing more and gives up on what is under way. */
  close(): Promise<void>;
};

/** From one request to the next; together 1.8 to 3.3 requests each second. */
const PAUSE_MIN_MS = 300;
const PAUSE_MAX_MS = 550;
const TIMEOUT_MS = 30_000;
/** Requests awaiting an answer at most. The slowest recording takes 3 s, so 8 are usual. */
const AWAITED_MAX = 32;

export function startTraffic(options: TrafficOptions): Traffic {
  const { url, token, clock, random } = options;
  const post = options.fetch ?? fetch;
  const plan = createTrafficPlan({ agents: readRecordings(), random });
  const startedMs = clock.now();
  const closing = new AbortController();
  const awaited = new Set<Promise<void>>();
  const counts = { answered: 0, failed: 0, unreachable: 0, skipped: 0 };

  async function ask(agent: string, question: string): Promise<void> {
    try {
      const response = await post(`${url}/serving-endpoints/${agent}/invocations`, {
        method: "POST",
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
        body: JSON.stringify({ inputs: { question } }),
        signal: AbortSignal.any([closing.signal, AbortSignal.timeout(TIMEOUT_MS)]),
      });
      await response.arrayBuffer();
      if (response.ok) counts.answered += 1;
      else counts.failed += 1;
    } catch {
      // Why is of no use here: whoever looks at the traffic sees that nothing arrives.
      if (!closing.signal.aborted) counts.unreachable += 1;
    }
  }

  function askNext() {
    const { agent, question } = plan.next(clock.now() - startedMs);
    if (awaited.size < AWAITED_MAX) {
      const asked = ask(agent, question).finally(() => awaited.delete(asked));
      awaited.add(asked);
    } else {
      counts.skipped += 1;
    }
    cancelNext = clock.after(pauseMs(), askNext);
  }

  const pauseMs = () => PAUSE_MIN_MS + random() * (PAUSE_MAX_MS - PAUSE_MIN_MS);
  let cancelNext = clock.after(pauseMs(), askNext);

  return {
    counts: () => ({ ...counts }),
    async close() {
      cancelNext();
      closing.abort();
      await Promise.allSettled(awaited);
    },
  };
}
