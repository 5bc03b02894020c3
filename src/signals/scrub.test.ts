import assert from "node:assert/strict";
import { test } from "node:test";
import { scrub } from "./scrub.ts";

function check(text: string, expected: string) {
  assert.equal(scrub(text), expected);
}

const hex32 = "0123456789abcdef0123456789abcdef";

test("a Databricks token goes", () => check(`used dapi${hex32}-2 today`, "used [secret] today"));
test("an OpenAI key goes", () => check("sk-proj-abcdefghijklmnop1234", "[secret]"));
test("a bearer header keeps its scheme", () =>
  check("Authorization: Bearer abcdefgh12345678", "Authorization: [secret] [secret]"));
test("a key in JSON goes", () => check('{"api_key": "hunter2222"}', '{"api_key": "[secret]"}'));
test("a password in a URL goes", () =>
  check("postgres://user:pass@db.internal/x", "postgres://[secret]@db.internal/x"));
test("a Slack webhook goes", () =>
  check("https://hooks.slack.com/services/T0/B0/xyz", "https://hooks.slack.com/[secret]"));
test("an address of a person goes", () =>
  check("mail jane.doe@example.com now", "mail [email] now"));
test("a JSON Web Token goes", () => check("eyJhbGciOiJI.eyJzdWIiOiIx.SflKxwRJSM", "[secret]"));

for (const benign of [
  "input_tokens: 263, output_tokens: 57",
  "max_tokens=500",
  "author: Marie Curie",
  "pass_rate=0.98",
  "the token count is 12",
  "Rate limit reached (stub)",
  "order database unavailable while reading A-9000",
]) {
  test(`stays as it is: ${benign}`, () => check(benign, benign));
}
