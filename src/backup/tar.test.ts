/** Headers of tar files, and parts of a journal: what is written is read, what is damaged is refused. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { PlacedEntry } from "../store/journal.ts";
import { decodePart, encodePart } from "../store/journal-part.ts";
import { readManifest } from "./manifest.ts";
import { readTarHeader, TAR_FILE_MAX_BYTES, tarHeader, tarPadding } from "./tar.ts";

const read = (bytes: Buffer) => readTarHeader(async (size) => bytes.subarray(0, size));

test("a header is read as it was written, whatever the name", () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(fc.stringMatching(/^[\w.-]{1,60}$/), { minLength: 1, maxLength: 4 }),
      fc.nat(TAR_FILE_MAX_BYTES),
      async (parts, sizeBytes) => {
        const name = parts.join("/");
        assert.deepEqual(await read(tarHeader(name, sizeBytes, 0)), { name, sizeBytes });
        assert.equal((sizeBytes + tarPadding(sizeBytes).length) % 512, 0);
      },
    ),
  ));
test("a header of which one byte changed is refused", async () => {
  const header = tarHeader("history/requests/part.parquet", 1234, 1_800_000_000_000);
  for (const at of [0, 20, 100, 124, 130, 150, 257, 345]) {
    const changed = Buffer.from(header);
    changed[at] = (changed[at] ?? 0) ^ 0x11;
    await assert.rejects(read(changed), RangeError, `byte ${at}`);
  }
});
test("a name that fits nowhere is refused", () =>
  assert.throws(() => tarHeader("n".repeat(300), 1, 0), RangeError));

const entries: fc.Arbitrary<PlacedEntry[]> = fc.array(
  fc.record(
    {
      seq: fc.integer({ min: 1, max: 2 ** 40 }),
      timeMs: fc.double({ noNaN: true, min: 0, max: 1e13 }),
      body: fc.oneof(
        fc.string({ unit: "grapheme" }),
        fc.uint8Array({ maxLength: 50 }).map((bytes) => new Uint8Array(bytes)),
      ),
    },
    { noNullPrototype: true },
  ),
  { maxLength: 20 },
);
test("a part of a journal is read as it was written", () =>
  fc.assert(fc.property(entries, (part) => assert.deepEqual(decodePart(encodePart(part)), part))));
test("a part that was cut off or of which a body changed is refused", () => {
  const part = encodePart([
    { seq: 1, timeMs: 2, body: "text" },
    { seq: 2, timeMs: 3, body: new Uint8Array([1, 2, 3]) },
  ]);
  for (let end = 1; end < part.length; end++) {
    const cut = part.subarray(0, end);
    if (end === 29) assert.equal(decodePart(cut).length, 1);
    else assert.throws(() => decodePart(cut), RangeError, `${end} bytes`);
  }
  for (const at of [25, 28, part.length - 1]) {
    const changed = new Uint8Array(part);
    changed[at] = (changed[at] ?? 0) ^ 1;
    assert.throws(() => decodePart(changed), RangeError, `byte ${at}`);
  }
});

test("a backup of a newer version is refused, and the message says what to do", () =>
  assert.throws(() => readManifest(JSON.stringify({ format: 2 }), "monitor.tar"), {
    code: "BACKUP_INVALID",
    message:
      "cannot restore monitor.tar: a newer version wrote it (format 2; this one knows up to 1)",
    hint: "Install that version of dspy-databricks-agents or a newer one, then restore again.",
  }));
