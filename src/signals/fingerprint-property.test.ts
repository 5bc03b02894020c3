/** Fingerprints: what varies never splits a group, an HTTP status always does. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Failure, fingerprint, template } from "./fingerprint.ts";

const of = (message: string): string => {
  const failure: Failure = {
    endpoint: "qa",
    type: "api.error",
    errorClass: "server",
    path: "self.answer",
    message,
  };
  return fingerprint(failure);
};

const hex = (size: number) =>
  fc
    .string({
      unit: fc.constantFrom(..."0123456789abcdef"),
      minLength: size,
      maxLength: size,
    })
    // One without a digit is a word.
    .map((text) => `${text.slice(0, -1)}7`);

const integer = fc.integer({ min: 0, max: 10 ** 9 });
const octet = fc.integer({ min: 0, max: 255 });
const name = fc.string({ unit: fc.constantFrom(..."abcxyz_"), minLength: 1, maxLength: 12 });

/** Kinds of what varies from call to call. */
const varying: Record<string, fc.Arbitrary<string>> = {
  uuid: fc.uuid(),
  "trace id": hex(32),
  address: hex(8).map((text) => `0x${text}`),
  number: integer.map(String),
  decimal: fc.tuple(integer, integer).map(([whole, part]) => `${whole}.${part}`),
  "order id": integer.map((number) => `A-${number}`),
  "request id": hex(20).map((text) => `req_0${text}`),
  user: integer.map((number) => `user${number}`),
  ipv4: fc.tuple(octet, octet, octet, octet).map((octets) => `${octets.join(".")}:443`),
  ipv6: hex(4).map((text) => `fe80::${text}`),
  url: fc.tuple(name, integer).map(([host, id]) => `https://${host}.example.com/v1/${id}?q=${id}`),
  path: fc.tuple(name, name).map((parts) => `/opt/${parts.join("/")}.json`),
  "relative path": fc.tuple(name, name).map((parts) => `src/${parts.join("/")}.py`),
  "e-mail address": name.map((local) => `x${local}@example.com`),
  time: fc
    .date({ min: new Date(0), max: new Date("2099-01-01"), noInvalidDate: true })
    .map((date) => date.toISOString()),
  "quoted text": fc
    .string({ unit: fc.constantFrom(..."abc 12/"), maxLength: 60 })
    .map((text) => `"${text}"`),
};

/** Sentences around it; the varying part stands where the brackets are. */
const sentences = [
  "order database unavailable while reading []",
  "[] was refused by the provider",
  "cannot find [] in the index, giving up",
  "no answer (asked for []) in time",
  "retrying: []",
];

for (const [kind, values] of Object.entries(varying)) {
  test(`one group whatever the ${kind}`, () =>
    fc.assert(
      fc.property(fc.constantFrom(...sentences), values, values, (sentence, one, other) => {
        const [first, second] = [sentence.replace("[]", one), sentence.replace("[]", other)];
        // The first number of a sentence may be read as its status.
        fc.pre(!/^[45]\d\d$/.test(one) && !/^[45]\d\d$/.test(other));
        assert.equal(of(first), of(second), `${template(first)} | ${template(second)}`);
      }),
    ));
}

/** How programs tell an HTTP status. */
const statements = [
  "Request failed with status code []",
  "HTTP []",
  "HTTP/1.1 [] Too Many Requests",
  "[] Service Unavailable",
  "Error code: [] - {'error': {'message': 'no'}}",
  "GET https://example.com/v1/7 answered []",
  "the model (databricks-claude) returned [].",
  "openai.APIStatusError: []: no capacity",
  "failed ([]) after 3 attempts",
  '{"status": [], "message": "x"}',
  "status=[] url=https://example.com/a?b=[]",
  "[]",
  "[] You exceeded your current quota",
  "[ERROR] got [] from upstream",
  "error [] for order A-17",
];
const status = fc.integer({ min: 400, max: 599 });

for (const statement of statements) {
  test(`another status, another group: ${statement}`, () =>
    fc.assert(
      fc.property(status, status, (one, other) => {
        const say = (code: number) => statement.replaceAll("[]", String(code));
        assert.equal(of(say(one)) === of(say(other)), one === other, template(say(one)));
      }),
    ));
}

/** What a message says besides the status, with something that varies. */
const surroundings = ["[]", "[] (request ‹›)", "order ‹›: []", "[] at ‹›"];
test("whatever varies around it, the status alone decides", () =>
  fc.assert(
    fc.property(
      fc.constantFrom("HTTP 4xx", ...statements.filter((one) => !/^\[\]|\[\]$/.test(one))),
      fc.constantFrom(...surroundings),
      fc.constantFrom(...Object.values(varying)).chain((values) => fc.tuple(values, values)),
      fc.tuple(status, status),
      (statement, around, [id, otherId], [one, other]) => {
        fc.pre(!/^[1-5]\d\d$/.test(id) && !/^[1-5]\d\d$/.test(otherId));
        const say = (code: number, what: string) =>
          around
            .replace("[]", () =>
              statement.replaceAll("[]", String(code)).replace("4xx", String(code)),
            )
            .replace("‹›", () => what);
        const [first, second] = [say(one, id), say(other, otherId)];
        assert.equal(
          of(first) === of(second),
          one === other,
          `${template(first)} | ${template(second)}`,
        );
      },
    ),
    { numRuns: 1_000 },
  ));

test("any text has a template, and the same one each time", () =>
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 600 }), (text) => {
      const once = template(text);
      assert.equal(template(text), once);
      assert.equal(of(text), of(text));
      assert.ok(once.length <= 300);
    }),
  ));

test("fields do not run together", () => {
  const base: Failure = { endpoint: "ab", type: "c", errorClass: "tool", path: "d", message: "e" };
  const groups = [
    base,
    { ...base, endpoint: "a", type: "bc" },
    { ...base, path: "", message: "de" },
  ];
  assert.equal(new Set(groups.map(fingerprint)).size, groups.length);
});

test("a hundred thousand messages without anything in common are as many groups", () => {
  const letters = (value: number): string =>
    value < 26
      ? String.fromCharCode(97 + value)
      : letters(Math.floor(value / 26) - 1) + String.fromCharCode(97 + (value % 26));
  const groups = new Set<string>();
  for (let index = 0; index < 100_000; index++) groups.add(of(`no tool ${letters(index)}`));
  assert.equal(groups.size, 100_000);
});

for (const piece of [
  "'a ",
  '"',
  "/a",
  "a@",
  "1:",
  "a:",
  "::",
  "-1",
  "f",
  "0x",
  "A-1",
  "{'a':",
  "a/b",
]) {
  test(`long hostile text takes no time to speak of: ${piece}`, () => {
    const text = piece.repeat(Math.ceil(1_048_576 / piece.length));
    const started = performance.now();
    template(text);
    assert.ok(performance.now() - started < 200);
  });
}
