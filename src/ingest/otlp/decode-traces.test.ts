/**
 * What becomes of an OTLP trace request. Each case is written once, as OTLP
 * JSON, encoded to protobuf here, and must decode to the same from both.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MonitorError } from "../../monitor-error.ts";
import { decodeTracesJson } from "./decode-json.ts";
import { decodeTracesProtobuf } from "./decode-protobuf.ts";
import {
  type DecodedTraces,
  EXCEPTION_LIMIT,
  NESTED_VALUE_LIMIT,
  TEXT_LIMIT_BYTES,
  VALUE_DEPTH_LIMIT,
} from "./otlp-span.ts";
import { type KeptSpan, keptSpans } from "./test-attributes.ts";

type Options = { isWanted(key: string): boolean };

const EVERY: Options = { isWanted: () => true };
/** Of what is not written as JSON here. */
const EVERY_KEY = keptSpans(["key", "r", "a", "input.value", "deep"]);

const VALID = {
  traceId: "0102030405060708090a0b0c0d0e0f10",
  spanId: "a1a2a3a4a5a6a7a8",
  name: "Predict.forward",
  startTimeUnixNano: "1795465657140000000",
  endTimeUnixNano: "1795465657150992919",
};

/** Decodes a request in both formats, insists that they agree, and returns what came out. */
function decode(request: Json, { isWanted } = EVERY): DecodedTraces<KeptSpan> {
  const reader = keptSpans(keysIn(request).filter(isWanted));
  const fromProtobuf = decodeTracesProtobuf(encodeRequest(request), reader);
  const fromJson = decodeTracesJson(JSON.stringify(request), reader);
  assert.deepStrictEqual(fromJson, fromProtobuf);
  return fromProtobuf;
}

/** Every text that stands in the place of a key, however deep. */
function keysIn(request: unknown): string[] {
  const keys: string[] = [];
  const values = [request];
  for (const value of values) {
    if (typeof value !== "object" || value === null) continue;
    values.push(...Object.values(value));
    const { key } = value as { key?: unknown };
    if (typeof key === "string" && key !== "") keys.push(key);
  }
  return keys;
}

function decodeSpan(span: Json, options = EVERY): KeptSpan {
  const { spans } = decode(requestOf([span]), options);
  const [first] = spans;
  assert.ok(first !== undefined && spans.length === 1, "one span");
  return first;
}

function check(span: Json, expected: Partial<KeptSpan>): void {
  assert.deepStrictEqual(
    { ...decodeSpan({ ...VALID, ...span }), ...expected },
    decodeSpan({ ...VALID, ...span }),
  );
}

function checkValue(value: Json, expected: unknown): void {
  const attributes = [{ key: "key", value }];
  const decoded = decodeSpan({ ...VALID, attributes }).attributes.get("key");
  // Through JSON, since decoded objects have no prototype.
  assert.deepStrictEqual(decoded === undefined ? undefined : structuredClone(decoded), expected);
}

function checkDropped(span: Json, reason: string): void {
  const { spans, dropped } = decode(requestOf([VALID, span, VALID]));
  assert.equal(spans.length, 2, "the other spans stay");
  assert.deepStrictEqual([...dropped], [[reason, 1]]);
}

function requestOf(spans: readonly Json[]): Json {
  return { resourceSpans: [{ scopeSpans: [{ spans }] }] };
}

test("nothing in, nothing out", () => {
  for (const request of [
    {},
    { resourceSpans: [] },
    { resourceSpans: [{}] },
    { resourceSpans: [{ resource: {}, scopeSpans: [{}] }] },
    requestOf([]),
  ]) {
    assert.deepStrictEqual(decode(request), { spans: [], dropped: new Map() });
  }
});

test("a span without extras", () => {
  check(
    {},
    {
      traceId: VALID.traceId,
      spanId: VALID.spanId,
      parentSpanId: null,
      name: "Predict.forward",
      kind: 0,
      startMs: 1795465657140,
      endMs: 1795465657150.993,
      attributes: new Map(),
      statusCode: 0,
      statusMessage: "",
      exceptions: [],
      resource: new Map(),
    },
  );
});

test("a span with everything", () => {
  const resource = { attributes: [{ key: "service.name", value: { stringValue: "support" } }] };
  const span = {
    ...VALID,
    parentSpanId: "ffffffffffffffff",
    kind: 3,
    attributes: [{ key: "llm.model_name", value: { stringValue: "gpt-4o-mini" } }],
    status: { code: 2, message: "429" },
    events: [exceptionEvent("LMRateLimitError", "too many")],
  };
  const scopeSpans = [{ scope: { name: "openinference" }, spans: [span] }];
  const { spans } = decode({ resourceSpans: [{ resource, scopeSpans }] });
  assert.deepStrictEqual(spans, [
    {
      ...decodeSpan(VALID),
      parentSpanId: "ffffffffffffffff",
      kind: 3,
      attributes: new Map([["llm.model_name", "gpt-4o-mini"]]),
      statusCode: 2,
      statusMessage: "429",
      exceptions: [{ type: "LMRateLimitError", message: "too many" }],
      resource: new Map([["service.name", "support"]]),
    },
  ]);
});

