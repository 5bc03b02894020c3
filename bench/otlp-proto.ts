/**
 * The messages of OTLP traces for protobufjs, which makes a decoder of its own from them.
 *
 * Source: opentelemetry-proto 1.7, trace/v1 and common/v1.
 */
import protobuf from "protobufjs";

const { root } = protobuf.parse(`
  syntax = "proto3";
  message TracesData { repeated ResourceSpans resource_spans = 1; }
  message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; string schema_url = 3; }
  message Resource { repeated KeyValue attributes = 1; uint32 dropped_attributes_count = 2; }
  message ScopeSpans { Scope scope = 1; repeated Span spans = 2; string schema_url = 3; }
  message Scope { string name = 1; string version = 2; repeated KeyValue attributes = 3; }
  message Span {
    bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; bytes parent_span_id = 4;
    string name = 5; int32 kind = 6; fixed64 start_time_unix_nano = 7; fixed64 end_time_unix_nano = 8;
    repeated KeyValue attributes = 9; uint32 dropped_attributes_count = 10;
    repeated Event events = 11; repeated Link links = 13; Status status = 15; fixed32 flags = 16;
  }
  message Event { fixed64 time_unix_nano = 1; string name = 2; repeated KeyValue attributes = 3; }
  message Link { bytes trace_id = 1; bytes span_id = 2; repeated KeyValue attributes = 4; }
  message Status { string message = 2; int32 code = 3; }
  message KeyValue { string key = 1; AnyValue value = 2; }
  message AnyValue {
    oneof value {
      string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4;
      ArrayValue array_value = 5; KeyValueList kvlist_value = 6; bytes bytes_value = 7;
    }
  }
  message ArrayValue { repeated AnyValue values = 1; }
  message KeyValueList { repeated KeyValue values = 1; }
`);

export const TracesData = root.lookupType("TracesData");

export type TracesDataMessage = {
  resourceSpans: {
    resource?: { attributes: KeyValueMessage[] };
    scopeSpans: { scope?: unknown; spans: SpanMessage[] }[];
  }[];
};

export type SpanMessage = {
  traceId: Uint8Array;
  spanId: Uint8Array;
  /** Absent from a root that is to be encoded, empty after decoding. */
  parentSpanId?: Uint8Array;
  name: string;
  kind: number;
  startTimeUnixNano: NanosMessage;
  endTimeUnixNano: NanosMessage;
  attributes: KeyValueMessage[];
  events: { name: string; attributes: KeyValueMessage[] }[];
  status?: { code: number; message: string } | null;
};

type NanosMessage = { readonly low: number; readonly high: number };

export type KeyValueMessage = {
  key: string;
  value: {
    stringValue?: string;
    boolValue?: boolean;
    /** A number where it is to be encoded, a `Long` after decoding, which `Number` reads. */
    intValue?: unknown;
    doubleValue?: number;
    value?: "stringValue" | "boolValue" | "intValue" | "doubleValue";
  };
};
