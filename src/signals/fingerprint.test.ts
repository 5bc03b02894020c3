import assert from "node:assert/strict";
import { test } from "node:test";
import { type Failure, fingerprint } from "./fingerprint.ts";

const base: Failure = {
  endpoint: "order-agent",
  type: "ConnectionError",
  errorClass: "tool",
  path: "lookup_order",
  message: "",
};

function group(first: Partial<Failure>, second: Partial<Failure>, same: boolean) {
  const [one, other] = [fingerprint({ ...base, ...first }), fingerprint({ ...base, ...second })];
  assert.equal(one === other, same);
}

const same: [string, string][] = [
  [
    "order database unavailable while reading A-9000",
    "order database unavailable while reading A-9127",
  ],
  ["no answer after 12.5 s", "no answer after 3 s"],
  ["cannot reach http://10.0.0.1:9/v1", "cannot reach http://example.com/v2"],
  [
    "bad request 3f2a9c1b-0000-4000-8000-123456789abc",
    "bad request 11111111-2222-4333-8444-555555555555",
  ],
  ['order "A": HTTP 503', 'order "ship it": HTTP 503'],
  ["'delete_everything': no such tool", "'drop_table': no such tool"],
  ["unknown tool 'delete_everything'", "unknown tool 'drop_table'"],
  ["open /opt/agent/a.json failed", "open /tmp/x/b.json failed"],
  ["object at 0x7f3a12bc", "object at 0x7e0012ff"],
];
for (const [first, second] of same) {
  test(`one group: ${first} | ${second}`, () =>
    group({ message: first }, { message: second }, true));
}

const different: [Partial<Failure>, Partial<Failure>][] = [
  [{ message: "failed with status code 429" }, { message: "failed with status code 503" }],
  [{ message: "{'code': 'quota'}" }, { message: "{'code': 'rate'}" }],
  [{ message: '{"a": 1}' }, { message: '{"b": 1}' }],
  [{ type: "LMServerError" }, { type: "LMRateLimitError" }],
  [{ path: "self.generate" }, { path: "self.check" }],
  [{ endpoint: "a" }, { endpoint: "b" }],
  [{ message: "order database unavailable" }, { message: "weather service unavailable" }],
];
for (const [first, second] of different) {
  test(`two groups: ${JSON.stringify(first)} | ${JSON.stringify(second)}`, () =>
    group(first, second, false));
}
