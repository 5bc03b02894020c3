/** What is read of answers as they pass: tables of real shapes, and one stream cut in every possible way. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  ANSWER_BYTES_MAX,
  type AnswerKind,
  answerKind,
  createAnswerReader,
} from "./answer-reader.ts";
import { LINE_CHARS_MAX } from "./line-splitter.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);

/** Reads the pieces and says in one line what is known, and after which byte content was seen. */
function read(kind: AnswerKind, pieces: readonly Uint8Array[]): string {
  const reader = createAnswerReader(kind);
  let contentAt: number | string = "none";
  let offset = 0;
  for (const piece of pieces) {
    const before = reader.hasContent;
    reader.push(piece.slice());
    offset += piece.byteLength;
    if (!before && reader.hasContent) contentAt = offset;
  }
  const before = reader.hasContent;
  reader.end();
  if (!before && reader.hasContent) contentAt = "end";
  const tokens = reader.tokens.map(
    ({ input, output, model }) => `${model ?? "?"} ${input ?? "?"}/${output ?? "?"}`,
  );
  const flags = [
    reader.isEmpty && "empty",
    reader.hasFailed && "failed",
    reader.hasFinished && "finished",
    reader.failureCode,
    reader.skippedLines > 0 && `skipped ${reader.skippedLines}`,
  ].filter((flag) => typeof flag === "string");
  return [`content ${contentAt}`, `tokens ${tokens.join(", ") || "?"}`, ...flags].join("; ");
}

const readText = (kind: AnswerKind, text: string) => read(kind, [bytesOf(text)]);

/** The content of one event's JSON, and whether it is a failure. */
function checkEvent(what: string, data: unknown, expected: "content" | "control" | "failure") {
  test(`an event with ${what} is ${expected}`, () => {
    const text = typeof data === "string" ? data : JSON.stringify(data);
    const known = readText("events", `data: ${text}\n\n`);
    const found = known.includes("failed")
      ? "failure"
      : known.startsWith("content none")
        ? "control"
        : "content";
    assert.equal(found, expected, known);
  });
}

const delta = (fields: unknown) => ({
  id: "c1",
  object: "chat.completion.chunk",
  model: "m",
  choices: [{ index: 0, delta: fields, finish_reason: null }],
});

