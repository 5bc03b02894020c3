/**
 * What is passed on of the recorded requests, and of requests written for one question each:
 * read back by the decoders, which share nothing with what rewrites but the wire format.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { MonitorError } from "../../monitor-error.ts";
import { scrub } from "../../signals/scrub.ts";
import { agentSpans } from "./agent-span.ts";
import { isContentKey } from "./content-keys.ts";
import { decodeTracesJson } from "./decode-json.ts";
import { decodeMetricsJson } from "./decode-metrics-json.ts";
import { decodeMetricsProtobuf } from "./decode-metrics-protobuf.ts";
import { decodeTracesProtobuf } from "./decode-protobuf.ts";
import { passedOn, TEXT_MAX_CHARS } from "./passed-on.ts";
import { keptSpans } from "./test-attributes.ts";
import { damagedBytes, damagedMessage, pick, type Random } from "./test-fuzz.ts";
import { encodeMetricsRequest } from "./test-metrics-request.ts";

type Capture = { readonly name: string; readonly received: Uint8Array | string };

const directory = new URL("../../../fixtures/telemetry/captures/", import.meta.url);
const captures: Capture[] = readdirSync(directory)
  .filter((name) => /\.otlp\.(?:pb|json)(?:\.gz)?$/.test(name))
  .map((name) => {
    const stored = readFileSync(new URL(name, directory));
    const bytes = name.endsWith(".gz") ? gunzipSync(stored) : stored;
    const isJson = name.includes(".otlp.json");
    return { name, received: isJson ? bytes.toString("utf8") : new Uint8Array(bytes) };
  });
const keys = captures.flatMap(({ received }) => {
  const text = typeof received === "string" ? received : Buffer.from(received).toString("latin1");
  return [...text.matchAll(/[a-z_]+(?:\.\w+)+/g)].map(([key]) => key);
});
const everyKey = keptSpans([...keys, "exception.message"]);
const plainKeys = keptSpans(keys.filter((key) => !isContentKey(key)));

function decode<T>(
  received: Uint8Array | string,
  reader: Parameters<typeof decodeTracesJson<T>>[1],
) {
  return typeof received === "string"
    ? decodeTracesJson(received, reader).spans
    : decodeTracesProtobuf(received, reader).spans;
}

const traces = (received: Uint8Array | string, content = false) =>
  passedOn(received, { signal: "traces", content });

/** With every text in it scrubbed. */
function scrubbed(value: unknown): unknown {
  if (typeof value === "string") return scrub(value);
  if (Array.isArray(value)) return value.map(scrubbed);
  if (value instanceof Map) return new Map([...value].map(([key, held]) => [key, scrubbed(held)]));
  if (typeof value !== "object" || value === null) return value;
  const copy = Object.create(Object.getPrototypeOf(value));
  for (const [key, held] of Object.entries(value)) copy[key] = scrubbed(held);
  return copy;
}

test("all recordings are there", () => assert.ok(captures.length > 60));
for (const { name, received } of captures) {
  test(`${name}: with its prompts and answers it is what came`, () => {
    const { body, items } = traces(received, true);
    const before = decode(received, everyKey);
    assert.deepEqual(decode(body, everyKey), scrubbed(before));
    assert.equal(items, before.length);
  });
  test(`${name}: without them the monitor reads the same of it, and so does whoever reads other attributes`, () => {
    const { body } = traces(received);
    assert.deepEqual(decode(body, agentSpans), decode(received, agentSpans));
    const withoutErrors = (from: Uint8Array | string) =>
      decode(from, plainKeys).map(({ exceptions, statusMessage, ...span }) => span);
    assert.deepEqual(withoutErrors(body), scrubbed(withoutErrors(received)));
    assert.deepEqual(traces(body).body, body, "once more changes nothing");
    const content = decode(body, everyKey).flatMap(({ attributes }) =>
      [...attributes.keys()].filter(isContentKey),
    );
    assert.deepEqual(content, []);
  });
}

/** What the recorded programs were asked and what they answered: any recording with content has some. */
const said = [/Paris/, /refund/i, /\bLM Response\b/, /"question"/, /"answer"/];
test("what was asked and answered is in no byte of what is passed on", () => {
  let withContent = 0;
  for (const { name, received } of captures) {
    const plain = Buffer.from(traces(received).body).toString("latin1");
    const whole = Buffer.from(traces(received, true).body).toString("latin1");
    for (const words of said) {
      if (words.test(whole)) withContent++;
      assert.doesNotMatch(plain, words, name);
    }
  }
  assert.ok(withContent > 50, "the recordings have such words");
});

// ─── One question each ────────────────────────────────────────────────────────

type Attribute = { readonly key: string; readonly value: object };
const text = (key: string, stringValue: string): Attribute => ({ key, value: { stringValue } });

function request(attributes: readonly Attribute[], more: object = {}): string {
  const span = {
    traceId: "0af7651916cd43dd8448eb211c80319c",
    spanId: "b7ad6b7169203331",
    name: "call",
    startTimeUnixNano: "1795465657140000001",
    endTimeUnixNano: "1795465657150000003",
    attributes,
    ...more,
  };
  return JSON.stringify({
    resourceSpans: [{ resource: { attributes: [] }, scopeSpans: [{ spans: [span] }] }],
  });
}