test("spans of one resource share its map; another resource has another", () => {
  const resource = { attributes: [{ key: "service.name", value: { stringValue: "a" } }] };
  const { spans } = decode({
    resourceSpans: [
      { resource, scopeSpans: [{ spans: [VALID] }, { spans: [VALID] }] },
      { scopeSpans: [{ spans: [VALID] }] },
    ],
  });
  assert.equal(spans[0]?.resource, spans[1]?.resource);
  assert.equal(spans[2]?.resource.size, 0);
});

test("values of every type", () => {
  checkValue({ stringValue: "" }, "");
  checkValue({ stringValue: "jalapeño 🌶 \u0000 \uFEFF" }, "jalapeño 🌶 \u0000 \uFEFF");
  checkValue({ stringValue: "\uFEFFa byte order mark is text" }, "\uFEFFa byte order mark is text");
  checkValue({ boolValue: true }, true);
  checkValue({ boolValue: false }, false);
  checkValue({ intValue: 263 }, 263);
  checkValue({ intValue: "-1" }, -1);
  checkValue({ intValue: "9223372036854775807" }, 2 ** 63);
  checkValue({ intValue: "-9223372036854775808" }, -(2 ** 63));
  checkValue({ doubleValue: 0.2 }, 0.2);
  checkValue({ doubleValue: "NaN" }, Number.NaN);
  checkValue({ doubleValue: "-Infinity" }, Number.NEGATIVE_INFINITY);
  checkValue({ bytesValue: "AAEC" }, null);
  checkValue({}, null);
  checkValue({ arrayValue: {} }, []);
  checkValue({ arrayValue: { values: [{ intValue: 1 }, {}, { stringValue: "x" }] } }, [
    1,
    null,
    "x",
  ]);
  checkValue({ kvlistValue: {} }, {});
  const kvlist = [
    { key: "a", value: { arrayValue: { values: [{ boolValue: true }] } } },
    { key: "b" },
    { key: "a", value: { intValue: 2 } },
  ];
  checkValue({ kvlistValue: { values: kvlist } }, { a: 2, b: null });
});

test("a kvlist key cannot reach a prototype", () => {
  const values = [{ key: "__proto__", value: { stringValue: "sent" } }];
  const attributes = [{ key: "key", value: { kvlistValue: { values } } }];
  const decoded = decodeSpan({ ...VALID, attributes }).attributes.get("key");
  assert.deepStrictEqual(Object.entries(decoded ?? {}), [["__proto__", "sent"]]);
  assert.equal(Object.hasOwn(Object.prototype, "sent"), false);
});

test("of an attribute sent twice, the last value counts", () => {
  const attributes = [
    { key: "a", value: { intValue: 1 } },
    { key: "b" },
    { key: "a", value: { intValue: 2 } },
  ];
  check(
    { attributes },
    {
      attributes: new Map([
        ["a", 2],
        ["b", null],
      ]),
    },
  );
});

test("kinds and status codes that are new to us count as unset", () => {
  check({ kind: 5 }, { kind: 5 });
  check({ kind: 6 }, { kind: 0 });
  check({ kind: -1 }, { kind: 0 });
  check({ status: { code: 1 } }, { statusCode: 1 });
  check({ status: { code: 3 } }, { statusCode: 0 });
});

test("JSON in the other spellings that are allowed", () => {
  const usual = requestOf([
    {
      ...VALID,
      parentSpanId: "b1b2b3b4b5b6b7b8",
      kind: 1,
      status: { code: 2 },
      attributes: [{ key: "a", value: { arrayValue: { values: [{ intValue: "7" }] } } }],
    },
  ]);
  const other = {
    unknown: { deep: [1, null] },
    resource_spans: [
      {
        resource: null,
        schema_url: "https://opentelemetry.io",
        scope_spans: [
          {
            scope: null,
            spans: [
              {
                trace_id: VALID.traceId.toUpperCase(),
                span_id: VALID.spanId.toUpperCase(),
                parent_span_id: "B1B2B3B4B5B6B7B8",
                name: VALID.name,
                kind: "SPAN_KIND_INTERNAL",
                start_time_unix_nano: VALID.startTimeUnixNano,
                end_time_unix_nano: VALID.endTimeUnixNano,
                status: { code: "STATUS_CODE_ERROR" },
                attributes: [{ key: "a", value: { array_value: { values: [{ int_value: 7 }] } } }],
                events: null,
              },
            ],
          },
        ],
      },
    ],
  };
  const decoded = decodeTracesJson(JSON.stringify(other), EVERY_KEY);
  assert.deepStrictEqual(decoded, decode(usual));
});

