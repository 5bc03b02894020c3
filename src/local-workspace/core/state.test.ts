/** Documents that outlive the process that wrote them. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { openState } from "./state.ts";

const directory = mkdtempSync(join(tmpdir(), "state-"));
after(() => rmSync(directory, { recursive: true, force: true }));

test("documents are listed as they came, also after a change, and by prefix", () => {
  const state = openState(":memory:");
  const names = state.collection<{ n: number }>("names");
  for (const [key, n] of [
    ["b.1", 1],
    ["a.1", 2],
    ["b.2", 3],
    ["b.1", 4],
  ] as const) {
    names.put(key, { n });
  }
  assert.deepEqual(names.entries(), [
    ["b.1", { n: 4 }],
    ["a.1", { n: 2 }],
    ["b.2", { n: 3 }],
  ]);
  assert.deepEqual(names.list("b."), [{ n: 4 }, { n: 3 }]);
  assert.deepEqual(state.collection("others").list(), []);
  assert.equal(names.delete("b.1"), true);
  assert.equal(names.delete("b.1"), false);
  assert.equal(names.get("b.1"), undefined);
  state.close();
});

test("a transaction that fails leaves nothing, also of one within it", () => {
  const state = openState(":memory:");
  const names = state.collection<{ n: number }>("names");
  assert.throws(() =>
    state.transaction(() => {
      state.transaction(() => names.put("inner", { n: 1 }));
      names.put("outer", { n: 2 });
      throw new Error("no");
    }),
  );
  assert.deepEqual(names.list(), []);
  state.transaction(() => names.put("later", { n: 3 }));
  assert.deepEqual(names.list(), [{ n: 3 }]);
  state.close();
});

test("what was put is there after a SIGKILL", () => {
  const path = join(directory, "killed.sqlite");
  const program = `
    import { openState } from ${JSON.stringify(new URL("state.ts", import.meta.url).href)};
    openState(${JSON.stringify(path)}).collection("names").put("kept", { n: 1 });
    process.kill(process.pid, "SIGKILL");`;
  const { signal } = spawnSync(process.execPath, ["--input-type=module", "-e", program]);
  assert.equal(signal, "SIGKILL");
  const state = openState(path);
  assert.deepEqual(state.collection("names").get("kept"), { n: 1 });
  state.close();
});

test("two workspaces can't have the same state", () => {
  const path = join(directory, "shared.sqlite");
  const first = openState(path);
  assert.throws(() => openState(path), /locked/);
  first.close();
  openState(path).close();
});
