/**
 * Forwards one signal to another OTLP receiver. What was taken is on disk, and leaves it when
 * the receiver has it: so it is delivered at least once, whoever dies in between, and what was
 * under way then is delivered twice. The queue has a limit; beyond it the oldest goes, and is
 * counted.
 *
 * Source: OpenTelemetry Protocol specification, "OTLP/HTTP".
 */
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { Clock } from "../../clock.ts";
import type { PassedOn, Signal } from "../../ingest/otlp/passed-on.ts";
import { HOPS_HEADER, HOPS_MAX } from "../../signals/forward-hops.ts";
import { type Journal, openJournal, type PlacedEntry } from "../../store/journal.ts";
import { type Fetch, type Outcome, send, wait } from "../post.ts";
import type { ForwardTarget } from "./forward-target.ts";
import { readRejected } from "./read-rejected.ts";

/** What may wait of one signal, in bytes on disk: a day of some two spans a second. */
export const FORWARD_QUEUE_MAX_BYTES = 256 * 1024 * 1024;
/** Largest request, in bytes before it is compressed; a single batch that came larger goes alone. */
export const FORWARD_REQUEST_MAX_BYTES = 4 * 1024 * 1024;
/** Most batches, as they came, in one request. */
const BATCHES_PER_REQUEST_MAX = 256;
/** For one request, from connecting to the last byte, in milliseconds. */
const REQUEST_TIMEOUT_MS = 30_000;
/** The wait before attempt n is random between 0 and this much times 2^(n-1), in milliseconds. */
const RETRY_BASE_MS = 1_000;
const RETRY_WAIT_MAX_MS = 60_000;
/** The same where only a person can help: a token, an address, a permission. */
const PARKED_BASE_MS = 5_000;
const PARKED_WAIT_MAX_MS = 300_000;
/** Added at random to `Retry-After`, so that those told the same do not return together. */
const RETRY_AFTER_JITTER_MS = 1_000;
/** So often a request is tried again that its receiver fails at without saying that it will pass. */
const FAILING_ATTEMPTS_MAX = 10;
/** Largest answer that is read, in bytes. */
const ANSWER_MAX_BYTES = 64 * 1024;
/** How long a stop tries to deliver what waits, in milliseconds. */
const CLOSE_DEADLINE_MS = 3_000;
/** In front of a request in the queue: how often it was forwarded before, and how many spans or data points it has. */
const HEAD_BYTES = 4;
const ITEMS_BITS = 24;
const ITEMS_MAX = 2 ** ITEMS_BITS - 1;

/** Why something taken never arrives. */
export type ForwardLoss =
  /** More waited than the queue may hold. */
  | "queue_full"
  /** It had come round: monitors forward to each other. */
  | "loop"
  /** The receiver took the rest of a request, and said so. */
  | "rejected"
  /** The receiver refused a request as it is. */
  | "refused"
  /** The receiver takes no request of this size. */
  | "too_large"
  /** It could not be read well enough to take the secrets out. */
  | "malformed"
  /** It could not be read back from the disk. */
  | "damaged";

export type ForwardStatus = {
  readonly signal: Signal;
  readonly origin: string;
  /** Spans or data points that the receiver has taken since the start. */
  readonly forwarded: number;
  readonly lastForwardedMs: number | null;
  readonly waiting: number;
  readonly waitingBytes: number;
  /** When the oldest that waits came; `null` when nothing does. */
  readonly oldestMs: number | null;
  /** Spans or data points since the start. */
  readonly dropped: ReadonlyMap<ForwardLoss, number>;
  /** Why the receiver has not got what waits; `null` while it takes it. */
  readonly problem: string | null;
};

export type ForwardLaneOptions = {
  readonly dataDirectory: string;
  readonly signal: Signal;
  readonly target: ForwardTarget;
  readonly clock: Clock;
  readonly random: () => number;
  readonly fetch: Fetch;
  /** Told when forwarding begins to fail, when it works again, and when the first is lost. */
  readonly onNotice: (notice: string) => void;
  readonly queueMaxBytes?: number;
};

type Waiting = { readonly timeMs: number; readonly sizeBytes: number; readonly items: number };
type Batch = readonly PlacedEntry[];

const compress = promisify(gzip);

/** @throws MonitorError as `openJournal`. */
export async function openForwardLane(options: ForwardLaneOptions): Promise<ForwardLane> {
  const { dataDirectory, signal, onNotice } = options;
  const name = `forward-${signal}`;
  const { journal, quarantinedAs } = await openJournal(dataDirectory, { name });
  const waiting = new Map<number, Waiting>();
  const replayed = await journal.replay((entry) => waiting.set(entry.seq, waitingOf(entry)));
  const setAside = quarantinedAs ?? replayed.quarantinedAs;
  if (setAside !== null) {
    onNotice(`What waited to be forwarded was damaged, and was set aside as ${setAside}.`);
  }
  return new ForwardLane(options, { journal, waiting });
}