test("times are exact to the microsecond up to the year 2248", () => {
  const nanos = fc.bigInt({ min: 1n, max: 2n ** 43n * 1_000_000n - 1n });
  fc.assert(
    fc.property(nanos, (nano) => {
      const span = { ...VALID, startTimeUnixNano: String(nano), endTimeUnixNano: String(nano) };
      const { startMs } = decodeSpan(span);
      const [wholeMs = 0n, restNano = 0n] = [nano / 1_000_000n, nano % 1_000_000n];
      const errorMs = startMs - Number(wholeMs) - Number(restNano) / 1e6;
      assert.ok(Math.abs(errorMs) * 1e3 < 0.51, `${nano} became ${startMs}`);
    }),
  );
});

test("a time as a JSON number is taken as it is", () => {
  const span = {
    ...VALID,
    startTimeUnixNano: 1795465657140000000,
    endTimeUnixNano: 1.7954656572e18,
  };
  const { spans } = decodeTracesJson(JSON.stringify(requestOf([span])), EVERY_KEY);
  assert.deepStrictEqual([spans[0]?.startMs, spans[0]?.endMs], [1795465657140, 1795465657200]);
});

test("a span without a valid trace id is dropped", () => {
  for (const traceId of ["", "0".repeat(32), "01", "01".repeat(17)]) {
    checkDropped({ ...VALID, traceId }, "invalid_trace_id");
  }
  checkDropped({}, "invalid_trace_id");
});

test("a span without valid span ids is dropped", () => {
  for (const spanId of ["", "0".repeat(16), "01", "01".repeat(9)]) {
    checkDropped({ ...VALID, spanId }, "invalid_span_id");
  }
  for (const parentSpanId of ["01", "01".repeat(9)]) {
    checkDropped({ ...VALID, parentSpanId }, "invalid_span_id");
  }
});

test("a parent of zeros is no parent", () => {
  check({ parentSpanId: "0".repeat(16) }, { parentSpanId: null });
  check({ parentSpanId: "" }, { parentSpanId: null });
});

test("a span without valid times is dropped", () => {
  checkDropped({ ...VALID, startTimeUnixNano: "0" }, "invalid_time");
  checkDropped({ ...VALID, endTimeUnixNano: "0" }, "invalid_time");
  checkDropped({ ...VALID, endTimeUnixNano: "1795465657139999000" }, "invalid_time");
  checkDropped({ ...VALID, endTimeUnixNano: "9223372036854775808" }, "invalid_time");
  checkDropped({ ...VALID, endTimeUnixNano: "18446744073709551615" }, "invalid_time");
  const { startTimeUnixNano: _, ...timeless } = VALID;
  checkDropped(timeless, "invalid_time");
  check({ endTimeUnixNano: VALID.startTimeUnixNano }, { endMs: 1795465657140 });
});

test("ids and times that only JSON can get wrong drop the span too", () => {
  const cases: [Json, string][] = [
    [{ traceId: "g".repeat(32) }, "invalid_trace_id"],
    [{ traceId: 7 }, "invalid_trace_id"],
    [{ spanId: ["a1a2a3a4a5a6a7a8"] }, "invalid_span_id"],
    [{ startTimeUnixNano: "-5" }, "invalid_time"],
    [{ startTimeUnixNano: -5 }, "invalid_time"],
    [{ startTimeUnixNano: "1e18" }, "invalid_time"],
    [{ startTimeUnixNano: "2026-11-23T00:00:00Z" }, "invalid_time"],
    [{ startTimeUnixNano: {} }, "invalid_time"],
    [{ endTimeUnixNano: 1e300 }, "invalid_time"],
    [{ endTimeUnixNano: null }, "invalid_time"],
  ];
  for (const [change, reason] of cases) {
    const text = JSON.stringify(requestOf([{ ...VALID, ...change }]));
    const { spans, dropped } = decodeTracesJson(text, EVERY_KEY);
    assert.deepStrictEqual(
      [spans.length, [...dropped]],
      [0, [[reason, 1]]],
      JSON.stringify(change),
    );
  }
});

test("only exceptions are read from events, and never their stack trace", () => {
  const events = [
    { name: "retry", attributes: [{ key: "exception.type", value: { stringValue: "No" } }] },
    exceptionEvent("LMServerError", "first"),
    { attributes: [{ key: "exception.message", value: { intValue: 500 } }], name: "exception" },
    { name: "exception.type" },
  ];
  const exceptions = [
    { type: "LMServerError", message: "first" },
    { type: "", message: "" },
  ];
  check({ events }, { exceptions });
});

test("too many exceptions are counted", () => {
  const events = Array.from({ length: EXCEPTION_LIMIT + 2 }, () => exceptionEvent("E", "m"));
  const { spans, dropped } = decode(requestOf([{ ...VALID, events }]));
  assert.equal(spans[0]?.exceptions.length, EXCEPTION_LIMIT);
  assert.deepStrictEqual([...dropped], [["exception_limit", 2]]);
});

