/**
 * Makes a recorded OTLP body that of a request made now: fresh trace and span
 * ids, times moved as a whole, and the name of the serving agent. Nothing else
 * changes; durations, attributes and fields that are unknown here stay byte for
 * byte. It works on protobuf's wire format, since decoding and encoding again
 * would lose what it does not know.
 *
 * Source: opentelemetry-proto 1.9, `trace/v1/trace.proto`.
 */
import { editMessage, type FieldEdits, readFields } from "./protobuf-edit.ts";

export type Replay = {
  /** The resource attribute `service.name`. */
  readonly serviceName: string;
  /** When the request began, in Unix nanoseconds: the earliest span starts then. */
  readonly startedNs: bigint;
  /** Must not return only zeros: such an id is invalid. */
  readonly randomBytes: (size: number) => Uint8Array;
};

/** @throws Error when `body` is no OTLP trace export, or has a resource without `service.name`. */
export function replayBody(body: Uint8Array, replay: Replay): Uint8Array {
  const shiftNs = replay.startedNs - earliestStartNs(body);
  const ids = freshIds(replay.randomBytes);
  const later: FieldEdits = { [TIME_NS]: (time) => shifted(time, shiftNs) };

  const span: FieldEdits = {
    [SPAN.traceId]: ids.fresh,
    [SPAN.spanId]: ids.fresh,
    [SPAN.parentSpanId]: ids.fresh,
    [SPAN.startNs]: (time) => shifted(time, shiftNs),
    [SPAN.endNs]: (time) => shifted(time, shiftNs),
    [SPAN.attributes]: (attribute) => withMlflowTraceId(attribute, ids.freshHex),
    [SPAN.events]: (event) => editMessage(event, later),
    [SPAN.links]: (link) =>
      editMessage(link, { [LINK.traceId]: ids.fresh, [LINK.spanId]: ids.fresh }),
  };
  const resource = (bytes: Uint8Array) => {
    let hasName = false;
    const edited = editMessage(bytes, {
      [RESOURCE_ATTRIBUTES]: (attribute) => {
        if (keyOf(attribute) !== "service.name") return attribute;
        hasName = true;
        return withText(attribute, () => replay.serviceName);
      },
    });
    if (!hasName) throw new Error("the recording has a resource without service.name");
    return edited;
  };

  return editMessage(body, {
    [RESOURCE_SPANS]: (resourceSpans) =>
      editMessage(resourceSpans, {
        [RESOURCE]: resource,
        [SCOPE_SPANS]: (scopeSpans) =>
          editMessage(scopeSpans, { [SPANS]: (bytes) => editMessage(bytes, span) }),
      }),
  });
}

// Field numbers. ExportTraceServiceRequest, ResourceSpans, Resource, ScopeSpans:
const RESOURCE_SPANS = 1;
const RESOURCE = 1;
const SCOPE_SPANS = 2;
const RESOURCE_ATTRIBUTES = 1;
const SPANS = 2;
const SPAN = {
  traceId: 1,
  spanId: 2,
  parentSpanId: 4,
  startNs: 7,
  endNs: 8,
  attributes: 9,
  events: 11,
  links: 13,
};
const LINK = { traceId: 1, spanId: 2 };
/** `Span.Event.time_unix_nano`. */
const TIME_NS = 1;
const KEY = 1;
const VALUE = 2;
/** `AnyValue.string_value`. */
const STRING_VALUE = 1;

function earliestStartNs(body: Uint8Array): bigint {
  let earliestNs: bigint | undefined;
  const each = (bytes: Uint8Array, number: number, run: (value: Uint8Array) => void) => {
    for (const field of readFields(bytes)) if (field.number === number) run(field.value);
  };
  each(body, RESOURCE_SPANS, (resourceSpans) =>
    each(resourceSpans, SCOPE_SPANS, (scopeSpans) =>
      each(scopeSpans, SPANS, (span) =>
        each(span, SPAN.startNs, (time) => {
          const startNs = readTimeNs(time);
          if (earliestNs === undefined || startNs < earliestNs) earliestNs = startNs;
        }),
      ),
    ),
  );
  if (earliestNs === undefined) throw new Error("the recording has no span");
  return earliestNs;
}

/** One id is replaced by the same fresh one wherever it stands, so that the tree of spans holds. */
function freshIds(randomBytes: Replay["randomBytes"]) {
  const freshOf = new Map<string, Uint8Array>();
  const fresh = (id: Uint8Array): Uint8Array => {
    if (id.length === 0) return id;
    const hex = Buffer.from(id).toString("hex");
    const known = freshOf.get(hex);
    if (known) return known;
    const made = randomBytes(id.length);
    freshOf.set(hex, made);
    return made;
  };
  return {
    fresh,
    freshHex: (hex: string) => Buffer.from(fresh(Buffer.from(hex, "hex"))).toString("hex"),
  };
}

function readTimeNs(time: Uint8Array): bigint {
  if (time.length !== 8) throw new Error("a time in the recording is not 8 bytes long");
  return new DataView(time.buffer, time.byteOffset).getBigUint64(0, true);
}

function shifted(time: Uint8Array, shiftNs: bigint): Uint8Array {
  const ns = readTimeNs(time);
  if (ns === 0n) return time;
  const moved = new Uint8Array(8);
  new DataView(moved.buffer).setBigUint64(0, ns + shiftNs, true);
  return moved;
}

/** MLflow repeats the trace id in an attribute, as the JSON text `"tr-<hex>"`. */
function withMlflowTraceId(attribute: Uint8Array, freshHex: (hex: string) => string): Uint8Array {
  if (keyOf(attribute) !== "mlflow.traceRequestId") return attribute;
  return withText(attribute, (text) =>
    text.replace(/^"tr-([0-9a-f]{32})"$/, (_, hex: string) => `"tr-${freshHex(hex)}"`),
  );
}

function keyOf(attribute: Uint8Array): string {
  let key = "";
  for (const field of readFields(attribute)) {
    if (field.number === KEY) key = Buffer.from(field.value).toString("utf8");
  }
  return key;
}

function withText(attribute: Uint8Array, edit: (text: string) => string): Uint8Array {
  return editMessage(attribute, {
    [VALUE]: (value) =>
      editMessage(value, {
        [STRING_VALUE]: (text) => Buffer.from(edit(Buffer.from(text).toString("utf8")), "utf8"),
      }),
  });
}