function waitingOf({ timeMs, body }: PlacedEntry): Waiting {
  return { timeMs, sizeBytes: body.length, items: itemsIn(body) };
}

function itemsIn(body: PlacedEntry["body"]): number {
  return headOf(body) & ITEMS_MAX;
}

function hopsOf({ body }: PlacedEntry): number {
  return headOf(body) >>> ITEMS_BITS;
}

function headOf(body: PlacedEntry["body"]): number {
  if (typeof body === "string" || body.length < HEAD_BYTES) return 0;
  return new DataView(body.buffer, body.byteOffset).getUint32(0);
}

export class ForwardLane {
  readonly #options: ForwardLaneOptions;
  readonly #journal: Journal;
  /** By place in the queue, the oldest first. */
  readonly #waiting: Map<number, Waiting>;
  #waitingBytes = 0;
  #waitingItems = 0;
  /** Read from the queue and not yet delivered. */
  #read: PlacedEntry[] = [];
  #readUpTo = 0;
  /** The last place of the request that is under way. */
  #underWayUpTo = 0;
  #batchesPerRequest = BATCHES_PER_REQUEST_MAX;
  #attempts = 0;
  /** Answers in a row by which the receiver failed without saying that it will pass. */
  #failing = 0;
  #problem: string | null = null;
  #forwarded = 0;
  #lastForwardedMs: number | null = null;
  readonly #dropped = new Map<ForwardLoss, number>();
  readonly #closed = new AbortController();
  #news = Promise.withResolvers<void>();
  #emptied: (() => void) | null = null;
  readonly #running: Promise<void>;

  constructor(
    options: ForwardLaneOptions,
    { journal, waiting }: { readonly journal: Journal; readonly waiting: Map<number, Waiting> },
  ) {
    this.#options = options;
    this.#journal = journal;
    this.#waiting = waiting;
    for (const { sizeBytes, items } of waiting.values()) {
      this.#waitingBytes += sizeBytes;
      this.#waitingItems += items;
    }
    this.#shed();
    this.#running = this.#run();
  }

  /**
   * Resolves once it is on disk.
   *
   * @throws MonitorError `STORE_FULL`: nothing was taken, and the same may be given again.
   */
  async take({ body, items, hops = 0 }: PassedOn & { readonly hops?: number }): Promise<void> {
    if (items === 0) return;
    const entry = new Uint8Array(HEAD_BYTES + body.length);
    const head = hops * 2 ** ITEMS_BITS + Math.min(items, ITEMS_MAX);
    new DataView(entry.buffer).setUint32(0, head);
    entry.set(body, HEAD_BYTES);
    const timeMs = this.#options.clock.now();
    const seq = await this.#journal.append({ timeMs, body: entry });
    this.#waiting.set(seq, { timeMs, sizeBytes: entry.length, items });
    this.#waitingBytes += entry.length;
    this.#waitingItems += items;
    this.#shed();
    this.#news.resolve();
  }