test("an attribute nobody wants is not read, even if its value is damaged", () => {
  const options = { isWanted: (key: string) => key === "kept" };
  const attributes = [
    { key: "input.value", value: { stringValue: "my prompt" } },
    { key: "kept", value: { intValue: 1 } },
    { key: "kept ", value: { intValue: 2 } },
    { key: "capt", value: { intValue: 3 } },
    { key: "k".repeat(300), value: { intValue: 4 } },
  ];
  const span = { ...VALID, attributes };
  assert.deepStrictEqual(decodeSpan(span, options).attributes, new Map([["kept", 1]]));

  const damage = bytesField(9, [...textField(1, "input.value"), ...bytesField(2, [0xff, 0xff])]);
  const body = protobufWithSpan([...encodeSpan(VALID), ...damage]);
  assert.equal(decodeTracesProtobuf(body, keptSpans(["kept"])).spans.length, 1);
  assert.throws(() => decodeTracesProtobuf(body, EVERY_KEY), isInvalid(/cut off/));
});

test("more nested values than the limit are counted", () => {
  const values = Array.from({ length: NESTED_VALUE_LIMIT + 5 }, () => ({ intValue: 1 }));
  const attributes = [
    { key: "a", value: { arrayValue: { values } } },
    { key: "b", value: { arrayValue: { values: values.slice(0, 3) } } },
  ];
  const { spans, dropped } = decode(requestOf([{ ...VALID, attributes }]));
  assert.deepStrictEqual(spans[0]?.attributes.get("a"), new Array(NESTED_VALUE_LIMIT).fill(1));
  assert.deepStrictEqual(spans[0]?.attributes.get("b"), [1, 1, 1]);
  assert.deepStrictEqual([...dropped], [["value_limit", 5]]);
});

test("long texts are cut at the limit, between characters", () => {
  const cases: [string, number, string][] = [
    ["a", TEXT_LIMIT_BYTES, "exactly the limit"],
    ["a", TEXT_LIMIT_BYTES + 1, "one more"],
    ["é", TEXT_LIMIT_BYTES, "two bytes"],
    ["€", TEXT_LIMIT_BYTES, "three bytes"],
    ["🌶", TEXT_LIMIT_BYTES, "four bytes"],
  ];
  for (const [character, count, what] of cases) {
    for (const before of ["", "x", "xy", "xyz", "\uFEFF"]) {
      const long = before + character.repeat(count);
      const characterBytes = new TextEncoder().encode(character).length;
      const beforeBytes = new TextEncoder().encode(before).length;
      const fit = Math.floor((TEXT_LIMIT_BYTES - beforeBytes) / characterBytes);
      const expected = before + character.repeat(Math.min(fit, count));
      const span = {
        name: long,
        status: { message: long },
        events: [exceptionEvent(long, long)],
        attributes: [{ key: "a", value: { stringValue: long } }],
      };
      const decoded = decodeSpan({ ...VALID, ...span });
      assert.equal(decoded.name, expected, what);
      assert.equal(decoded.statusMessage, expected, what);
      assert.deepStrictEqual(decoded.exceptions, [{ type: expected, message: expected }], what);
      assert.equal(decoded.attributes.get("a"), expected, what);
    }
  }
});

test("a value nested too deeply makes the request invalid", () => {
  const nested = (depth: number) => {
    let value: Json = { intValue: 1 };
    for (let left = depth; left > 1; left--) {
      value =
        left % 2 === 0
          ? { arrayValue: { values: [value] } }
          : { kvlistValue: { values: [{ key: "k", value }] } };
    }
    return requestOf([{ ...VALID, attributes: [{ key: "deep", value }] }]);
  };
  assert.equal(decode(nested(VALUE_DEPTH_LIMIT)).spans.length, 1);
  const tooDeep = nested(VALUE_DEPTH_LIMIT + 1);
  const message = new RegExp(`deeper than ${VALUE_DEPTH_LIMIT}`);
  assert.throws(() => decodeTracesProtobuf(encodeRequest(tooDeep), EVERY_KEY), isInvalid(message));
  assert.throws(() => decodeTracesJson(JSON.stringify(tooDeep), EVERY_KEY), isInvalid(message));
  const unwanted = { isWanted: () => false };
  assert.equal(decode(nested(1000), unwanted).spans.length, 1, "nobody reads it");
});

