/** Asking an agent: once, whole or as it speaks, whatever the endpoint can do. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { queryServingEndpoint, streamServingEndpoint } from "./serving-invocations.ts";
import { clientThatAnswers } from "./test-answering-client.ts";

const invocation = { input: [{ role: "user", content: "Hi" }] };
const asked = 'POST /serving-endpoints/a%20b/invocations {"input":[{"role":"user","content":"Hi"}]';

test("an answer, with who gave it", async () => {
  const headers = { "served-model-name": "support-3", "x-request-id": "r-1" };
  const { client, seen } = clientThatAnswers(() => Response.json({ output: [] }, { headers }));
  assert.deepEqual(await queryServingEndpoint(client, "a b", invocation), {
    json: { output: [] },
    servedEntityName: "support-3",
    requestId: "r-1",
  });
  assert.deepEqual(seen, [`${asked}}`]);
});

for (const [isIdempotent, calls] of [
  [undefined, 1],
  [true, 2],
] as const) {
  test(`an agent that is not there is asked ${calls} times when isIdempotent is ${isIdempotent}`, async () => {
    const { client, clock, seen } = clientThatAnswers((_request, count) =>
      count === 1 ? Response.json({}, { status: 503 }) : Response.json({}),
    );
    const answer = queryServingEndpoint(
      client,
      "a b",
      invocation,
      isIdempotent === undefined ? {} : { isIdempotent },
    );
    const ended = answer.catch(() => {});
    await clock.advance(1000);
    await ended;
    assert.equal(seen.length, calls);
  });
}

async function eventsOf(response: Response): Promise<unknown[]> {
  const { client, seen } = clientThatAnswers(() => response);
  const events: unknown[] = [];
  for await (const event of streamServingEndpoint(client, "a b", invocation)) events.push(event);
  assert.deepEqual(seen, [`${asked},"stream":true}`]);
  return events;
}

const stream = (text: string) =>
  new Response(text, { headers: { "content-type": "text/event-stream" } });

test("what an agent says while it speaks", async () => {
  const text =
    'event: response.output_text.delta\ndata: {"delta":"Yes"}\n\ndata: {"type":"response.completed"}\n\n';
  assert.deepEqual(await eventsOf(stream(text)), [
    { event: "response.output_text.delta", data: { delta: "Yes" } },
    { event: "message", data: { type: "response.completed" } },
  ]);
});

test("the mark at the end is no event, and text is handed on as it is", async () => {
  const text = 'data: {"a":1}\n\ndata: so far\n\ndata: [DONE]\n\ndata: more\n\n';
  assert.deepEqual(await eventsOf(stream(text)), [
    { event: "message", data: { a: 1 } },
    { event: "message", data: "so far" },
  ]);
});

test("an endpoint that cannot stream answers as a whole", async () => {
  assert.deepEqual(await eventsOf(Response.json({ output: [] })), [
    { event: "message", data: { output: [] } },
  ]);
});
