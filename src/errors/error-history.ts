/**
 * The last errors, oldest out first, in columns: keeping one more writes to places
 * that are there already, so that it costs the same whatever the history.
 */
import type { LiveGroup } from "./group-table.ts";
import type { Context } from "./kept-context.ts";
import type { KeptError } from "./kept-error.ts";

export class ErrorHistory {
  readonly #sizeMax: number;
  readonly #times: Float64Array;
  readonly #elapsed: Float64Array;
  readonly #severities: Uint8Array;
  readonly #classes: Uint8Array;
  readonly #groups: (LiveGroup | null)[];
  readonly #messages: string[];
  readonly #versions: (string | null)[];
  readonly #contexts: (Context | null)[];
  readonly #errors: (KeptError | null)[];
  /** Of the last error; the first one has 1. */
  sequence = 0;

  constructor(sizeMax: number) {
    this.#sizeMax = sizeMax;
    this.#times = new Float64Array(sizeMax);
    this.#elapsed = new Float64Array(sizeMax);
    this.#severities = new Uint8Array(sizeMax);
    this.#classes = new Uint8Array(sizeMax);
    this.#groups = new Array<LiveGroup | null>(sizeMax).fill(null);
    this.#messages = new Array<string>(sizeMax).fill("");
    this.#versions = new Array<string | null>(sizeMax).fill(null);
    this.#contexts = new Array<Context | null>(sizeMax).fill(null);
    this.#errors = new Array<KeptError | null>(sizeMax).fill(null);
  }

  /** Returns the error's sequence. */
  add(
    group: LiveGroup,
    severity: number,
    errorClass: number,
    timeMs: number,
    elapsedMs: number,
    version: string | null,
    message: string,
    context: Context,
    error: KeptError | null,
  ): number {
    const at = this.sequence % this.#sizeMax;
    this.#times[at] = timeMs;
    this.#elapsed[at] = elapsedMs;
    this.#severities[at] = severity;
    this.#classes[at] = errorClass;
    this.#groups[at] = group;
    this.#messages[at] = message;
    this.#versions[at] = version;
    this.#contexts[at] = context;
    this.#errors[at] = error;
    return ++this.sequence;
  }

  /** The sequence of the oldest error that is kept. */
  get oldest(): number {
    return Math.max(1, this.sequence - this.#sizeMax + 1);
  }

  elapsedMs(sequence: number): number {
    return this.#elapsed[this.#at(sequence)] as number;
  }

  severity(sequence: number): number {
    return this.#severities[this.#at(sequence)] as number;
  }

  group(sequence: number): LiveGroup | null {
    return this.#groups[this.#at(sequence)] ?? null;
  }

  /** All that is kept of an error, or `null` when it has made room for others. */
  read(sequence: number) {
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
    return (sequence - 1) % this.#sizeMax;
  }
}
