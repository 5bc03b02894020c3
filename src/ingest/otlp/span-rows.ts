/**
 * Spans that wait for the rest of their trace, in columns. They wait for seconds, by the
 * hundred thousand: as objects, V8 would copy each of them twice while it collects garbage,
 * which took more time than reading them.
 *
 * Most spans differ from another one of the same place by their ids, times and amounts only:
 * what they have in common is kept once.
 */
import type { Tokens } from "../../signals/request.ts";
import type { AgentSpan } from "../../signals/span.ts";
import { toldTokens } from "../../signals/tokens.ts";

/** Spans that others are likened to. At the bound all are forgotten; rows keep those that they need. */
const LIKES_MAX = 4_096;
const FIRST_CAPACITY = 64;
/** Where there is none, as after the last of a trace. */
export const NO_ROW = -1;

/** What `#amounts` holds of a span, in this order; NaN for what is not known. */
const INPUT = 0;
const TOTAL_INPUT = 4;
const COST = 8;
const SAVED_COST = 9;
const FIRST_TOKEN = 10;
const AMOUNTS = 11;

export class SpanRows {
  readonly #spanIds: string[] = [];
  readonly #parentIds: (string | null)[] = [];
  /** A span that says the same in all that is in no other column. */
  readonly #likes: AgentSpan[] = [];
  /** Start and end of each. */
  #times = new Float64Array(2 * FIRST_CAPACITY);
  #amounts = new Float64Array(AMOUNTS * FIRST_CAPACITY);
  #hasAmounts = new Uint8Array(FIRST_CAPACITY);
  /** Of each row the next one of its trace; of a free row the next free one. */
  #next = new Int32Array(FIRST_CAPACITY);
  #firstFree = NO_ROW;
  /** By path or name. */
  readonly #likeOf = new Map<string, AgentSpan>();

  /** Returns its row, which no other follows. */
  add(span: AgentSpan): number {
    const row = this.#freeRow();
    this.#spanIds[row] = span.spanId;
    this.#parentIds[row] = span.parentSpanId;
    this.#likes[row] = this.#like(span);
    this.#times[2 * row] = span.startMs;
    this.#times[2 * row + 1] = span.endMs;
    this.#next[row] = NO_ROW;
    const told = hasAmounts(span);
    this.#hasAmounts[row] = told ? 1 : 0;
    if (told) this.#setAmounts(AMOUNTS * row, span);
    return row;
  }

  /** Makes `row` the one after `before`. */
  follow(before: number, row: number): void {
    this.#next[before] = row;
  }

  after(row: number): number {
    return this.#next[row] ?? NO_ROW;
  }

  spanId(row: number): string {
    return this.#spanIds[row] ?? "";
  }

  /** @param traceId of the span that was added. */
  get(row: number, traceId: string): AgentSpan {
    const like = this.#likes[row] as AgentSpan; // a row that was added has one
    const at = AMOUNTS * row;
    const told = this.#hasAmounts[row] === 1;
    return {
      traceId,
      spanId: this.#spanIds[row] ?? "",
      parentSpanId: this.#parentIds[row] ?? null,
      name: like.name,
      convention: like.convention,
      kind: like.kind,
      startMs: this.#times[2 * row] ?? 0,
      endMs: this.#times[2 * row + 1] ?? 0,
      endpoint: like.endpoint,
      modelVersion: like.modelVersion,
      release: like.release,
      predictorHash: like.predictorHash,
      path: like.path,
      program: like.program,
      model: like.model,
      provider: like.provider,
      tokens: told ? this.#tokens(at + INPUT) : null,
      totalTokens: told ? this.#tokens(at + TOTAL_INPUT) : null,
      costUsd: told ? this.#amount(at + COST) : null,
      savedCostUsd: told ? this.#amount(at + SAVED_COST) : null,
      cacheHit: like.cacheHit,
      firstTokenMs: told ? this.#amount(at + FIRST_TOKEN) : null,
      failed: like.failed,
      errorClass: like.errorClass,
      errorType: like.errorType,
      errorMessage: like.errorMessage,
      repeatsParent: like.repeatsParent,
    };
  }