checkEvent("text of a chat chunk", delta({ content: "Hel" }), "content");
checkEvent("a space", delta({ content: " " }), "content");
checkEvent("a role only", delta({ role: "assistant" }), "control");
checkEvent("a role and empty text", delta({ role: "assistant", content: "" }), "control");
checkEvent("a role and null", delta({ role: "assistant", content: null }), "control");
checkEvent("reasoning only", delta({ reasoning_content: "Let me see" }), "control");
checkEvent("a finish reason", delta({}), "control");
checkEvent("usage only", { choices: [], usage: { prompt_tokens: 1 } }, "control");
checkEvent("a refusal", delta({ refusal: "No." }), "content");
checkEvent("a tool call", delta({ tool_calls: [{ index: 0, function: {} }] }), "content");
checkEvent("no tool calls", delta({ tool_calls: [] }), "control");
checkEvent("parts of text", delta({ content: [{ type: "text", text: "Hi" }] }), "content");
checkEvent(
  "parts of reasoning",
  delta({ content: [{ type: "reasoning", summary: [{ text: "…" }] }] }),
  "control",
);
checkEvent("completion text", { choices: [{ text: "Hi" }] }, "content");
checkEvent("a whole message", { choices: [{ message: { content: "Hi" } }] }, "content");
checkEvent("a created response", { type: "response.created", response: { id: "r" } }, "control");
checkEvent("response text", { type: "response.output_text.delta", delta: "H" }, "content");
checkEvent("empty response text", { type: "response.output_text.delta", delta: "" }, "control");
checkEvent(
  "response reasoning",
  { type: "response.reasoning_summary_text.delta", delta: "H" },
  "control",
);
checkEvent(
  "an output item",
  {
    type: "response.output_item.done",
    item: { type: "message", content: [{ type: "output_text", text: "Hi" }] },
  },
  "content",
);
checkEvent(
  "a function call",
  { type: "response.output_item.done", item: { type: "function_call", name: "find" } },
  "content",
);
checkEvent(
  "a reasoning item",
  { type: "response.output_item.done", item: { type: "reasoning", summary: [] } },
  "control",
);
checkEvent(
  "an item that only begins",
  { type: "response.output_item.added", item: { type: "message", content: [] } },
  "control",
);
checkEvent(
  "the completed response and its output",
  {
    type: "response.completed",
    response: { output: [{ type: "message", content: [{ type: "output_text", text: "Hi" }] }] },
  },
  "content",
);
checkEvent("a failed response", { type: "response.failed", response: { error: {} } }, "failure");
checkEvent("an error event", { type: "error", message: "broken" }, "failure");
checkEvent("an error object", { error: { code: "overloaded", message: "…" } }, "failure");
checkEvent("a Databricks error", { error_code: "BAD_REQUEST", message: "…" }, "failure");
checkEvent("error: null", { error: null, chunk: "x" }, "content");
checkEvent("ChatAgent text", { delta: { role: "assistant", content: "Hi", id: "1" } }, "content");
checkEvent("ChatAgent role", { delta: { role: "assistant", content: "", id: "1" } }, "control");
checkEvent("an Anthropic start", { type: "message_start", message: { usage: {} } }, "control");
checkEvent(
  "Anthropic text",
  { type: "content_block_delta", delta: { type: "text_delta", text: "Hi" } },
  "content",
);
checkEvent(
  "Anthropic thinking",
  { type: "content_block_delta", delta: { type: "thinking_delta", thinking: "…" } },
  "control",
);
checkEvent("an Anthropic ping", { type: "ping" }, "control");
checkEvent(
  "a DSPy field",
  { predict_name: "self", signature_field_name: "answer", chunk: "H", is_last_chunk: false },
  "content",
);
checkEvent(
  "an empty DSPy field",
  { predict_name: "self", signature_field_name: "answer", chunk: "" },
  "control",
);
checkEvent("a DSPy status", { message: "Calling tool find" }, "control");
checkEvent("a DSPy prediction", { prediction: { answer: "Paris" } }, "content");
checkEvent("an empty DSPy prediction", { prediction: {} }, "control");
checkEvent("fields of a program", { answer: "Paris" }, "content");
checkEvent("plain text", "Hello", "content");
checkEvent("the last word", "[DONE]", "control");
checkEvent("null", "null", "control");
checkEvent("an empty object", "{}", "control");
checkEvent("broken JSON", '{"choices": [', "content");

/** The tokens of a whole JSON answer. */
function checkTokens(what: string, answer: unknown, expected: string) {
  test(`tokens of ${what}: ${expected}`, () =>
    assert.equal(readText("json", JSON.stringify(answer)), `content none; tokens ${expected}`));
}

const chatUsage = { prompt_tokens: 263, completion_tokens: 57, total_tokens: 320 };
const trace = (value: unknown) => ({
  databricks_output: {
    trace: { info: { trace_metadata: { "mlflow.trace.tokenUsage": value } } },
    databricks_request_id: "r",
  },
});
checkTokens("a chat completion", { model: "claude", usage: chatUsage }, "claude 263/57");
checkTokens("a response", { usage: { input_tokens: 5, output_tokens: 6 } }, "? 5/6");
checkTokens("an embedding", { usage: { prompt_tokens: 5, total_tokens: 5 } }, "? 5/?");
checkTokens("a cache hit", { usage: { prompt_tokens: 0, completion_tokens: 0 } }, "? 0/0");
checkTokens("no usage", { choices: [] }, "?");
checkTokens("usage: null", { usage: null }, "?");
checkTokens("empty usage", { usage: {} }, "?");
checkTokens("negative counts", { usage: { prompt_tokens: -1, completion_tokens: 2 } }, "? ?/2");
checkTokens("counts as text", { usage: { prompt_tokens: "1" } }, "?");
checkTokens("an MLflow trace", trace('{"input_tokens":3,"output_tokens":4}'), "? 3/4");
checkTokens("an MLflow trace, typed", trace({ input_tokens: 3, output_tokens: 4 }), "? 3/4");
checkTokens("a broken MLflow trace", trace("{"), "?");
checkTokens("usage beside a trace", { usage: chatUsage, ...trace("{}") }, "? 263/57");
checkTokens("a pyfunc answer", { predictions: { model: "m", usage: chatUsage } }, "m 263/57");
checkTokens(
  "a pyfunc batch",
  { predictions: [{ usage: chatUsage }, { usage: chatUsage }] },
  "? 526/114",
);
checkTokens("a batch of which one row tells", { predictions: [{ usage: chatUsage }, {}] }, "?");
checkTokens("a pyfunc answer without usage", { predictions: [{ answer: "Paris" }] }, "?");
checkTokens(
  "DSPy's usage by model",
  { lm_usage: { "openai/a": chatUsage, "openai/b": { prompt_tokens: 1, completion_tokens: 2 } } },
  "openai/a 263/57, openai/b 1/2",
);
checkTokens(
  "a model name beyond the limit",
  { model: "m".repeat(129), usage: chatUsage },
  "? 263/57",
);
checkTokens("an array", [1, 2], "?");
checkTokens(
  "a deep nesting of predictions",
  { predictions: { predictions: { usage: chatUsage } } },
  "?",
);

