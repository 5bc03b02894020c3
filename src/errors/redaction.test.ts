/** Nothing is kept before secrets are out of it: wherever they stand, and whatever else happens. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { ScrubOptions } from "../signals/scrub.ts";
import { secretsByShape, secretsInPlace } from "../signals/test-secrets.ts";
import { ErrorTracker } from "./error-tracker.ts";
import type { TrackOptions } from "./track-options.ts";

/** Everything that the tracker tells of one error, in one text. */
function told(message: string, options: TrackOptions, redact?: ScrubOptions, type = "a"): string {
  const tracker = new ErrorTracker(redact === undefined ? {} : { redact });
  const said: unknown[] = [];
  tracker.registerPattern({
    name: "p",
    thresholdCount: 1,
    timeWindowSeconds: 60,
    alertCallback: (errors) => said.push(errors),
  });
  tracker.trackError(type, message, options);
  said.push(tracker.getRecentErrors(), tracker.getGroups(), tracker.getErrorSummary());
  said.push(tracker.getErrorsAfter(0, 9), tracker.getCounters());
  return JSON.stringify(said);
}

/** What is kept of a context. */
function keptContexts(context: object): readonly unknown[] {
  const tracker = new ErrorTracker();
  tracker.trackError("a", "x", { context });
  return tracker.getRecentErrors().map((error) => error.context);
}

type Place = (text: string) => string;

const failing = (message: string, extra: object = {}) => Object.assign(new Error(message), extra);
const places: Readonly<Record<string, Place>> = {
  "the message": (text) => told(text, {}),
  "the type": (text) => told("x", {}, {}, text),
  "the agent": (text) => told("x", { agentName: text }),
  "the version": (text) => told("x", { modelVersion: text }),
  "the context": (text) => told("x", { context: text }),
  "a value of the context": (text) => told("x", { context: { note: text } }),
  "a value deep in the context": (text) => told("x", { context: { a: [{ b: { c: [text] } }] } }),
  "a name in the context": (text) => told("x", { context: { [text]: 1, deep: { [text]: {} } } }),
  "a map, a set, headers and a URL": (text) =>
    told("x", { context: { map: new Map([[text, text]]), set: new Set([text]) } }),
  "what was thrown": (text) => told("x", { error: text }),
  "the error's message": (text) => told("x", { error: failing(text) }),
  "the error's name and code": (text) =>
    told("x", { error: failing("x", { name: text, code: text }) }),
  "the error's stack": (text) =>
    told("x", { error: failing("x", { stack: `Error: x\n at ${text}` }) }),
  "the error's own fields": (text) =>
    told("x", { error: failing("x", { config: { headers: text }, input: text }) }),
  "its cause": (text) => told("x", { error: failing("x", { cause: failing(text) }) }),
  "a cause of the cause": (text) =>
    told("x", { error: failing("x", { cause: failing("y", { cause: text }) }) }),
  "an AggregateError": (text) => told("x", { error: new AggregateError([failing(text)], text) }),
  "an error in the context": (text) =>
    told("x", { context: { error: failing(text, { input: text }) } }),
};

/** As it is, and as JSON writes it. No piece of 12 characters stays. */
function assertGone(secret: string, text: string): void {
  const escaped = JSON.stringify(secret).slice(1, -1);
  for (let at = 0; at + 12 <= escaped.length; at++) {
    assert.ok(
      !text.includes(escaped.slice(at, at + 12)),
      `${escaped.slice(at, at + 12)} in ${text}`,
    );
  }
  assert.ok(!text.includes(escaped));
}

for (const [where, tell] of Object.entries(places)) {
  test(`every shape of secret goes from ${where}`, () => {
    for (const secret of Object.values(secretsByShape))
      assertGone(secret, tell(`used ${secret} today`));
    for (const { text, secret } of Object.values(secretsInPlace)) assertGone(secret, tell(text));
  });

  test(`positive control: other text stays in ${where}`, () => {
    // These two keep no fields of others at all.
    if (where === "the error's own fields") return;
    assert.match(tell("plain words"), /plain words/);
  });
}

