/** A recording sent again has present times, fresh ids and the agent's name; all else is as recorded. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { readFields } from "./protobuf-edit.ts";
import { readRecordings } from "./recordings.ts";
import { replayBody } from "./replay.ts";

const captures = new URL("../../fixtures/telemetry/captures/", import.meta.url);
/** Made without a resource name, or by the MLflow client, which sends none. */
const WITHOUT_NAME = /lost-root|client-to-server/;
const bodies = new Map<string, Uint8Array>([
  ...readRecordings().flatMap(({ recordings }) =>
    recordings.map(
      ({ agent, case: name, question, otlp }) => [`${agent} ${name} ${question}`, otlp] as const,
    ),
  ),
  ...readdirSync(captures)
    .filter((file) => file.endsWith(".otlp.pb") && !WITHOUT_NAME.test(file))
    .map((file) => [file, readFileSync(new URL(file, captures))] as const),
]);

/** The places of a span that a replay may change, by their path of field numbers. */
const ID_PATHS = new Set(["1.2.2.1", "1.2.2.2", "1.2.2.4", "1.2.2.13.1", "1.2.2.13.2"]);
const TIME_PATHS = new Set(["1.2.2.7", "1.2.2.8", "1.2.2.11.1"]);
const START_PATH = "1.2.2.7";
/** Paths that hold messages; all others are leaves here. */
const MESSAGE_PATHS =
  /^1(\.1(\.1(\.2)?)?|\.2(\.1|\.2(\.9(\.2)?|\.11|\.13|\.15)?)?)?$|^1\.2\.2\.11\.3(\.2)?$/;

type Leaf = { readonly path: string; readonly value: Uint8Array; readonly key: string | null };

function leavesOf(message: Uint8Array, path = "", key: string | null = null): readonly Leaf[] {
  const fields = [...readFields(message)];
  // Of an attribute, the key stands before the value.
  const isAttribute = /^1\.(1\.1|2\.2\.9|2\.2\.11\.3)$/.test(path);
  const [first] = fields;
  const ownKey = isAttribute && first ? Buffer.from(first.value).toString() : key;
  return fields.flatMap(({ number, value }) => {
    const at = path === "" ? `${number}` : `${path}.${number}`;
    return MESSAGE_PATHS.test(at)
      ? leavesOf(value, at, ownKey)
      : [{ path: at, value, key: ownKey }];
  });
}

const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const textOf = (bytes: Uint8Array) => Buffer.from(bytes).toString("utf8");
const timeOf = (bytes: Uint8Array) => Buffer.from(bytes).readBigUInt64LE();

function earliest(timesNs: readonly bigint[]): bigint {
  return timesNs.toSorted((a, b) => (a < b ? -1 : 1))[0] ?? assert.fail();
}

function countingBytes(first = 1) {
  let next = first;
  return (size: number) => {
    const bytes = Buffer.alloc(size, 0xee);
    bytes.writeUInt32BE(next++);
    return bytes;
  };
}

/** Checks every leaf of the replayed body against the recorded one. */
function checkReplay(recorded: Uint8Array, options: { serviceName: string; startedNs: bigint }) {
  const replayed = replayBody(recorded, { ...options, randomBytes: countingBytes() });
  const before = leavesOf(recorded);
  const after = leavesOf(replayed);
  assert.deepEqual(
    after.map(({ path }) => path),
    before.map(({ path }) => path),
  );
  const starts = before.filter(({ path }) => path === START_PATH).map(({ value }) => timeOf(value));
  const firstNs = earliest(starts);
  const freshOf = new Map<string, string>();

  before.forEach((old, i) => {
    const { path, value } = after[i] ?? assert.fail();
    if (ID_PATHS.has(path)) {
      const fresh = hexOf(value);
      assert.equal(freshOf.get(hexOf(old.value)) ?? fresh, fresh, "one id has one fresh id");
      freshOf.set(hexOf(old.value), fresh);
      if (fresh !== "") assert.notEqual(fresh, hexOf(old.value));
    } else if (TIME_PATHS.has(path)) {
      const fromStartNs = timeOf(old.value) - firstNs;
      assert.equal(timeOf(value), timeOf(old.value) && options.startedNs + fromStartNs);
    } else if (old.key === "service.name" && path === "1.1.1.2.1") {
      assert.equal(textOf(value), options.serviceName);
    } else if (old.key === "mlflow.traceRequestId" && path === "1.2.2.9.2.1") {
      const [, traceId = ""] = /^"tr-([0-9a-f]{32})"$/.exec(textOf(old.value)) ?? assert.fail();
      assert.equal(textOf(value), `"tr-${freshOf.get(traceId)}"`);
    } else {
      assert.ok(Buffer.from(old.value).equals(value), `${path} ${old.key} changed`);
    }
  });
  assert.equal(new Set(freshOf.values()).size, freshOf.size, "different ids stay different");
}

