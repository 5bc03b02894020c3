/** The receiver answers as Slack's incoming webhooks do. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createSlackInbox, startSlackReceiver } from "./slack-receiver.ts";

const PATH = "/services/T0/B0/secret";
const FORM = "application/x-www-form-urlencoded";

type Post = { readonly body: string; readonly path?: string; readonly type?: string };

async function check(
  { body, path = PATH, type = "application/json" }: Post,
  expected: { readonly answer: string; readonly kept: number },
) {
  const { api, messages } = createSlackInbox({ path: PATH, now: () => 1 });
  const headers = { "content-type": type };
  const response = await api.request(path, { method: "POST", body, headers });
  assert.equal(`${response.status} ${await response.text()}`, expected.answer);
  assert.equal(messages().length, expected.kept);
}

test("a text is taken", () => check({ body: '{"text":"hi"}' }, { answer: "200 ok", kept: 1 }));
test("blocks are taken", () =>
  check({ body: '{"blocks":[{"type":"divider"}]}' }, { answer: "200 ok", kept: 1 }));
test("a form with a payload is taken", () =>
  check(
    { body: "payload=%7B%22text%22%3A%22hi%22%7D", type: FORM },
    { answer: "200 ok", kept: 1 },
  ));
test("an empty message has no text", () =>
  check({ body: "{}" }, { answer: "400 no_text", kept: 0 }));
test("an empty text is none", () =>
  check({ body: '{"text":""}' }, { answer: "400 no_text", kept: 0 }));
test("what is not JSON is no payload", () =>
  check({ body: "hello" }, { answer: "400 invalid_payload", kept: 0 }));
test("a list is no payload", () =>
  check({ body: '["text"]' }, { answer: "400 invalid_payload", kept: 0 }));
test("another path is no webhook", () =>
  check({ body: '{"text":"hi"}', path: `${PATH}x` }, { answer: "404 no_service", kept: 0 }));
test("a huge message is refused", () =>
  check(
    { body: JSON.stringify({ text: "x".repeat(1024 * 1024) }) },
    { answer: "413 invalid_payload", kept: 0 },
  ));

test("the latest 200 messages are kept, oldest first", async () => {
  let nowMs = 0;
  const { api, messages } = createSlackInbox({ path: PATH, now: () => ++nowMs });
  for (let i = 1; i <= 203; i++) {
    await api.request(PATH, { method: "POST", body: JSON.stringify({ text: `${i}` }) });
  }
  assert.equal(messages().length, 200);
  assert.deepEqual(messages()[0], { receivedMs: 4, body: { text: "4" } });
  assert.deepEqual(messages().at(-1), { receivedMs: 203, body: { text: "203" } });
});

test("it listens on loopback, at a path that cannot be guessed", async () => {
  const receiver = await startSlackReceiver();
  try {
    assert.match(
      receiver.url,
      /^http:\/\/127\.0\.0\.1:\d+\/services\/T[0-9A-F]+\/B[0-9A-F]+\/[0-9A-F]{24}$/,
    );
    const response = await fetch(receiver.url, { method: "POST", body: '{"text":"hi"}' });
    assert.equal(await response.text(), "ok");
    assert.deepEqual(receiver.messages()[0]?.body, { text: "hi" });
  } finally {
    await receiver.close();
  }
});