const names = [
  ...["password", "DB_PASSWORD", "passwd", "pwd", "secret", "clientSecret", "api_key", "apiKey"],
  ...[
    "X-Api-Key",
    "Authorization",
    "cookie",
    "set-cookie",
    "session",
    "accessToken",
    "refresh_token",
  ],
  ...["pw", "dbPw", "cred", "sas"],
  ...["token", "auth", "credentials", "private_key", "privateKey", "otp", "csrfToken", "jwt"],
  ...["routing_key", "connectionString", "PHPSESSID", "x-amz-security-token", "DATABRICKS_TOKEN"],
];
test("a value goes by the name of its field, whatever it is", () => {
  for (const name of names) {
    for (const value of ["plain", ["plain"], { deep: "plain" }, new Map([["deep", "plain"]])]) {
      const text = told("x", { context: { outer: { [name]: value } } });
      assert.ok(!text.includes("plain") && text.includes("[secret]"), `${name} ${text}`);
    }
  }
});

test("the values of raw headers go by the name before them", () => {
  const rawHeaders = [
    ...["Host", "h.example:443", "authorization", "Bearer plain", "X-Api-Key", "plain"],
    ...["cookie", "plain=plain", "Accept", "*/*"],
  ];
  for (const context of [{ rawHeaders }, { req: { headers: [...rawHeaders] } }, rawHeaders]) {
    const text = told("x", { context });
    assert.ok(!text.includes("plain") && text.includes("h.example:443"), text);
  }
});

test("a list of the names of headers or fields stays", () => {
  const lists = {
    allowed: ["authorization", "content-type", "x-api-key", "accept"],
    required: ["password", "username", "api_key", "model"],
    odd: ["authorization", "Bearer", "x-api-key"],
  };
  const [error] = keptContexts(lists);
  assert.deepEqual(error, lists);
});

test("a password that is a number goes, too", () => {
  assert.ok(!told("x", { context: { password: 482915, pin_code: 1 } }).includes("482915"));
});

test("the names of DSPy's and MLflow's figures are no secrets", () => {
  const figures = {
    ...{
      input_tokens: 263,
      output_tokens: 57,
      total_tokens: 320,
      max_tokens: 500,
      token_count: 12,
    },
    ...{
      prompt_tokens: 1,
      completion_tokens: 2,
      tokens_per_second: 31.5,
      maxTokens: 9,
      num_tokens: 3,
    },
    ...{ reasoning_tokens: 4, cached_tokens: 5, token: 7, first_token_ms: 120, stop_token: "###" },
    ...{ author: "Marie Curie", authority: "EMA", pass_rate: 0.98, first_pass: "ok", passed: true },
    ...{
      passage: "In 1903",
      compass: "N",
      secretary: "J",
      keyboard: "us",
      key: "k1",
      tokenizer: "bpe",
    },
    ...{
      session_count: 3,
      authorized: false,
      bypass: "no",
      monkey: "m",
      password_policy: "strict",
      signature: "question -> answer",
    },
  };
  const tracker = new ErrorTracker({ redact: { personalData: true } });
  tracker.trackError("a", "x", { context: figures });
  assert.deepEqual(tracker.getRecentErrors()[0]?.context, figures);
});

test("personal data goes where that is asked for, and stays where not", () => {
  const personal: readonly string[] = [
    ...["jane.doe@example.com", "+49 170 1234567", "4111 1111 1111 1111", "DE89370400440532013000"],
    ...["203.0.113.7", "2001:db8::1:2", "00:1b:44:11:3a:b7", "078-05-1120"],
  ];
  const text = `asked by ${personal.join(" and ")} from /home/jane/agent.py`;
  const without = told(text, { context: { email: "j at d", customer: { phone: "112" } } });
  for (const one of personal) assert.ok(without.includes(one), one);
  const clean = told(
    text,
    { context: { email: "j at d", customer: { phone: "112" } } },
    { personalData: true },
  );
  for (const one of [...personal, "jane", "j at d", '"112"'])
    assert.ok(!clean.includes(one), `${one} ${clean}`);
});