  /** Another span may take the row. */
  free(row: number): void {
    this.#next[row] = this.#firstFree;
    this.#firstFree = row;
  }

  #freeRow(): number {
    const row = this.#firstFree;
    if (row !== NO_ROW) {
      this.#firstFree = this.#next[row] ?? NO_ROW;
      return row;
    }
    const added = this.#spanIds.length;
    if (added === this.#next.length) {
      this.#times = copied(new Float64Array(2 * this.#times.length), this.#times);
      this.#amounts = copied(new Float64Array(2 * this.#amounts.length), this.#amounts);
      this.#hasAmounts = copied(new Uint8Array(2 * this.#hasAmounts.length), this.#hasAmounts);
      this.#next = copied(new Int32Array(2 * this.#next.length), this.#next);
    }
    return added;
  }

  #like(span: AgentSpan): AgentSpan {
    const key = span.path ?? span.name;
    const known = this.#likeOf.get(key);
    if (known && isLike(known, span)) return known;
    if (this.#likeOf.size >= LIKES_MAX) this.#likeOf.clear();
    this.#likeOf.set(key, span);
    return span;
  }

  #setAmounts(at: number, span: AgentSpan): void {
    this.#setTokens(at + INPUT, span.tokens);
    this.#setTokens(at + TOTAL_INPUT, span.totalTokens);
    this.#amounts[at + COST] = span.costUsd ?? Number.NaN;
    this.#amounts[at + SAVED_COST] = span.savedCostUsd ?? Number.NaN;
    this.#amounts[at + FIRST_TOKEN] = span.firstTokenMs ?? Number.NaN;
  }

  #setTokens(at: number, tokens: Tokens | null): void {
    this.#amounts[at] = tokens?.input ?? Number.NaN;
    this.#amounts[at + 1] = tokens?.output ?? Number.NaN;
    this.#amounts[at + 2] = tokens?.cacheRead ?? Number.NaN;
    this.#amounts[at + 3] = tokens?.cacheWrite ?? Number.NaN;
  }

  #tokens(at: number): Tokens | null {
    const input = this.#amount(at);
    if (input === null) return null;
    return toldTokens({
      input,
      output: this.#amount(at + 1) ?? 0,
      cacheRead: this.#amount(at + 2) ?? undefined,
      cacheWrite: this.#amount(at + 3) ?? undefined,
    });
  }

  #amount(at: number): number | null {
    const amount = this.#amounts[at] ?? Number.NaN;
    return Number.isNaN(amount) ? null : amount;
  }
}

function hasAmounts(span: AgentSpan): boolean {
  return (
    span.tokens !== null ||
    span.totalTokens !== null ||
    span.costUsd !== null ||
    span.savedCostUsd !== null ||
    span.firstTokenMs !== null
  );
}

function isLike(one: AgentSpan, other: AgentSpan): boolean {
  return (
    one.name === other.name &&
    one.convention === other.convention &&
    one.kind === other.kind &&
    one.endpoint === other.endpoint &&
    one.modelVersion === other.modelVersion &&
    one.release === other.release &&
    one.predictorHash === other.predictorHash &&
    one.path === other.path &&
    one.program === other.program &&
    one.model === other.model &&
    one.provider === other.provider &&
    one.cacheHit === other.cacheHit &&
    one.failed === other.failed &&
    one.errorClass === other.errorClass &&
    one.errorType === other.errorType &&
    one.errorMessage === other.errorMessage &&
    one.repeatsParent === other.repeatsParent
  );
}

function copied<T extends Float64Array | Int32Array | Uint8Array>(larger: T, from: T): T {
  larger.set(from);
  return larger;
}