  lose(reason: ForwardLoss, items: number): void {
    if (items <= 0) return;
    if (!this.#dropped.has(reason)) {
      const { signal, target } = this.#options;
      this.#options.onNotice(
        `Some ${signal} are not forwarded to ${target.origin}: ${lossWords[reason]}.`,
      );
    }
    this.#dropped.set(reason, (this.#dropped.get(reason) ?? 0) + items);
  }

  status(): ForwardStatus {
    const [oldest] = this.#waiting.values();
    return {
      signal: this.#options.signal,
      origin: this.#options.target.origin,
      forwarded: this.#forwarded,
      lastForwardedMs: this.#lastForwardedMs,
      waiting: this.#waitingItems,
      waitingBytes: this.#waitingBytes,
      oldestMs: oldest?.timeMs ?? null,
      dropped: this.#dropped,
      problem: this.#problem,
    };
  }

  /** Delivers what waits while the receiver takes it, for a moment; the rest stays for the next start. */
  async close(): Promise<void> {
    const { clock } = this.#options;
    if (this.#waiting.size > 0 && this.#problem === null) {
      const emptied = Promise.withResolvers<void>();
      this.#emptied = emptied.resolve;
      const cancel = clock.after(CLOSE_DEADLINE_MS, emptied.resolve);
      await emptied.promise;
      cancel();
    }
    this.#closed.abort();
    this.#news.resolve();
    await this.#running;
    await this.#journal.close();
  }

  /** The oldest goes, but for what is under way. */
  #shed(): void {
    const { queueMaxBytes = FORWARD_QUEUE_MAX_BYTES } = this.#options;
    if (this.#waitingBytes <= queueMaxBytes) return;
    let lost = 0;
    for (const [seq, { items }] of this.#waiting) {
      if (this.#waitingBytes <= queueMaxBytes) break;
      if (seq <= this.#underWayUpTo) continue;
      this.#forget(seq, seq);
      lost += items;
    }
    this.lose("queue_full", lost);
  }

  /** Takes these places, both included, out of the queue. Returns how many items they had. */
  #forget(from: number, to: number): number {
    let items = 0;
    for (const [seq, waiting] of this.#waiting) {
      if (seq > to) break;
      if (seq < from) continue;
      this.#waiting.delete(seq);
      this.#waitingBytes -= waiting.sizeBytes;
      items += waiting.items;
    }
    this.#waitingItems -= items;
    this.#journal.remove({ from, to });
    return items;
  }

  async #run(): Promise<void> {
    while (!this.#closed.signal.aborted) {
      try {
        const batch = await this.#next();
        if (batch) {
          await this.#deliver(batch);
        } else {
          this.#emptied?.();
          await this.#news.promise;
        }
      } catch {
        // The queue can't be read: what waits is tried once more after the next start.
        this.#say("what waits can't be read from the disk");
        return;
      }
    }
  }

  /** What goes into the next request; `null` when nothing waits. */
  async #next(): Promise<Batch | null> {
    this.#news = Promise.withResolvers();
    this.#read = this.#read.filter(({ seq }) => this.#waiting.has(seq));
    while (this.#read.length === 0 && this.#waiting.size > 0) {
      const from = this.#readUpTo;
      const { entries, upTo, last } = await this.#journal.entriesAfter(from);
      this.#readUpTo = upTo;
      this.#read = entries.filter(({ seq }) => this.#waiting.has(seq));
      const found = new Set(entries.map(({ seq }) => seq));
      for (const seq of this.#waiting.keys()) {
        if (seq > upTo) break;
        if (!found.has(seq)) this.lose("damaged", this.#forget(seq, seq));
      }
      if (last && this.#read.length === 0) break;
    }
    const batch: PlacedEntry[] = [];
    let sizeBytes = 0;
    for (const entry of this.#read.slice(0, this.#batchesPerRequest)) {
      if (batch[0] && hopsOf(entry) !== hopsOf(batch[0])) break;
      sizeBytes += entry.body.length;
      if (batch.length > 0 && sizeBytes > FORWARD_REQUEST_MAX_BYTES) break;
      batch.push(entry);
    }
    return batch.length === 0 ? null : batch;
  }

  async #deliver(batch: Batch): Promise<void> {
    this.#underWayUpTo = batch.at(-1)?.seq ?? 0;
    const outcome = await this.#send(batch);
    this.#underWayUpTo = 0;
    if (this.#closed.signal.aborted && outcome.kind === "no_answer") return;

    if (isFailing(outcome)) this.#failing++;
    const fate = fateOf(outcome, this.#failing);
    if (fate === "taken" || fate === "refused") {
      this.#failing = 0;
      this.#attempts = 0;
    }
    switch (fate) {
      case "taken":
        this.#taken(batch, outcome);
        return;
      case "refused":
        this.#refused(batch, outcome);
        return;
      case "later":
      case "parked": {
        this.#say(problemOf(outcome));
        const isParked = fate === "parked";
        await wait(this.#waitMs(outcome, isParked), {
          clock: this.#options.clock,
          signal: this.#closed.signal,
        });
      }
    }
  }

  /** Requests of one kind may be written one behind the other: together they are one request. */
  async #send(batch: Batch): Promise<Outcome> {
    const { target, fetch, clock } = this.#options;
    const bodies = batch.map(({ body }) =>
      typeof body === "string" ? new Uint8Array(0) : body.subarray(HEAD_BYTES),
    );
    const body = new Uint8Array(await compress(Buffer.concat(bodies)));
    const headers = {
      ...target.headers,
      [HOPS_HEADER]: String((batch[0] ? hopsOf(batch[0]) : 0) + 1),
      "content-type": "application/x-protobuf",
      "content-encoding": "gzip",
    };
    return send(
      { method: "POST", url: target.url, headers, body },
      {
        fetch,
        clock,
        timeoutMs: REQUEST_TIMEOUT_MS,
        answerMaxBytes: ANSWER_MAX_BYTES,
        signal: this.#closed.signal,
      },
    );
  }

  #taken(batch: Batch, outcome: Outcome): void {
    const items = this.#done(batch);
    const told = outcome.kind === "answer" ? readRejected(outcome.body) : 0;
    const rejected = Math.min(items, Math.max(0, told));
    this.lose("rejected", rejected);
    this.#forwarded += items - rejected;
    this.#lastForwardedMs = this.#options.clock.now();
    this.#batchesPerRequest = Math.min(BATCHES_PER_REQUEST_MAX, this.#batchesPerRequest * 2);
    if (this.#problem === null) return;
    this.#problem = null;
    const { signal, target, onNotice } = this.#options;
    onNotice(`Forwarding ${signal} to ${target.origin} works again.`);
  }

  /** Half of it is tried, then half of that: only what is refused by itself is lost. */
  #refused(batch: Batch, outcome: Outcome): void {
    if (batch.length > 1) {
      this.#batchesPerRequest = Math.ceil(batch.length / 2);
      return;
    }
    const isTooLarge = outcome.kind === "answer" && outcome.status === 413;
    this.lose(isTooLarge ? "too_large" : "refused", this.#done(batch));
  }

  #done(batch: Batch): number {
    const [first] = batch;
    const last = batch.at(-1);
    if (!first || !last) return 0;
    this.#read = this.#read.slice(batch.length);
    return this.#forget(first.seq, last.seq);
  }

  #waitMs(outcome: Outcome, isParked: boolean): number {
    const { random } = this.#options;
    const [baseMs, maxMs] = isParked
      ? [PARKED_BASE_MS, PARKED_WAIT_MAX_MS]
      : [RETRY_BASE_MS, RETRY_WAIT_MAX_MS];
    const grownMs = Math.min(maxMs, baseMs * 2 ** Math.min(this.#attempts, 20));
    this.#attempts++;
    const askedMs = outcome.kind === "answer" ? outcome.retryAfterMs : null;
    return askedMs === null ? random() * grownMs : askedMs + random() * RETRY_AFTER_JITTER_MS;
  }

  #say(problem: string): void {
    const isNew = this.#problem === null;
    this.#problem = problem;
    const { signal, target, onNotice } = this.#options;
    if (isNew) {
      onNotice(
        `Can't forward ${signal} to ${target.origin}: ${problem}. What waits is kept on disk.`,
      );
    }
  }
}