/** The attributes of the span that is passed on, read back. */
function passes(attributes: readonly Attribute[], content = false): Record<string, unknown> {
  const { body } = traces(request(attributes), content);
  const reader = keptSpans(attributes.map(({ key }) => key));
  const [span] = decodeTracesProtobuf(body, reader).spans;
  return Object.fromEntries(span?.attributes ?? []);
}

for (const [what, attributes, expected] of [
  ["a name", [text("gen_ai.request.model", "gpt-4o")], { "gen_ai.request.model": "gpt-4o" }],
  ["a prompt", [text("gen_ai.input.messages", "hello")], {}],
  ["a prompt part by part", [text("llm.input_messages.0.message.content", "hello")], {}],
  ["MLflow's inputs", [text("mlflow.spanInputs", "{}")], {}],
  ["a long text that nobody knows", [text("customer.story", "x".repeat(2_000))], {}],
  [
    "a password, whatever it is",
    [text("db.password", "hunter2"), { key: "api_key", value: { intValue: "5" } }],
    { "db.password": "[secret]", api_key: "[secret]" },
  ],
  [
    "a count of tokens",
    [{ key: "gen_ai.usage.input_tokens", value: { intValue: "263" } }],
    { "gen_ai.usage.input_tokens": 263 },
  ],
  [
    "a token in the midst of text",
    [text("http.url", `https://a.example/?access_token=${"a1".repeat(20)}`)],
    { "http.url": "https://a.example/?access_token=[secret]" },
  ],
  [
    "a secret deep in a value",
    [
      {
        key: "settings",
        value: {
          kvlistValue: {
            values: [
              text("client_secret", "s3cr3t"),
              text("region", "eu"),
              { key: "list", value: { arrayValue: { values: [{ stringValue: "one" }] } } },
            ],
          },
        },
      },
    ],
    { settings: { client_secret: "[secret]", region: "eu", list: ["one"] } },
  ],
] as const) {
  test(`${what} → ${JSON.stringify(expected)}`, () =>
    assert.deepEqual(JSON.parse(JSON.stringify(passes(attributes))), expected));
}

test("with content, prompts go, and secrets in them don't", () => {
  const prompt = `my key is ${"sk-"}${"Ab1".repeat(16)}, hello`;
  const passed = passes([text("input.value", prompt)], true);
  assert.match(String(passed["input.value"]), /^my key is .*, hello$/);
  assert.ok(!String(passed["input.value"]).includes("Ab1Ab1"));
});
test("a text of any length is cut after it was scrubbed", () => {
  const [span] = decodeTracesProtobuf(
    traces(request([], { name: "n".repeat(3 * TEXT_MAX_CHARS) })).body,
    keptSpans(["none.other"]),
  ).spans;
  assert.ok((span?.name.length ?? 0) <= TEXT_MAX_CHARS);
});

/** Field 10 of a span, the last of its kind, as an independent reader of bytes sees it. */
function droppedCount(body: Uint8Array): number | undefined {
  const at = Buffer.from(body).lastIndexOf(0x50);
  return body[at + 1];
}
test("attributes that are left out are counted where OTLP counts them", () => {
  const attributes = [text("input.value", "q"), text("a.b", "c"), text("output.value", "a")];
  assert.equal(droppedCount(traces(request(attributes)).body), 2);
  assert.equal(droppedCount(traces(request(attributes, { droppedAttributesCount: 5 })).body), 7);
  const untouched = request([text("a.b", "c")], { droppedAttributesCount: 5 });
  assert.equal(droppedCount(traces(untouched).body), 5);
});

const exception = (message: string, stack = "", type = "ValueError") => ({
  status: { code: 2, message: `${type}: ${message}` },
  events: [
    {
      name: "exception",
      timeUnixNano: "1795465657140000001",
      attributes: [
        text("exception.message", message),
        text("exception.stacktrace", stack),
        text("exception.type", type),
      ],
    },
  ],
});
const PYTHON = `Traceback (most recent call last):
  File "/app/agent.py", line 12, in forward
    return self.rag(question="what is my balance")
dspy.utils.exceptions.AdapterParseError: Adapter JSONAdapter failed to parse the LM response.

LM Response: your balance is 12`;

test("an error goes without the answer that it quotes, and its stack without the message", () => {
  const message = "Failed to parse field balance with value your balance is 12";
  const failed = request([], exception(message, PYTHON, "dspy.utils.AdapterParseError"));
  const passed = Buffer.from(traces(failed).body).toString("utf8");
  assert.doesNotMatch(passed, /your balance|what is my/);
  assert.match(passed, /Failed to parse field balance/);
  assert.match(passed, /File "\/app\/agent\.py", line 12, in forward/);
  const whole = Buffer.from(traces(failed, true).body).toString("utf8");
  assert.match(whole, /LM Response: your balance is 12/);
});

// ─── JSON ─────────────────────────────────────────────────────────────────────