/** What is known of a whole stream. */
function checkStream(what: string, text: string, expected: string, kind: AnswerKind = "events") {
  test(what, () => assert.equal(readText(kind, text).replace(/content \d+/, "content"), expected));
}

checkStream("a stream of nothing is empty", "", "content none; tokens ?; empty");
checkStream(
  "a stream of comments, roles and the last word is empty",
  `: ping\n\ndata: ${JSON.stringify(delta({ role: "assistant" }))}\n\ndata: [DONE]\n\n`,
  "content none; tokens ?; empty; finished",
);
checkStream(
  "an event without its blank line counts at the end",
  "data: Hello",
  "content end; tokens ?",
);
checkStream(
  "data of several lines is one text",
  'data: {"chunk":\ndata: ""}\n\n',
  "content none; tokens ?; empty",
);
checkStream("a field without a colon is known", "data\n\n", "content none; tokens ?; empty");
checkStream(
  "pings by name are control",
  "event: ping\ndata: 1\n\n",
  "content none; tokens ?; empty",
);
checkStream(
  "an error by name is a failure",
  'event: error\ndata: {"error_code":"INTERNAL","message":"x"}\n\n',
  "content none; tokens ?; empty; failed; INTERNAL",
);
checkStream(
  "Anthropic's usage comes in two parts",
  'event: message_start\ndata: {"type":"message_start","message":{"model":"claude","usage":{"input_tokens":9,"output_tokens":1}}}\n\n' +
    'event: message_delta\ndata: {"type":"message_delta","usage":{"output_tokens":20}}\n\n',
  "content none; tokens claude 9/20; empty",
);
checkStream(
  "a running total replaces the one before",
  'data: {"choices":[{"text":"a"}],"usage":{"prompt_tokens":3,"completion_tokens":1}}\n\n' +
    'data: {"choices":[{"text":"b"}],"usage":{"prompt_tokens":3,"completion_tokens":2}}\n\n',
  "content; tokens ? 3/2",
);
checkStream(
  "JSON lines",
  '{"message":"thinking"}\n\n{"chunk":"a"}\n{"usage":{"prompt_tokens":3,"completion_tokens":1}}',
  "content; tokens ? 3/1",
  "json_lines",
);
checkStream(
  "a line over the limit is skipped, and the stream is not called empty",
  `data: ${"x".repeat(LINE_CHARS_MAX)}\n\ndata: [DONE]\n\n`,
  "content none; tokens ?; finished; skipped 1",
);
checkStream(
  "an event over the limit is skipped",
  `${`data: ${"x".repeat(1000)}\n`.repeat(300)}\n`,
  "content none; tokens ?; skipped 1",
);
checkStream(
  "what follows a line over the limit is read",
  `data: ${"x".repeat(LINE_CHARS_MAX)}\n\ndata: Hi\n\n`,
  "content; tokens ?; skipped 1",
);

