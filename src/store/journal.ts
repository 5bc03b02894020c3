/**
 * The journal: everything that happened, in order, on disk before anyone is told
 * that it was taken. One SQLite table, one row per entry with a checksum, written
 * by a worker thread that commits whatever waits as one group.
 */
import type { EventEmitter } from "node:events";
import { Worker } from "node:worker_threads";
import { MonitorError } from "../monitor-error.ts";
import type {
  Following,
  FromWorker,
  JournalSettings,
  OpenFailure,
  PlacedEntry,
  StoredEntry,
  ToWorker,
} from "./journal-file.ts";

export type { EntryBody, Following, PlacedEntry } from "./journal-file.ts";

/** Entries that wait for the disk, in characters or bytes. Beyond, `append` refuses. */
export const PENDING_LENGTH_MAX = 64 * 1024 * 1024;
/** Age, in milliseconds, at which entries leave the journal. */
export const RETENTION_MS = 24 * 60 * 60 * 1000;
/** Size of the journal beyond which the oldest entries leave it, in bytes. */
export const SIZE_MAX_BYTES = 256 * 1024 * 1024;

/**
 * Size at which no telemetry is taken any more, in bytes. So large it becomes only while what has
 * to leave it can't, since the history can't be written.
 */
export const FULL_BYTES = 1024 * 1024 * 1024;
/** What `appendUpkeep` may take beyond, in bytes. */
const UPKEEP_BYTES = 64 * 1024 * 1024;

export type JournalOpened = {
  readonly journal: Journal;
  /** The journal of before could not be read and was set aside under this name. */
  readonly quarantinedAs: string | null;
  /** It ends before `readUpTo`: it is an older one that was put back, or it was gone. */
  readonly isOlder: boolean;
};

export type Replayed = {
  readonly entries: number;
  /** Entries whose checksum did not fit. */
  readonly damaged: number;
  /** Part of the file could not be read at all: it was set aside under this name, the rest was kept. */
  readonly quarantinedAs: string | null;
};

type Waiting = {
  readonly entry: StoredEntry;
  readonly resolve: (seq: number) => void;
  readonly reject: (error: MonitorError) => void;
};

/**
 * Opens or makes the journal of a data directory and holds its lock.
 *
 * @throws MonitorError `DATA_DIR_LOCKED` while another process holds it,
 * `DATA_DIR_UNWRITABLE` when it can't be made or written, `STORE_DAMAGED` when a
 * newer version wrote it.
 */
export function openJournal(
  directory: string,
  {
    name = "journal",
    sizeMaxBytes = SIZE_MAX_BYTES,
    fullBytes = FULL_BYTES,
    readUpTo = 0,
    startWriter = startThread,
  }: JournalOptions = {},
): Promise<JournalOpened> {
  const settings = { directory, name, retentionMs: RETENTION_MS, sizeMaxBytes, readUpTo };
  const worker = startWriter(settings);
  return new Promise((resolve, reject) => {
    const stopped = () => reject(new Error("the journal's writer stopped before it was ready"));
    worker.once("error", reject);
    worker.once("exit", stopped);
    worker.once("message", (message: FromWorker) => {
      worker.off("error", reject);
      worker.off("exit", stopped);
      if (message.kind === "opened") {
        const { quarantinedAs, isOlder, usedBytes } = message;
        const journal = new Journal(worker, { usedBytes, fullBytes });
        resolve({ journal, quarantinedAs, isOlder });
      } else if (message.kind === "open_failed") {
        reject(openError(directory, message));
      }
    });
  });
}

export type JournalOptions = {
  /** Of its file, where a directory has several: each is a journal of its own. */
  readonly name?: string;
  readonly sizeMaxBytes?: number;
  /** `FULL_BYTES` by default. */
  readonly fullBytes?: number;
  /**
   * The last place that somebody is known to have read; 0 by default. What comes gets places beyond
   * it, whatever the file says: who follows the journal would take lower ones for known.
   */
  readonly readUpTo?: number;
  /** Starts who writes the file; a thread of its own by default. */
  readonly startWriter?: StartJournalWriter;
};

export type StartJournalWriter = (settings: JournalSettings) => JournalWriter;

