/** References to a webhook, good and bad. What was read is never shown. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { MonitorError } from "../monitor-error.ts";
import { readSecret } from "./read-secret.ts";

const URL_TEXT = "https://hooks.slack.com/services/T0CANARY/B0CANARY/canaryToken";

function read(reference: string, text?: string): Promise<string> {
  return readSecret(reference, {
    env: { HOOK: text },
    readFile(path) {
      if (path === "/run/hook" && text !== undefined) return text;
      throw Object.assign(new Error(`ENOENT: ${path} ${URL_TEXT}`), { code: "ENOENT" });
    },
  });
}

for (const [reference, text] of [
  ["env:HOOK", URL_TEXT],
  ["file:/run/hook", URL_TEXT],
  ["file:/run/hook", `  ${URL_TEXT}\r\n`],
] as const) {
  test(`${reference} gives the URL`, async () =>
    assert.equal(await read(reference, text), URL_TEXT));
}

for (const url of [
  "http://127.0.0.1:8080/hook",
  "http://localhost/hook",
  "http://[::1]:8080/hook",
  "http://2130706433/hook",
]) {
  test(`${url} is this machine and needs no https`, async () =>
    assert.equal(await read("env:HOOK", url), url));
}

test("a file may be read asynchronously", async () => {
  const url = await readSecret("file:hook", { env: {}, readFile: async () => URL_TEXT });
  assert.equal(url, URL_TEXT);
});

const refused: readonly (readonly [string, string | undefined, string])[] = [
  [URL_TEXT, undefined, "the webhook is not a reference to where its URL is kept"],
  [`env:${URL_TEXT}`, undefined, "the webhook is not a reference to where its URL is kept"],
  [`file:${URL_TEXT}`, undefined, "the webhook is not a reference to where its URL is kept"],
  ["", undefined, "the webhook is not a reference to where its URL is kept"],
  ["env:", undefined, "the webhook is not a reference to where its URL is kept"],
  ["secret:HOOK", undefined, "the webhook is not a reference to where its URL is kept"],
  ["env:HOOK", undefined, "the webhook is kept in environment variable HOOK, which is not set"],
  ["env:HOOK", " ", "the webhook is empty: environment variable HOOK"],
  ["file:/no", undefined, "the webhook is kept in file /no, which could not be read (ENOENT)"],
  ["env:HOOK", "canary", "the webhook is not a URL: environment variable HOOK"],
  ["env:HOOK", `${URL_TEXT}\n${URL_TEXT}`, "the webhook is not a URL: environment variable HOOK"],
  [
    "env:HOOK",
    `https://x/${"canary".repeat(999)}`,
    "the webhook is not a URL: environment variable HOOK",
  ],
  [
    "env:HOOK",
    "http://hooks.slack.com/canary",
    "the webhook is not an https URL: environment variable HOOK",
  ],
  [
    "env:HOOK",
    "http://127.0.0.1.canary.example/",
    "the webhook is not an https URL: environment variable HOOK",
  ],
  [
    "env:HOOK",
    "ftp://127.0.0.1/canary",
    "the webhook is not an https URL: environment variable HOOK",
  ],
  [
    "env:HOOK",
    "https://me:canary@hooks.slack.com/",
    "the webhook holds a user name or password: environment variable HOOK",
  ],
  [
    "env:HOOK",
    "https://169.254.169.254/canary",
    "the webhook leads to an address that only machines of a cloud use: environment variable HOOK",
  ],
  [
    "env:HOOK",
    "https://2852039166/canary",
    "the webhook leads to an address that only machines of a cloud use: environment variable HOOK",
  ],
  [
    "env:HOOK",
    "https://[::ffff:169.254.169.254]/canary",
    "the webhook leads to an address that only machines of a cloud use: environment variable HOOK",
  ],
];
for (const [reference, text, message] of refused) {
  test(`refused: ${message}, ${reference.length} ${text?.length}`, async () => {
    await assert.rejects(read(reference, text), (error: unknown) => {
      assert.ok(error instanceof MonitorError);
      assert.equal(error.code, "CONFIG_INVALID");
      assert.equal(error.message, message);
      assert.match(error.hint, /\.$/);
      assert.doesNotMatch(inspect(error, { depth: 20, showHidden: true }), /canary/i);
      return true;
    });
  });
}