test("a caller's rules: by name, by pattern, by function", () => {
  const redact: ScrubOptions = {
    rules: [
      { key: "patient-id" },
      { pattern: /case \d+/i, replacement: "case [n]" },
      { pattern: /\bproject-\w+/ },
      (text) => text.replaceAll("Umbrella", "[customer]"),
    ],
  };
  const text = told(
    "Case 12 and case 13 of project-x at Umbrella",
    { context: { patientId: 77123, PATIENT_ID: "p1" } },
    redact,
  );
  assert.match(text, /case \[n\] and case \[n\] of \[secret\] at \[customer\]/);
  assert.ok(!/77123|"p1"/.test(text), text);
});

test("a rule that throws, or returns no text, takes the whole text with it", () => {
  for (const rule of [
    () => {
      throw new Error("not today");
    },
    () => undefined as unknown as string, // a caller without types
  ]) {
    const text = told("something private", { context: { a: "private" } }, { rules: [rule] });
    assert.ok(!text.includes("private"), text);
  }
});

const passphrase = 'c0rrect "horse"/ünd+batt&ry';
const forms: Readonly<Record<string, string>> = {
  "as it is": passphrase,
  "with spaces around it": `  ${passphrase}\n`,
  "in a URL": encodeURIComponent(passphrase),
  "in a URL, in small letters": encodeURIComponent(passphrase).replace(/%../g, (code) =>
    code.toLowerCase(),
  ),
  "in a form": String(new URLSearchParams({ p: passphrase })).slice(2),
  "in JSON": JSON.stringify({ p: passphrase }),
  "in JSON of Python": JSON.stringify(passphrase).replace(
    /[^ -~]/g,
    (char) => `\\u00${char.charCodeAt(0).toString(16)}`,
  ),
  "in base64": Buffer.from(passphrase).toString("base64"),
  "in base64 of a URL": Buffer.from(passphrase).toString("base64url"),
  "as the password of Basic authentication": Buffer.from(`admin:${passphrase}`).toString("base64"),
  "as the user of Basic authentication": Buffer.from(`${passphrase}:`).toString("base64"),
  "one place further in base64": Buffer.from(`ab${passphrase}cd`).toString("base64"),
};
for (const [how, form] of Object.entries(forms)) {
  test(`a configured secret goes ${how}`, () => {
    const text = `it was «${form}» that failed`;
    const clean = told(
      text,
      { context: { a: form, [`x ${form}`]: 1 }, error: new Error(form) },
      { secrets: [passphrase] },
    );
    const plain = told(text, {}, {});
    // Of base64 the ends may be shared with what stands around it.
    const middle = form.slice(6, -6);
    assert.ok(plain.includes(JSON.stringify(middle).slice(1, -1)), "positive control");
    for (let at = 0; at + 12 <= middle.length; at++) {
      assert.ok(!clean.includes(JSON.stringify(middle.slice(at, at + 12)).slice(1, -1)), clean);
    }
  });
}

test("a secret anywhere in a long text is scrubbed before it is cut", () => {
  const secret = secretsByShape["Databricks token"] ?? "";
  for (const fill of [
    "x ",
    "password=longvalue ",
    `token=${"a1".repeat(3_000)} `,
    "-----BEGIN PRIVATE KEY-----",
  ]) {
    for (let at = 900; at < 17_000; at += at < 1_100 || at > 16_200 ? 7 : 997) {
      const start = fill.repeat(Math.ceil(at / fill.length)).slice(0, at);
      const text = `${start} ${secret} ${"y ".repeat(3_000)}`;
      assertGone(
        secret,
        told(text, { context: { text }, error: { name: "E", message: text, stack: text } }),
      );
    }
  }
});

test("whatever stands around a secret, it goes", () => {
  const around = fc.string({
    unit: fc.constantFrom(..." \n\t\"'`()[]{}<>,;:=/\\|é中xX0.!?&"),
    maxLength: 12,
  });
  fc.assert(
    fc.property(
      fc.constantFrom(
        ...Object.entries(secretsByShape)
          // It is known by where it begins and ends.
          .filter(([name]) => !name.startsWith("AWS secret key"))
          .map(([, secret]) => secret),
      ),
      around,
      around,
      (secret, before, after) => {
        // A letter or digit before it makes it another word; one after it a longer one.
        fc.pre(!/[\wX]$/.test(before) && !/^[\w.]/.test(after));
        assertGone(
          secret,
          told(before + secret + after, { context: { a: before + secret + after } }),
        );
      },
    ),
    { numRuns: 300 },
  );
});
