/** Streams of events as servers send them, in any pieces. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { EVENT_MAX_CHARS, readEvents } from "./server-sent-events.ts";

async function* pieces(bytes: Uint8Array, sizeBytes = bytes.length) {
  for (let at = 0; at < bytes.length; at += sizeBytes) yield bytes.slice(at, at + sizeBytes);
}

async function eventsOf(chunks: AsyncIterable<Uint8Array>): Promise<string[]> {
  const events: string[] = [];
  const tooLong = () => new Error("too long");
  for await (const { event, data, id } of readEvents(chunks, { tooLong })) {
    events.push(`${event}|${data}${id === null ? "" : `|${id}`}`);
  }
  return events;
}

for (const [what, text, expected] of [
  ["one event", "data: a\n\n", ["message|a"]],
  ["a named one with an id", "event: done\nid: 7\ndata: a\n\n", ["done|a|7"]],
  ["data of several lines", "data: a\ndata:  b\ndata\n\n", ["message|a\n b\n"]],
  [
    "every end of a line",
    "data: a\r\n\r\ndata: b\r\rdata: c\n\n",
    ["message|a", "message|b", "message|c"],
  ],
  ["comments that keep the connection", ": ping\n\n: ping\n\ndata: a\n\n", ["message|a"]],
  ["fields that nobody knows", "retry: 5\nfoo: bar\ndata: a\n\n", ["message|a"]],
  ["no empty line behind the last", 'data: a\n\ndata: {"b":1}', ["message|a", 'message|{"b":1}']],
  ["a name without data", "event: a\n\ndata: b\n\n", ["message|b"]],
  ["a mark at the start", "\ufeffdata: ä€🦊\n\n", ["message|ä€🦊"]],
  ["nothing", "", []],
] as const) {
  test(`${what}, in one piece or byte by byte`, async () => {
    const bytes = new TextEncoder().encode(text);
    assert.deepEqual(await eventsOf(pieces(bytes)), expected);
    assert.deepEqual(await eventsOf(pieces(bytes, 1)), expected);
  });
}

test("how it is cut changes nothing", () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.constantFrom("data: é\n", "data:x\r\n", "\n", "\r", "\r\n", "event: e\n", ":c\n"),
      ),
      fc.integer({ min: 1, max: 7 }),
      async (lines, sizeBytes) => {
        const bytes = new TextEncoder().encode(lines.join(""));
        assert.deepEqual(await eventsOf(pieces(bytes, sizeBytes)), await eventsOf(pieces(bytes)));
      },
    ),
  ));

test("an event without end is given up at the limit", async () => {
  let sentChars = 0;
  async function* endless(part: string) {
    for (;;) {
      sentChars += part.length;
      yield new TextEncoder().encode(part);
    }
  }
  for (const part of ["x".repeat(65536), `data: ${"x".repeat(65536)}\n`]) {
    sentChars = 0;
    await assert.rejects(eventsOf(endless(part)), /^Error: too long$/);
    assert.ok(sentChars < EVENT_MAX_CHARS + 2 * 65536 + 20);
  }
});
