/**
 * An OTLP span as it arrived, before any telemetry convention is read from it:
 * what `decode-protobuf.ts` and `decode-json.ts` both produce, and the limits
 * that both keep. Nothing here knows DSPy, OpenInference or MLflow.
 */

import type { AttributeKeys } from "./attribute-keys.ts";

/**
 * A value as OTLP has it. Integers beyond 2^53 lose precision; doubles may be
 * NaN or infinite; bytes are `null`. Objects have no prototype, so a key such
 * as `constructor` is only there when it was sent.
 */
export type AttributeValue =
  | string
  | number
  | boolean
  | null
  | readonly AttributeValue[]
  | { readonly [key: string]: AttributeValue };

/** By the places of their keys; `undefined` where the span has none. */
export type Attributes = readonly (AttributeValue | undefined)[];

export type OtlpException = { readonly type: string; readonly message: string };

export type OtlpSpan = {
  /** 32 lower-case hex digits, not all zero. */
  readonly traceId: string;
  /** 16 lower-case hex digits, not all zero. */
  readonly spanId: string;
  readonly parentSpanId: string | null;
  /** The parent is of another process, as the span's flags tell. `false` where they don't. */
  readonly parentIsRemote: boolean;
  readonly name: string;
  /** 0 to 5 (unspecified, internal, server, client, producer, consumer). */
  readonly kind: number;
  /**
   * Unix milliseconds with their fraction: the double nearest to the
   * nanoseconds sent, at most 0.13 µs off until the year 2039 and 0.5 µs until
   * 2248. There is no nanosecond field, since nothing we show needs more.
   */
  readonly startMs: number;
  readonly endMs: number;
  /** Of a key sent twice the last value counts. Those of the next span once this one was read. */
  readonly attributes: Attributes;
  /** 0 unset, 1 ok, 2 error. */
  readonly statusCode: number;
  readonly statusMessage: string;
  /** From the events named "exception". The stack trace is never read. */
  readonly exceptions: readonly OtlpException[];
  /** The attributes of the resource, shared by all of its spans. */
  readonly resource: Attributes;
};

/**
 * Reads one span after the other, as soon as each is decoded: a decoder keeps none, and
 * uses one row for the attributes of all.
 */
export type SpanReader<T> = {
  /** The keys of the attributes that are read. The others are skipped. */
  readonly keys: AttributeKeys;
  read(span: OtlpSpan): T;
};

export type DecodedTraces<T> = {
  /** What the reader made of each. */
  readonly spans: readonly T[];
  /** What was left out, by `DropReason`. */
  readonly dropped: ReadonlyMap<string, number>;
};

/**
 * Why something was left out while the rest of the batch was kept.
 *
 * - `invalid_trace_id`, `invalid_span_id`, `invalid_time`: the span was. A
 *   parent id of a wrong length counts as `invalid_span_id`.
 * - `value_limit`, `exception_limit`: one nested value or one exception was, the
 *   span stayed.
 */
export type DropReason =
  | "invalid_trace_id"
  | "invalid_span_id"
  | "invalid_time"
  | "value_limit"
  | "exception_limit";

/** Longest text kept, in UTF-8 bytes. The rest is cut off between characters. */
export const TEXT_LIMIT_BYTES = 8 * 1024;

/** Most values kept inside one array or kvlist attribute. The rest counts as `value_limit`. */
export const NESTED_VALUE_LIMIT = 1024;

/** Deepest nesting of a value, counting itself. A deeper one makes the request invalid. */
export const VALUE_DEPTH_LIMIT = 64;

/** Most exceptions kept for a span. The rest counts as `exception_limit`. */
export const EXCEPTION_LIMIT = 32;

/** First time that does not fit the signed 64-bit nanoseconds of most clients: the year 2262. */
export const TIME_END_MS = 2 ** 63 / 1e6;

/** `SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK` of OTLP: set with bit 8, which says that bit 9 means something. */
const PARENT_IS_REMOTE = 0x300;

export function isParentRemote(flags: number): boolean {
  return (flags & PARENT_IS_REMOTE) === PARENT_IS_REMOTE;
}

export function countDropped(dropped: Map<string, number>, reason: DropReason): void {
  dropped.set(reason, (dropped.get(reason) ?? 0) + 1);
}

/** Also false for NaN, which fails every comparison. */
export function isValidTime(startMs: number, endMs: number): boolean {
  return startMs > 0 && endMs >= startMs && endMs < TIME_END_MS;
}