test("protobuf fields in any order, repeated and unknown", () => {
  const resource = bytesField(
    1,
    bytesField(1, [...textField(1, "r"), ...bytesField(2, textField(1, "v"))]),
  );
  const unknown = [
    ...varintField(100, 5n),
    ...[...tag(101, 1), 1, 2, 3, 4, 5, 6, 7, 8],
    ...bytesField(102, [1, 2, 3]),
    ...[...tag(103, 5), 1, 2, 3, 4],
    // A known number with another wire type is unknown too.
    ...varintField(1, 2n ** 64n - 1n),
  ];
  const value = bytesField(2, [...unknown, ...varintField(3, 1n), ...textField(1, "last")]);
  const attribute = bytesField(9, [...value, ...unknown, ...textField(1, "key")]);
  const event = bytesField(11, [
    ...bytesField(3, [...bytesField(2, textField(1, "E")), ...textField(1, "exception.type")]),
    ...textField(2, "exception"),
  ]);
  const status = [...bytesField(15, varintField(3, 2n)), ...bytesField(15, textField(2, "why"))];
  const span = [...unknown, ...event, ...attribute, ...status, ...encodeSpan(VALID), ...unknown];
  const scopeSpans = [...unknown, ...bytesField(2, span), ...bytesField(1, textField(1, "late"))];
  const body = [
    ...unknown,
    ...bytesField(1, [...bytesField(2, scopeSpans), ...unknown, ...resource]),
  ];
  const { spans, dropped } = decodeTracesProtobuf(Uint8Array.from(body), EVERY_KEY);
  assert.equal(dropped.size, 0);
  assert.deepStrictEqual(spans, [
    {
      ...decodeSpan(VALID),
      attributes: new Map([["key", "last"]]),
      exceptions: [{ type: "E", message: "" }],
      statusCode: 2,
      statusMessage: "why",
      resource: new Map([["r", "v"]]),
    },
  ]);
});

test("trace ids that differ in one half are not taken for each other", () => {
  const ids = ["1".repeat(32), `${"1".repeat(16)}${"2".repeat(16)}`, "2".repeat(32)];
  const { spans } = decode(requestOf(ids.map((traceId) => ({ ...VALID, traceId }))));
  assert.deepStrictEqual(
    spans.map(({ traceId }) => traceId),
    ids,
  );
});

test("a body inside a larger buffer is read at its place", () => {
  const body = encodeRequest(requestOf([VALID]));
  const larger = new Uint8Array(body.length + 20).fill(0xff);
  larger.set(body, 10);
  const inside = larger.subarray(10, 10 + body.length);
  assert.deepStrictEqual(decodeTracesProtobuf(inside, EVERY_KEY), decode(requestOf([VALID])));
});

test("bytes that are no UTF-8 become replacement characters", () => {
  const body = protobufWithSpan([...encodeSpan(VALID), ...bytesField(5, [0x61, 0xff, 0x62])]);
  assert.equal(decodeTracesProtobuf(body, EVERY_KEY).spans[0]?.name, "a\uFFFDb");
});

const DAMAGED: readonly [string, readonly number[], RegExp][] = [
  ["a tag without a value", [0x0a], /a number is cut off, at byte 1$/],
  ["a length beyond the body", [0x0a, 5, 1], /5 bytes is given where 1 are left, at byte 1$/],
  [
    "a length beyond its message",
    [0x0a, 2, 0x0a, 1],
    /1 bytes is given where 0 are left, at byte 3$/,
  ],
  ["a length of 4 GiB", [0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f], /4294967295 bytes is given/],
  ["a length of 2^63", [0x0a, ...new Array(9).fill(0x80), 1], /bytes is given where 0 are left/],
  ["a number of 11 bytes", [0x08, ...new Array(10).fill(0x80), 0], /more than 64 bits, at byte 1$/],
  ["a number of 65 bits", [0x08, ...new Array(9).fill(0xff), 2], /more than 64 bits, at byte 1$/],
  ["a number cut off", [0x08, 0x80], /a number is cut off, at byte 1$/],
  ["a field 0", [0x00, 1], /number 0, at byte 0$/],
  ["a field 0 in two bytes", [0x80, 0x00], /number 0, at byte 0$/],
  ["a huge field number", [0x80, 0x80, 0x80, 0x80, 0x10, 0], /larger than 2\^29 - 1, at byte 0$/],
  ["a group", [0x0b, 0x0c], /wire type 3/],
  ["the end of a group", [0x0c], /wire type 4/],
  ["wire type 6", [0x0e], /wire type 6/],
  ["wire type 7", [0x0f], /wire type 7/],
  ["4 bytes cut off", [0x0d, 1, 2, 3], /4 bytes is cut off after 3, at byte 1$/],
  ["8 bytes cut off", [0x09, 1, 2, 3], /8 bytes is cut off after 3, at byte 1$/],
  ["JSON", [...new TextEncoder().encode('{"resourceSpans":[]}')], /it is JSON/],
  ["gzip", [0x1f, 0x8b, 8], /it is gzip/],
];

for (const [what, bytes, message] of DAMAGED) {
  test(`damaged protobuf: ${what}`, () => {
    assert.throws(
      () => decodeTracesProtobuf(Uint8Array.from(bytes), EVERY_KEY),
      isInvalid(message),
    );
  });
}