/** Its first message is `opened` or `open_failed`. */
export type JournalWriter = {
  postMessage(message: ToWorker): void;
} & Pick<EventEmitter, "on" | "once" | "off">;

function startThread(settings: JournalSettings): JournalWriter {
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  return new Worker(new URL(`./journal-worker.${extension}`, import.meta.url), {
    workerData: settings,
    execArgv: ["--disable-warning=ExperimentalWarning"],
  });
}

export class Journal {
  readonly #worker: JournalWriter;
  #waiting: Waiting[] = [];
  #committing: readonly Waiting[] = [];
  #pendingLength = 0;
  #onEntries: ((message: FromWorker & { kind: "entries" }) => void) | null = null;
  #onClosed: (() => void) | null = null;
  #reading: { readonly reject: (error: MonitorError) => void } | null = null;
  /** Answered in their order. */
  readonly #following: {
    readonly resolve: (following: Following) => void;
    readonly reject: (error: MonitorError) => void;
  }[] = [];
  #failure: MonitorError | null = null;
  readonly #fullBytes: number;
  #usedBytes: number;

  constructor(
    worker: JournalWriter,
    { usedBytes, fullBytes }: { readonly usedBytes: number; readonly fullBytes: number },
  ) {
    this.#worker = worker;
    this.#usedBytes = usedBytes;
    this.#fullBytes = fullBytes;
    worker.on("message", (message: FromWorker) => this.#receive(message));
    worker.on("error", (cause) => this.#fail(storeError("the journal's writer stopped", cause)));
    worker.on("exit", () => {
      if (this.#onClosed) this.#onClosed();
      else this.#fail(storeError("the journal's writer stopped"));
    });
  }

  /**
   * Resolves with its place once the entry is on disk. Calls resolve in the order they were made.
   *
   * @throws MonitorError `STORE_FULL` when the disk is full or behind. The entry
   * was not written; the same call may be made again. `TELEMETRY_TOO_LARGE` when
   * it can never be written.
   */
  append(entry: StoredEntry): Promise<number> {
    if (this.isFull) {
      return Promise.reject(
        new MonitorError(
          "STORE_FULL",
          `cannot write to the journal: it holds ${mebibytes(this.#usedBytes)} MiB that the history could not take yet, and ${mebibytes(this.#fullBytes)} MiB is the most`,
          {
            hint: "Mend what the monitor says of its history, such as a full disk; the journal is shortened within a minute after. The sender may send the same batch again.",
          },
        ),
      );
    }
    return this.#append(entry);
  }

  /** For what has to be written before the journal is shortened: it is taken even by a full one. */
  appendUpkeep(entry: StoredEntry): Promise<number> {
    if (this.#usedBytes < this.#fullBytes + UPKEEP_BYTES) return this.#append(entry);
    return Promise.reject(storeError("no room is left even to shorten it"));
  }

  /** It takes no telemetry until it is shortened. */
  get isFull(): boolean {
    return this.#usedBytes >= this.#fullBytes;
  }

  #append(entry: StoredEntry): Promise<number> {
    if (this.#failure) return Promise.reject(this.#failure);
    if (entry.body.length > PENDING_LENGTH_MAX) {
      return Promise.reject(
        new MonitorError(
          "TELEMETRY_TOO_LARGE",
          "the batch holds more spans than can be journalled at once",
          {
            hint: "Send smaller batches; OpenTelemetry exporters send 512 spans by default.",
          },
        ),
      );
    }
    if (this.#pendingLength + entry.body.length > PENDING_LENGTH_MAX) {
      return Promise.reject(storeError("more telemetry waits for the disk than fits in memory"));
    }
    this.#pendingLength += entry.body.length;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ entry, resolve, reject });
      this.#commitNext();
    });
  }

  /** Hands every stored entry to `take`, oldest first. Damaged ones are left out and counted. */
  replay(take: (entry: PlacedEntry) => void): Promise<Replayed> {
    let entries = 0;
    return new Promise((resolve, reject) => {
      this.#reading = { reject };
      const end = (settle: () => void) => {
        this.#onEntries = null;
        this.#reading = null;
        settle();
      };
      this.#onEntries = (message) => {
        try {
          for (const entry of message.entries) take(entry);
        } catch (error) {
          end(() => reject(error));
          return;
        }
        entries += message.entries.length;
        const { damaged, quarantinedAs } = message;
        if (message.last) end(() => resolve({ entries, damaged, quarantinedAs }));
        else this.#send({ kind: "read_more" });
      };
      this.#send({ kind: "read" });
    });
  }

  /**
   * What was written after a place in the journal, the oldest first, as much as is well read at
   * a time.
   */
  entriesAfter(seq: number): Promise<Following> {
    if (this.#failure) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#following.push({ resolve, reject });
      this.#send({ kind: "read_after", seq });
    });
  }

  /**
   * Removes what is older than the retention or beyond the size limit.
   *
   * @param upTo entries after it are still needed and stay.
   */
  prune(nowMs: number, upTo = Number.MAX_SAFE_INTEGER): void {
    this.#send({ kind: "prune", nowMs, upTo });
  }

  /** Removes the entries of these places, both included. */
  remove({ from, to }: { readonly from: number; readonly to: number }): void {
    this.#send({ kind: "remove", from, to });
  }

  /** Commits what waits, then closes the file. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#onClosed = resolve;
      const whenIdle = () => {
        if (this.#committing.length > 0 || this.#waiting.length > 0) setImmediate(whenIdle);
        else this.#send({ kind: "close" });
      };
      if (this.#failure) resolve();
      else whenIdle();
    });
  }

  #commitNext(): void {
    if (this.#committing.length > 0 || this.#waiting.length === 0) return;
    this.#committing = this.#waiting;
    this.#waiting = [];
    this.#send({ kind: "commit", entries: this.#committing.map(({ entry }) => entry) });
  }

  #receive(message: FromWorker): void {
    switch (message.kind) {
      case "committed":
      case "commit_failed": {
        if (message.kind === "committed") this.#usedBytes = message.usedBytes;
        const group = this.#committing;
        this.#committing = [];
        for (const [index, { entry, resolve, reject }] of group.entries()) {
          this.#pendingLength -= entry.body.length;
          if (message.kind === "committed") resolve(message.lastSeq - (group.length - 1 - index));
          else reject(storeError(message.problem));
        }
        this.#commitNext();
        return;
      }
      case "pruned":
        this.#usedBytes = message.usedBytes;
        return;
      case "entries":
        this.#onEntries?.(message);
        return;
      case "following":
        this.#following.shift()?.resolve(message);
        return;
      case "opened":
      case "open_failed":
        return;
    }
  }

  #fail(error: MonitorError): void {
    this.#failure = error;
    for (const { reject } of [...this.#committing, ...this.#waiting]) reject(error);
    this.#committing = [];
    this.#waiting = [];
    this.#reading?.reject(error);
    for (const { reject } of this.#following.splice(0)) reject(error);
    this.#onClosed?.();
  }

  #send(message: ToWorker): void {
    this.#worker.postMessage(message);
  }
}

function mebibytes(bytes: number): number {
  return Math.round(bytes / 1024 / 1024);
}

function storeError(problem: string, cause?: unknown): MonitorError {
  return new MonitorError("STORE_FULL", `cannot write to the journal: ${problem}`, {
    hint: "Free disk space in the data directory; the sender may send the same batch again.",
    cause,
  });
}

function openError(directory: string, failure: OpenFailure): MonitorError {
  if (failure.reason === "locked") {
    const holder = failure.holder === null ? "another process" : `process ${failure.holder}`;
    return new MonitorError(
      "DATA_DIR_LOCKED",
      `cannot open the data directory ${directory}: a monitor is running on it (${holder})`,
      { hint: "Stop that monitor, or choose another directory with --data-dir." },
    );
  }
  if (failure.reason === "newer") {
    return new MonitorError(
      "STORE_DAMAGED",
      `cannot read the data directory ${directory}: a newer version wrote it (${failure.problem})`,
      {
        hint: "Update dspy-databricks-agents to the version that wrote it, or choose another directory with --data-dir.",
      },
    );
  }
  return new MonitorError(
    "DATA_DIR_UNWRITABLE",
    `cannot write to the data directory ${directory}: ${failure.problem}`,
    { hint: "Make it writable for this user, or choose another with --data-dir." },
  );
}
