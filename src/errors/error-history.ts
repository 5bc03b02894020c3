/**
 * The last errors, oldest out first, in columns: keeping one more writes to places
 * that are there already, so that it costs the same whatever the history. Errors
 * that are large make room sooner.
 */
import type { LiveGroup, SeenError } from "./group-table.ts";
import type { Context } from "./kept-context.ts";
import type { KeptError } from "./kept-error.ts";

/**
 * Handed from function to function as one object: measured against nine arguments,
 * in one process and in turns, it costs nothing.
 */
export type HistoryEntry = SeenError & {
  /** Its place among `errorClasses`. */
  readonly errorClass: number;
  readonly elapsedMs: number;
  readonly message: string;
  readonly context: Context;
  readonly error: KeptError | null;
  /** Of message, context and error, an upper estimate. */
  readonly sizeBytes: number;
};

export class ErrorHistory {
  readonly #errorsMax: number;
  readonly #bytesMax: number;
  readonly #times: Float64Array;
  readonly #elapsed: Float64Array;
  readonly #sizes: Uint32Array;
  readonly #severities: Uint8Array;
  readonly #classes: Uint8Array;
  readonly #groups: (LiveGroup | null)[];
  readonly #messages: string[];
  readonly #versions: (string | null)[];
  readonly #contexts: (Context | null)[];
  readonly #errors: (KeptError | null)[];
  /** Of the last error; the first one has 1. */
  sequence = 0;
  /** The sequence of the oldest error that is kept. */
  oldest = 1;
  /** Of all errors that are kept. */
  bytes = 0;

  constructor({
    maxErrors,
    maxBytes,
  }: {
    readonly maxErrors: number;
    readonly maxBytes: number;
  }) {
    this.#errorsMax = maxErrors;
    this.#bytesMax = maxBytes;
    this.#times = new Float64Array(maxErrors);
    this.#elapsed = new Float64Array(maxErrors);
    this.#sizes = new Uint32Array(maxErrors);
    this.#severities = new Uint8Array(maxErrors);
    this.#classes = new Uint8Array(maxErrors);
    this.#groups = new Array<LiveGroup | null>(maxErrors).fill(null);
    this.#messages = new Array<string>(maxErrors).fill("");
    this.#versions = new Array<string | null>(maxErrors).fill(null);
    this.#contexts = new Array<Context | null>(maxErrors).fill(null);
    this.#errors = new Array<KeptError | null>(maxErrors).fill(null);
  }

  /** Errors that are kept. */
  get size(): number {
    return this.sequence - this.oldest + 1;
  }

  /** Returns the error's sequence. */
  add(entry: HistoryEntry): number {
    if (this.size === this.#errorsMax) this.#dropOldest();
    this.bytes += entry.sizeBytes;
    while (this.bytes > this.#bytesMax && this.size > 0) this.#dropOldest();
    const at = this.sequence % this.#errorsMax;
    this.#times[at] = entry.timeMs;
    this.#elapsed[at] = entry.elapsedMs;
    this.#sizes[at] = entry.sizeBytes;
    this.#severities[at] = entry.severity;
    this.#classes[at] = entry.errorClass;
    this.#groups[at] = entry.group;
    this.#messages[at] = entry.message;
    this.#versions[at] = entry.modelVersion;
    this.#contexts[at] = entry.context;
    this.#errors[at] = entry.error;
    return ++this.sequence;
  }

  #dropOldest(): void {
    const at = this.#at(this.oldest++);
    this.bytes -= this.#sizes[at] as number;
    this.#groups[at] = null;
    this.#messages[at] = "";
    this.#contexts[at] = null;
    this.#errors[at] = null;
  }

  /** Sequences of the errors after this moment, newest first. */
  *since(elapsedMs: number): Generator<number> {
    for (let sequence = this.sequence; sequence >= this.oldest; sequence--) {
      if ((this.#elapsed[this.#at(sequence)] as number) <= elapsedMs) return;
      yield sequence;
    }
  }

  severity(sequence: number): number {
    return this.#severities[this.#at(sequence)] as number;
  }

  group(sequence: number): LiveGroup | null {
    return this.#groups[this.#at(sequence)] ?? null;
  }

  /** All that is kept of an error, or `null` when it has made room for others. */
  read(sequence: number): Omit<HistoryEntry, "elapsedMs" | "sizeBytes"> | null {
    if (sequence < this.oldest || sequence > this.sequence) return null;
    const at = this.#at(sequence);
    const group = this.#groups[at];
    if (!group) return null;
    return {
      group,
      timeMs: Math.floor(this.#times[at] as number),
      severity: this.#severities[at] as number,
      errorClass: this.#classes[at] as number,
      message: this.#messages[at] ?? "",
      modelVersion: this.#versions[at] ?? null,
      context: this.#contexts[at] ?? {},
      error: this.#errors[at] ?? null,
    };
  }

  #at(sequence: number): number {
    return (sequence - 1) % this.#errorsMax;
  }
}