for (const [name, body] of bodies) {
  test(`nothing else changes in: ${name}`, () =>
    checkReplay(body, { serviceName: "another-agent", startedNs: 1_900_000_000_123_000_000n }));
}

test("replayed back with the recorded ids, time and name, a body is byte for byte what it was", () => {
  const everyBody = fc.constantFrom(...bodies.values());
  const anyNs = fc.bigInt({ min: 1_000_000_000_000_000_000n, max: 2_000_000_000_000_000_000n });
  fc.assert(
    fc.property(everyBody, anyNs, fc.string({ maxLength: 300 }), (body, startedNs, serviceName) => {
      const away = replayBody(body, { serviceName, startedNs, randomBytes: countingBytes() });

      const leaves = leavesOf(body);
      const ids = [
        ...new Set(
          leaves.filter(({ path }) => ID_PATHS.has(path)).map(({ value }) => hexOf(value)),
        ),
      ].filter((id) => id !== "");
      const starts = leaves.filter(({ path }) => path === START_PATH);
      const firstNs = earliest(starts.map(({ value }) => timeOf(value)));
      const named = leaves.find(({ path, key }) => path === "1.1.1.2.1" && key === "service.name");
      const back = replayBody(away, {
        serviceName: textOf(named?.value ?? assert.fail()),
        startedNs: firstNs,
        randomBytes: () => Buffer.from(ids.shift() ?? assert.fail(), "hex"),
      });
      assert.ok(Buffer.from(back).equals(body));
    }),
    { numRuns: 60 },
  );
});

test("a damaged recording is refused, and nothing is read beyond its end", () => {
  const everyBody = fc.constantFrom(...bodies.values());
  fc.assert(
    fc.property(everyBody, fc.nat(), fc.nat({ max: 255 }), (body, place, byte) => {
      const damaged = Uint8Array.from(body);
      damaged[place % damaged.length] = byte;
      try {
        replayBody(damaged, { serviceName: "x", startedNs: 1n, randomBytes: countingBytes() });
      } catch (error) {
        assert.ok(error instanceof Error && !(error instanceof TypeError), String(error));
      }
    }),
    { numRuns: 200 },
  );
});

test("a time that is not known stays unknown", () => {
  // One span that starts at 5 ns and has not ended.
  const span = "390500000000000000410000000000000000";
  const resource = `0a140a120a0c${hexOf(Buffer.from("service.name"))}12020a00`;
  const scopeSpans = `12141212${span}`;
  const body = Buffer.from(`0a2c${resource}${scopeSpans}`, "hex");
  const replay = { serviceName: "x", startedNs: 7n, randomBytes: countingBytes() };
  const replayed = hexOf(replayBody(body, replay));
  assert.ok(replayed.endsWith(span.replace("3905", "3907")), replayed);
});

test("a body without a span, and one without service.name, is no recording", () => {
  const replay = { serviceName: "x", startedNs: 1n, randomBytes: countingBytes() };
  assert.throws(() => replayBody(new Uint8Array(), replay), /no span/);
  const nameless = readFileSync(new URL("mlflow-otlp-lost-root-no-tag-0002.otlp.pb", captures));
  assert.throws(() => replayBody(nameless, replay), /without service.name/);
});
