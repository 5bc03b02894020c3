/** A table's log: commits that exclude each other, and what is refused rather than read wrongly. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import fc from "fast-check";
import type { Action, AddFile } from "./actions.ts";
import { changeTable } from "./change-table.ts";
import { readSnapshot, refuseUnreadable, refuseUnwritable, writeCommit } from "./log.ts";
import { createTableLocks } from "./table-locks.ts";

let tableDir = "";
beforeEach(() => {
  tableDir = mkdtempSync(join(tmpdir(), "delta-log-"));
});
afterEach(() => rmSync(tableDir, { recursive: true }));

const start: readonly Action[] = [
  { protocol: { minReaderVersion: 1, minWriterVersion: 2 } },
  {
    metaData: {
      id: "1",
      format: { provider: "parquet", options: {} },
      schemaString: '{"type":"struct","fields":[]}',
      partitionColumns: [],
      configuration: {},
    },
  },
];

const file = (path: string): AddFile => ({
  path,
  partitionValues: {},
  size: 1,
  modificationTime: 0,
  dataChange: true,
});
const remove = (path: string) => ({
  path,
  deletionTimestamp: 0,
  dataChange: true,
  extendedFileMetadata: true as const,
  partitionValues: {},
  size: 1,
});
const commit = (version: number, actions: readonly Action[]) =>
  writeCommit(tableDir, { version, actions });
const paths = async () => [...((await readSnapshot(tableDir))?.files.keys() ?? [])].sort();

describe("a commit", () => {
  test("is there whole, and leaves nothing beside it", async () => {
    await commit(0, start);
    await commit(1, [{ add: file("a") }, { add: file("b") }]);
    await commit(2, [{ remove: remove("a") }]);
    assert.deepEqual(await paths(), ["b"]);
    assert.deepEqual(readdirSync(join(tableDir, "_delta_log")).sort(), [
      "00000000000000000000.json",
      "00000000000000000001.json",
      "00000000000000000002.json",
    ]);
  });

  test("of two at once is one", async () => {
    await commit(0, start);
    const won = await Promise.all(
      Array.from({ length: 5 }, (_, writer) => commit(1, [{ add: file(`w${writer}`) }])),
    );
    assert.equal(won.filter(Boolean).length, 1);
    assert.equal((await paths()).length, 1);
  });

  test("is read on from a snapshot that is known", async () => {
    await commit(0, start);
    const known = await readSnapshot(tableDir);
    await commit(1, [{ add: file("a") }, { txn: { appId: "x", version: 3, lastUpdated: 0 } }]);
    const now = await readSnapshot(tableDir, known ?? undefined);
    assert.deepEqual([now?.version, now?.transactions.get("x")], [1, 3]);
  });
});

describe("a change, when another process was faster", () => {
  const change = (
    plan: (version: number) => readonly Action[],
    {
      isBlindAppend,
      between,
    }: { readonly isBlindAppend: boolean; readonly between: readonly Action[] },
  ) => {
    let plans = 0;
    const changed = changeTable(
      { tableDir, locks: createTableLocks(), nowMs: 0, user: "ada" },
      async (snapshot) => {
        if (plans++ === 0) await commit((snapshot?.version ?? -1) + 1, between);
        return { actions: plan(snapshot?.version ?? -1), operation: "WRITE", isBlindAppend };
      },
    );
    return changed.then(() => plans);
  };

  test("is committed after it as it is, where it only adds rows", async () => {
    await commit(0, start);
    const plans = await change(() => [{ add: file("mine") }], {
      isBlindAppend: true,
      between: [{ add: file("theirs") }],
    });
    assert.deepEqual([plans, await paths()], [1, ["mine", "theirs"]]);
  });

  test("is planned again, where it looked at rows", async () => {
    await commit(0, start);
    const plans = await change((version) => [{ add: file(`planned-on-${version}`) }], {
      isBlindAppend: false,
      between: [{ add: file("theirs") }],
    });
    assert.deepEqual([plans, await paths()], [2, ["planned-on-1", "theirs"]]);
  });

  test("is planned again, where the columns are others now", async () => {
    await commit(0, start);
    const metaData = start[1]?.metaData;
    assert.ok(metaData);
    const plans = await change((version) => [{ add: file(`planned-on-${version}`) }], {
      isBlindAppend: true,
      between: [{ metaData: { ...metaData, configuration: { changed: "yes" } } }],
    });
    assert.deepEqual([plans, await paths()], [2, ["planned-on-1"]]);
  });

  test("is planned again, where the same file was loaded", async () => {
    await commit(0, start);
    const txn = { appId: "copy-into:/x", version: 1, lastUpdated: 0 };
    const plans = await change(
      (version) => (version === 0 ? [{ txn }, { add: file("twice") }] : [{ add: file("nothing") }]),
      { isBlindAppend: true, between: [{ txn }, { add: file("once") }] },
    );
    assert.deepEqual([plans, await paths()], [2, ["nothing", "once"]]);
  });
});

describe("what is not understood is refused by name", () => {
  const check = async (actions: readonly Action[], says: RegExp, read: "read" | "written") => {
    await commit(0, [...start, ...actions]);
    const snapshot = await readSnapshot(tableDir);
    assert.ok(snapshot);
    const refuse = read === "read" ? refuseUnreadable : refuseUnwritable;
    assert.throws(() => refuse(snapshot), says);
  };
  test("deletion vectors", () =>
    check(
      [
        {
          protocol: {
            minReaderVersion: 3,
            minWriterVersion: 7,
            readerFeatures: ["deletionVectors"],
            writerFeatures: ["deletionVectors"],
          },
        },
      ],
      /to be read: deletionVectors/,
      "read",
    ));
  test("generated columns", () =>
    check([{ protocol: { minReaderVersion: 1, minWriterVersion: 4 } }], /writer 4/, "written"));
  test("row tracking", () =>
    check(
      [
        {
          protocol: {
            minReaderVersion: 1,
            minWriterVersion: 7,
            writerFeatures: ["rowTracking", "clustering"],
          },
        },
      ],
      /to be written: rowTracking/,
      "written",
    ));
  test("a log that begins with a checkpoint", async () => {
    mkdirSync(join(tableDir, "_delta_log"));
    writeFileSync(join(tableDir, "_delta_log/00000000000000000010.checkpoint.parquet"), "");
    writeFileSync(join(tableDir, "_delta_log/00000000000000000011.json"), "{}");
    await assert.rejects(readSnapshot(tableDir), /reading Delta checkpoints/);
  });
  test("nothing at all is no table", async () => {
    assert.equal(await readSnapshot(join(tableDir, "nothing")), null);
  });
});

test("whatever is added and removed, what is left is what a list would keep", async () => {
  const step = fc.record({ adds: fc.boolean(), name: fc.constantFrom("a", "b", "c", "d") });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
      rmSync(join(tableDir, "_delta_log"), { recursive: true, force: true });
      await commit(0, start);
      const expected = new Set<string>();
      for (const [index, { adds, name }] of steps.entries()) {
        if (adds) expected.add(name);
        else expected.delete(name);
        await commit(index + 1, [adds ? { add: file(name) } : { remove: remove(name) }]);
      }
      assert.deepEqual(await paths(), [...expected].sort());
    }),
    { numRuns: 20 },
  );
});

test("a commit is one JSON object a line", async () => {
  await commit(0, start);
  const text = readFileSync(join(tableDir, "_delta_log/00000000000000000000.json"), "utf8");
  assert.deepEqual(
    text
      .trimEnd()
      .split("\n")
      .map((line) => Object.keys(JSON.parse(line))),
    [["protocol"], ["metaData"]],
  );
});