const lossWords: Readonly<Record<ForwardLoss, string>> = {
  queue_full: "more waits than the queue may hold, so the oldest go",
  loop: `they had been forwarded ${HOPS_MAX} times; monitors forward to each other, so start one of them without --forward`,
  rejected: "the receiver took the rest of a request, and rejected them",
  refused: "the receiver refused a request as it is; its own log says why",
  too_large: "the receiver takes no request of that size",
  malformed: "they could not be read, so no secret could be taken out",
  damaged: "they could not be read back from the disk",
};

type Fate = "taken" | "refused" | "later" | "parked";

/** To be sent again, says OTLP. */
const PASSING = [408, 429, 502, 503, 504];
/** What no other request will change: the address, the token, the kind of receiver. */
const STANDING = [401, 403, 404, 405, 407, 415];

function isFailing(outcome: Outcome): boolean {
  return outcome.kind === "answer" && outcome.status >= 500 && !PASSING.includes(outcome.status);
}

function fateOf(outcome: Outcome, failing: number): Fate {
  switch (outcome.kind) {
    case "no_answer":
      return "later";
    case "redirect":
    case "too_large":
      return "parked";
    case "answer": {
      const { status } = outcome;
      if (status < 300) return "taken";
      if (PASSING.includes(status)) return "later";
      if (STANDING.includes(status)) return "parked";
      return status >= 500 && failing < FAILING_ATTEMPTS_MAX ? "later" : "refused";
    }
  }
}

/** What the receiver wrote is not repeated: it may quote a header. */
function problemOf(outcome: Outcome): string {
  switch (outcome.kind) {
    case "no_answer":
      return `it gave no answer (${outcome.code})`;
    case "redirect":
      return `it answered ${outcome.status}, a redirect, which is not followed so that no header goes elsewhere; give the address of the receiver itself`;
    case "too_large":
      return `it answered with more than ${ANSWER_MAX_BYTES} bytes, so it is no OTLP receiver`;
    case "answer":
      return `it answered ${outcome.status}${hints[outcome.status] ?? ""}`;
  }
}

const hints: Readonly<Record<number, string>> = {
  401: "; check the headers of --forward-headers",
  403: "; check what the headers of --forward-headers may do",
  404: "; check the address, and that the receiver takes this signal: --forward-signals",
  405: "; check the address, and that the receiver takes this signal: --forward-signals",
  415: "; check that the receiver takes OTLP as protobuf with gzip",
};