test("an answer over the limit is not parsed", () => {
  const padding = "x".repeat(ANSWER_BYTES_MAX);
  const answer = JSON.stringify({ usage: chatUsage, padding });
  assert.equal(readText("json", answer), "content none; tokens ?");
});

for (const [contentType, kind] of [
  ["text/event-stream; charset=utf-8", "events"],
  ["Text/Event-Stream", "events"],
  ["application/x-ndjson", "json_lines"],
  ["application/jsonl", "json_lines"],
  ["application/json", "json"],
  ["application/problem+json; charset=utf-8", "json"],
  ["text/plain", "opaque"],
  ["application/octet-stream", "opaque"],
  ["", "opaque"],
  [null, "opaque"],
] as const) {
  test(`${contentType} is read as ${kind}`, () => assert.equal(answerKind(contentType), kind));
}

/** All that an event stream may hold, with characters of 2, 3 and 4 bytes, and all line ends. */
const STREAM_HEAD =
  "\uFEFF: commentaire é\r\n\r\nid: 7\nretry: 10\nevent: ping\r\ndata: {}\n\n" +
  `data: ${JSON.stringify(delta({ role: "assistant" }))}\r\r`;
const STREAM_FIRST = `data: ${JSON.stringify(delta({ content: "Grüße 🚀 漢" }))}\r\n\r\n`;
const STREAM_TAIL =
  'data: {"choices":[],\ndata: "usage":{"prompt_tokens":11,"completion_tokens":7},"model":"日本"}\n\n' +
  "data: [DONE]\n\n";
const stream = bytesOf(STREAM_HEAD + STREAM_FIRST + STREAM_TAIL);
/** The event is complete with the CR of its blank line; the LF may come later. */
const contentByte = bytesOf(STREAM_HEAD + STREAM_FIRST).byteLength - 1;

/** Content is seen with the piece that holds that byte. */
const expectedOf = (ends: readonly number[]) =>
  `content ${ends.find((end) => end >= contentByte)}; tokens 日本 11/7; finished`;

const cut = (bytes: Uint8Array, ends: readonly number[]) =>
  ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));

test("a stream cut in two at any byte is measured the same", () => {
  for (let at = 0; at <= stream.byteLength; at++) {
    const ends = [at, stream.byteLength];
    assert.equal(read("events", cut(stream, ends)), expectedOf(ends), `cut at byte ${at}`);
  }
});

test("a stream that comes byte by byte is measured the same", () => {
  const ends = Array.from(stream, (_, index) => index + 1);
  assert.equal(read("events", cut(stream, ends)), expectedOf(ends));
});

test("any cutting of a stream is measured the same", () => {
  const cuts = fc.uniqueArray(fc.integer({ min: 0, max: stream.byteLength }), { maxLength: 40 });
  fc.assert(
    fc.property(cuts, (points) => {
      const ends = [...points.toSorted((a, b) => a - b), stream.byteLength];
      assert.equal(read("events", cut(stream, ends)), expectedOf(ends));
    }),
    { numRuns: 500 },
  );
});

test("any bytes, cut anyhow, never throw and are read the same", () => {
  const line = fc.oneof(
    fc.constantFrom(
      "data: ",
      "data:[DONE]",
      "event: error",
      ":",
      "\n",
      "\r",
      "\r\n",
      "{",
      "}",
      "é",
    ),
    fc.string(),
    fc.json(),
  );
  const bytes = fc.oneof(
    fc.array(line, { maxLength: 30 }).map((parts) => bytesOf(parts.join(""))),
    fc.uint8Array({ maxLength: 300 }),
  );
  const kinds = fc.constantFrom<AnswerKind>("events", "json_lines", "json", "opaque");
  fc.assert(
    fc.property(bytes, kinds, fc.nat(), (all, kind, seed) => {
      const at = all.byteLength === 0 ? 0 : seed % all.byteLength;
      const withoutPlace = (said: string) => said.replace(/content (?:\d+|end)/, "content");
      assert.equal(
        withoutPlace(read(kind, [all.subarray(0, at), all.subarray(at)])),
        withoutPlace(read(kind, [all])),
      );
    }),
    { numRuns: 1000 },
  );
});
