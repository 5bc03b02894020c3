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

for (const [said, expected] of [
  ["PASSWORD is hunter2", "PASSWORD is [secret]"],
  ["the password is hunter2.", "the password is [secret]."],
  [
    "your DB_PASSWORD is s3cr3t! and the user is ann",
    "your DB_PASSWORD is [secret] and the user is ann",
  ],
  [
    "login failed: password is: Winter2024, user ann",
    "login failed: password is: [secret], user ann",
  ],
  ["the passphrase is 'correct h0rse battery'", "the passphrase is '[secret]'"],
  ["the password is 482915", "the password is [secret]"],
  ["passwd is abc123\nat main", "passwd is [secret]\nat main"],
  [
    "the password is hunter2, the password is hunter3",
    "the password is [secret], the password is [secret]",
  ],
] as const) {
  test(`a password that a sentence says: ${said}`, () => check(said, expected));
}

for (const benign of [
  "the password is wrong",
  "the password is weak!",
  "password is required, username is required",
  "the password is SHA-256 hashed",
  "the password is base64-encoded",
  "the password is sha256",
  "the password is 8 characters long",
  "the password is 1234 days old",
  "the password is 8-character at least",
  "the password is in env:DB_PASSWORD",
  "the password is env:DB_PASSWORD",
  "the password is $DB_PASSWORD",
  "the password is {{secrets/support/key}}",
  "the password is /run/secrets/pw1",
  "the password is os.environ['PW1']",
  "the password is NoneType",
  "the password is SecretStr",
  "the password is a2b, says nobody",
  "the password policy is v2",
  "the first pass is gpt-4o",
  "pass is 3x faster",
  "the password is",
  "the password is ",
  "password is: ",
  "password Is it2",
  "password_policy is strict9",
]) {
  test(`what a sentence says of a password stays: ${benign}`, () => check(benign, benign));
}

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