test("protobuf cut off anywhere is invalid or shorter, never something else", () => {
  const body = encodeRequest(requestOf([VALID, VALID]));
  for (let length = 1; length < body.length; length++) {
    assert.throws(
      () => decodeTracesProtobuf(body.subarray(0, length), EVERY_KEY),
      isInvalid(/at byte/),
    );
  }
});

const WRONG_JSON: readonly [string, string, RegExp][] = [
  ["nothing", "", /its 0 characters are not valid JSON/],
  ["text", "secret-token", /its 12 characters are not valid JSON$/],
  ["cut off", '{"resourceSpans":[{"secret', /not valid JSON$/],
  ["null", "null", /must be an object, not null/],
  ["an array", "[]", /must be an object, not an array/],
  ["a number", "5", /must be an object, not a number/],
  ["resourceSpans", '{"resourceSpans":{}}', /resourceSpans must be an array, not an object/],
  ["its entry", '{"resourceSpans":[5]}', /must be an object, not a number in resourceSpans\[0\]$/],
  [
    "scopeSpans",
    '{"resourceSpans":[{},{"scopeSpans":"secret"}]}',
    /a string in resourceSpans\[1\]$/,
  ],
  [
    "a later entry",
    '{"resourceSpans":[{"scopeSpans":[{"spans":[{}]}]},5]}',
    /in resourceSpans\[1\]$/,
  ],
  ["a span", '{"resourceSpans":[{"scopeSpans":[{"spans":[{},null]}]}]}', /\[0\]\.spans\[1\]$/],
];

for (const [what, text, message] of WRONG_JSON) {
  test(`wrong JSON: ${what}`, () => {
    assert.throws(() => decodeTracesJson(text, EVERY_KEY), isInvalid(message));
  });
}

test("a wrong structure inside a span makes the request invalid", () => {
  const cases: [Json, RegExp][] = [
    [{ name: 5 }, /name must be text, not a number/],
    [{ status: "OK" }, /status must be an object, not a string/],
    [{ status: { message: {} } }, /message must be text, not an object/],
    [{ attributes: {} }, /attributes must be an array/],
    [{ attributes: ["secret"] }, /an attribute must be an object, not a string/],
    [{ attributes: [{ key: 1 }] }, /key must be text/],
    [{ attributes: [{ key: "a", value: "secret" }] }, /value must be an object/],
    [{ attributes: [{ key: "a", value: { stringValue: 1 } }] }, /stringValue must be text/],
    [
      { attributes: [{ key: "a", value: { intValue: "secret" } }] },
      /intValue must be a whole number/,
    ],
    [{ attributes: [{ key: "a", value: { intValue: 1.5 } }] }, /intValue must be a whole number/],
    [{ attributes: [{ key: "a", value: { intValue: "9".repeat(21) } }] }, /intValue/],
    [{ attributes: [{ key: "a", value: { boolValue: "true" } }] }, /boolValue must be/],
    [{ attributes: [{ key: "a", value: { doubleValue: "secret" } }] }, /doubleValue must be/],
    [{ attributes: [{ key: "a", value: { arrayValue: [] } }] }, /arrayValue must be an object/],
    [
      { attributes: [{ key: "a", value: { arrayValue: { values: [1] } } }] },
      /an entry of arrayValue/,
    ],
    [
      { attributes: [{ key: "a", value: { kvlistValue: { values: {} } } }] },
      /values must be an array/,
    ],
    [{ events: 1 }, /events must be an array/],
    [{ events: ["exception"] }, /an event must be an object/],
  ];
  for (const [change, message] of cases) {
    const text = JSON.stringify(requestOf([{ ...VALID, ...change }]));
    assert.throws(() => decodeTracesJson(text, EVERY_KEY), isInvalid(message), String(message));
  }
});

test("JSON nested a million times is refused without harm", () => {
  assert.throws(
    () => decodeTracesJson("[".repeat(1_000_000), EVERY_KEY),
    isInvalid(/not valid JSON/),
  );
  const deep = "[".repeat(100_000) + "]".repeat(100_000);
  const text = `{"resourceSpans":[{"scopeSpans":[{"spans":[{"unknown":${deep}}]}]}]}`;
  assert.equal(decodeTracesJson(text, EVERY_KEY).dropped.get("invalid_trace_id"), 1);
});

test("random documents decode to the same from protobuf and JSON", () => {
  const isWanted = (key: string) => key.length !== 3;
  fc.assert(
    fc.property(arbitraryRequest(), (request) => {
      const { spans, dropped } = decode(request, { isWanted });
      let sent = 0;
      for (const resource of request.resourceSpans) {
        for (const scope of resource.scopeSpans) sent += scope.spans.length;
      }
      const invalid = ["invalid_trace_id", "invalid_span_id", "invalid_time"];
      const lost = invalid.reduce((sum, reason) => sum + (dropped.get(reason) ?? 0), 0);
      assert.equal(spans.length + lost, sent, "every span is kept or counted");
    }),
    { numRuns: 1000 },
  );
});