test("every digit of a number and every time arrives", () => {
  const span = request([{ key: "n.n", value: { intValue: 2 ** 53 } }], {
    kind: 3,
    flags: 769,
  });
  const exact = span.replace("9007199254740992", "9007199254740993");
  for (const written of [
    exact,
    exact.replace('"intValue":9007199254740993', '"intValue":"9007199254740993"'),
  ]) {
    const { body } = traces(written);
    const at = Buffer.from(body).indexOf(
      Buffer.from([0x18, 0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10]),
    );
    assert.ok(at > 0, "the varint of 2^53 + 1");
    const nanos = Buffer.alloc(8);
    nanos.writeBigUInt64LE(1795465657140000001n);
    assert.ok(Buffer.from(body).includes(nanos));
    assert.ok(Buffer.from(body).includes(Buffer.from([0x85, 0x01, 0x01, 0x03, 0, 0])), "flags");
  }
});
test("digits inside a text stay text", () => {
  const attributes = [text("a.b", 'x "n": 12345678901234567890, y')];
  assert.deepEqual(passes(attributes), { "a.b": 'x "n": 12345678901234567890, y' });
});

const metrics = {
  resourceMetrics: [
    {
      resource: { attributes: [text("service.name", "billing"), text("api_key", "x")] },
      scopeMetrics: [
        {
          scope: { name: "s" },
          metrics: [
            {
              name: "jobs",
              unit: "1",
              sum: {
                aggregationTemporality: 2,
                isMonotonic: true,
                dataPoints: [
                  {
                    startTimeUnixNano: "1795465657140000000",
                    timeUnixNano: "1795465667140000000",
                    asInt: "-7",
                    attributes: [text("kind", "good")],
                  },
                ],
              },
            },
            {
              name: "queue",
              gauge: { dataPoints: [{ timeUnixNano: "1795465667140000000", asDouble: -0.25 }] },
            },
            {
              name: "duration",
              histogram: {
                aggregationTemporality: 1,
                dataPoints: [
                  {
                    startTimeUnixNano: "1795465657140000000",
                    timeUnixNano: "1795465667140000000",
                    count: "4",
                    sum: 3.5,
                    bucketCounts: ["1", "2", "1"],
                    explicitBounds: [0.5, 1],
                    min: 0.1,
                    max: 2,
                  },
                ],
              },
            },
            {
              name: "size",
              exponentialHistogram: {
                aggregationTemporality: 2,
                dataPoints: [
                  {
                    startTimeUnixNano: "1795465657140000000",
                    timeUnixNano: "1795465667140000000",
                    count: "3",
                    sum: 300,
                    scale: -2,
                    zeroCount: "1",
                    positive: { offset: -3, bucketCounts: ["1", "1"] },
                  },
                ],
              },
            },
            {
              name: "old",
              summary: {
                dataPoints: [
                  {
                    startTimeUnixNano: "1795465657140000000",
                    timeUnixNano: "1795465667140000000",
                    count: "2",
                    sum: 5,
                    quantileValues: [{ quantile: 0.5, value: 2.5 }],
                  },
                ],
              },
            },
          ],
        },
      ],
    },
  ],
};

test("metrics of every kind are passed on as they are, without secrets", () => {
  const json = JSON.stringify(metrics);
  const fromJson = passedOn(json, { signal: "metrics", content: false });
  const fromBytes = passedOn(encodeMetricsRequest(metrics), { signal: "metrics", content: false });
  assert.deepEqual([fromJson.items, fromBytes.items], [5, 5]);
  const expected = JSON.stringify(
    decodeMetricsJson(json.replace('"stringValue":"x"', '"stringValue":"[secret]"')),
  );
  for (const { body } of [fromJson, fromBytes]) {
    assert.equal(JSON.stringify(decodeMetricsProtobuf(body)), expected);
  }
});

// ─── Damage ───────────────────────────────────────────────────────────────────

test("fields that are not known stay", () => {
  const unknown = Buffer.from([0xf2, 0x3f, 3, 1, 2, 3]); // field 1022
  const [{ received } = { received: "" }] = captures;
  const body = Buffer.concat([Buffer.from(received as Uint8Array), unknown]);
  assert.ok(Buffer.from(traces(new Uint8Array(body)).body).includes(unknown));
});

test("whatever is done to a request, it is passed on or refused", () => {
  const originals = captures.flatMap(({ received }) =>
    typeof received === "string" ? [] : [received],
  );
  let state = 7;
  const random: Random = (end) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((state / 2 ** 32) * end);
  };
  const outcomes = { passed: 0, refused: 0 };
  for (let run = 0; run < 1_000; run++) {
    const damage = pick(random, [damagedBytes, damagedMessage]);
    const body = damage(random, originals);
    try {
      const { body: once } = traces(body);
      assert.doesNotThrow(() => traces(once));
      outcomes.passed++;
    } catch (error) {
      assert.ok(error instanceof MonitorError, String(error));
      assert.equal(error.code, "TELEMETRY_INVALID");
      outcomes.refused++;
    }
  }
  assert.ok(outcomes.passed > 50 && outcomes.refused > 50, JSON.stringify(outcomes));
});