test("random bytes decode or are invalid", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (body) => {
      try {
        decodeTracesProtobuf(body, EVERY_KEY);
      } catch (error) {
        assert.ok(error instanceof MonitorError, String(error));
      }
    }),
    { numRuns: 2000 },
  );
});

test("random JSON decodes or is invalid, and is never quoted", () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 4 }), (text) => {
      try {
        decodeTracesJson(`{"resourceSpans":[{"scopeSpans":[{"spans":[${text}]}]}]}`, EVERY_KEY);
      } catch (error) {
        assert.ok(error instanceof MonitorError, String(error));
      }
    }),
    { numRuns: 1000 },
  );
});

function isInvalid(message: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof MonitorError, String(error));
    assert.equal(error.code, "TELEMETRY_INVALID");
    assert.match(error.message, message);
    assert.doesNotMatch(error.message, /secret/);
    assert.equal(error.cause, undefined);
    assert.ok(error.hint.length > 10);
    return true;
  };
}

function exceptionEvent(type: string, message: string): Json {
  return {
    name: "exception",
    attributes: [
      { key: "exception.stacktrace", value: { stringValue: "File …" } },
      { key: "exception.type", value: { stringValue: type } },
      { key: "exception.message", value: { stringValue: message } },
    ],
  };
}

// Random documents. Mostly valid, so that most spans are compared and not only dropped.

function arbitraryRequest() {
  const text = fc.oneof(
    { weight: 20, arbitrary: fc.string({ unit: "grapheme", maxLength: 30 }) },
    { weight: 20, arbitrary: fc.constantFrom("", "LLM", "gpt-4o-mini", "exception", "\uFEFFmark") },
    { weight: 10, arbitrary: fc.string({ minLength: 60, maxLength: 70 }) },
    // Around the limit of 8 KiB.
    {
      weight: 1,
      arbitrary: fc.integer({ min: 2728, max: 2733 }).map((length) => "€".repeat(length)),
    },
  );
  const { value } = fc.letrec<{ value: Json }>((tie) => ({
    value: fc.oneof(
      { depthSize: "small" },
      fc.constant({}),
      text.map((stringValue) => ({ stringValue })),
      fc.boolean().map((boolValue) => ({ boolValue })),
      fc
        .bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
        .map((int) => ({ intValue: String(int) })),
      fc.integer().map((intValue) => ({ intValue })),
      fc
        .double()
        .map((double) => ({ doubleValue: Number.isFinite(double) ? double + 0 : String(double) })),
      fc.constant({ bytesValue: "AAEC" }),
      fc.array(tie("value"), { maxLength: 4 }).map((values) => ({ arrayValue: { values } })),
      fc
        .array(fc.record({ key: text, value: tie("value") }), { maxLength: 4 })
        .map((values) => ({ kvlistValue: { values } })),
    ),
  }));
  const key = fc.oneof(
    text,
    fc.constantFrom("llm.model_name", "exception.type", "exception.message"),
  );
  const attributes = fc.array(fc.record({ key, value }), { maxLength: 5 });
  const hex = (digits: number) =>
    fc.string({
      unit: fc.constantFrom(..."0123456789abcdef"),
      minLength: digits,
      maxLength: digits,
    });
  const seldom = <T>(usual: fc.Arbitrary<T>, odd: fc.Arbitrary<T>) =>
    fc.oneof({ weight: 20, arbitrary: usual }, { weight: 1, arbitrary: odd });
  const oddId = fc.constantFrom("", "00", "0".repeat(16), "0".repeat(32));
  const nano = seldom(
    fc.bigInt({ min: 1_700_000_000_000_000_000n, max: 1_700_000_000_000_000_999n }).map(String),
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String),
  );
  const event = fc.record(
    { name: seldom(fc.constant("exception"), text), attributes },
    { requiredKeys: ["name"] },
  );
  const span = fc.record(
    {
      traceId: seldom(hex(32), oddId),
      spanId: seldom(hex(16), oddId),
      parentSpanId: seldom(hex(16), oddId),
      name: text,
      kind: fc.integer({ min: -1, max: 8 }),
      startTimeUnixNano: nano,
      endTimeUnixNano: nano.map((time) => String(BigInt(time) + 1000n).slice(0, 20)),
      attributes,
      events: fc.array(event, { maxLength: 2 }),
      status: fc.record({ code: fc.integer({ min: 0, max: 3 }), message: text }),
    },
    { requiredKeys: ["traceId", "spanId", "startTimeUnixNano", "endTimeUnixNano"] },
  );
  const scopeSpans = fc.record({
    scope: fc.record({ name: text }),
    spans: fc.array(span, { maxLength: 3 }),
  });
  const resourceSpans = fc.record({
    resource: fc.record({ attributes }),
    scopeSpans: fc.array(scopeSpans, { maxLength: 2 }),
  });
  return fc.record({ resourceSpans: fc.array(resourceSpans, { maxLength: 2 }) });
}

// A protobuf encoder for documents in OTLP JSON. Written from the protocol's field
// numbers, not from the decoder, and as plain as possible.

// biome-ignore lint/suspicious/noExplicitAny: test documents, some of them wrong on purpose
type Json = any;

function encodeRequest(request: Json): Uint8Array {
  return Uint8Array.from(
    list(request.resourceSpans).flatMap((resourceSpans) =>
      bytesField(1, [
        ...(resourceSpans.resource
          ? bytesField(1, encodeAttributes(1, resourceSpans.resource))
          : []),
        ...list(resourceSpans.scopeSpans).flatMap((scopeSpans) =>
          bytesField(2, [
            ...(scopeSpans.scope ? bytesField(1, textField(1, scopeSpans.scope.name ?? "")) : []),
            ...list(scopeSpans.spans).flatMap((span) => bytesField(2, encodeSpan(span))),
          ]),
        ),
      ]),
    ),
  );
}

function protobufWithSpan(span: readonly number[]): Uint8Array {
  return Uint8Array.from(bytesField(1, bytesField(2, bytesField(2, span))));
}

function encodeSpan(span: Json): number[] {
  return [
    ...(span.traceId === undefined ? [] : bytesField(1, hexBytes(span.traceId))),
    ...(span.spanId === undefined ? [] : bytesField(2, hexBytes(span.spanId))),
    ...(span.parentSpanId === undefined ? [] : bytesField(4, hexBytes(span.parentSpanId))),
    ...(span.name === undefined ? [] : textField(5, span.name)),
    ...(span.kind === undefined ? [] : varintField(6, BigInt(span.kind))),
    ...(span.startTimeUnixNano === undefined
      ? []
      : fixed64Field(7, BigInt(span.startTimeUnixNano))),
    ...(span.endTimeUnixNano === undefined ? [] : fixed64Field(8, BigInt(span.endTimeUnixNano))),
    ...encodeAttributes(9, span),
    ...list(span.events).flatMap((event) =>
      bytesField(11, [...textField(2, event.name ?? ""), ...encodeAttributes(3, event)]),
    ),
    ...(span.status === undefined ? [] : bytesField(15, encodeStatus(span.status))),
  ];
}

function encodeStatus(status: Json): number[] {
  return [
    ...(status.message === undefined ? [] : textField(2, status.message)),
    ...(status.code === undefined ? [] : varintField(3, BigInt(status.code))),
  ];
}

function encodeAttributes(field: number, owner: Json): number[] {
  return list(owner.attributes).flatMap((attribute) =>
    bytesField(field, encodeKeyValue(attribute)),
  );
}

function encodeKeyValue({ key, value }: Json): number[] {
  return [...textField(1, key), ...(value === undefined ? [] : bytesField(2, encodeValue(value)))];
}

function encodeValue(value: Json): number[] {
  if (value.stringValue !== undefined) return textField(1, value.stringValue);
  if (value.boolValue !== undefined) return varintField(2, value.boolValue ? 1n : 0n);
  if (value.intValue !== undefined) return varintField(3, BigInt(value.intValue));
  if (value.doubleValue !== undefined) {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setFloat64(0, Number(value.doubleValue), true);
    return [...tag(4, 1), ...bytes];
  }
  if (value.arrayValue !== undefined) {
    return bytesField(
      5,
      list(value.arrayValue.values).flatMap((item) => bytesField(1, encodeValue(item))),
    );
  }
  if (value.kvlistValue !== undefined) {
    return bytesField(
      6,
      list(value.kvlistValue.values).flatMap((item) => bytesField(1, encodeKeyValue(item))),
    );
  }
  return value.bytesValue === undefined
    ? []
    : bytesField(
        7,
        [...atob(value.bytesValue)].map((c) => c.charCodeAt(0)),
      );
}

function list(value: Json): readonly Json[] {
  return value ?? [];
}

function tag(field: number, wireType: number): number[] {
  return varint((BigInt(field) << 3n) | BigInt(wireType));
}

function varint(value: bigint): number[] {
  const bytes: number[] = [];
  let left = BigInt.asUintN(64, value);
  for (; left > 0x7fn; left >>= 7n) bytes.push(Number(left & 0x7fn) | 0x80);
  bytes.push(Number(left));
  return bytes;
}

function varintField(field: number, value: bigint): number[] {
  return [...tag(field, 0), ...varint(value)];
}

function fixed64Field(field: number, value: bigint): number[] {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value, true);
  return [...tag(field, 1), ...bytes];
}

function bytesField(field: number, bytes: readonly number[]): number[] {
  return [...tag(field, 2), ...varint(BigInt(bytes.length)), ...bytes];
}

function textField(field: number, text: string): number[] {
  return bytesField(field, [...new TextEncoder().encode(text)]);
}

function hexBytes(hex: string): number[] {
  return (hex.match(/../g) ?? []).map((digits) => Number.parseInt(digits, 16));
}
