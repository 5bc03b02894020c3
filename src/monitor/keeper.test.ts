import assert from "node:assert/strict";
import { test } from "node:test";
import { MonitorError } from "../monitor-error.ts";
import type { JournalEntry } from "../state/journal-entry.ts";
import { MonitorState } from "../state/monitor-state.ts";
import type { Journal } from "../store/journal.ts";
import { Keeper } from "./keeper.ts";

const read: JournalEntry = { kind: "read", source: "spans", upToMs: 5 };
const spans = (reason: string): JournalEntry => ({
  kind: "spans",
  spans: [],
  dropped: { [reason]: 1 },
});
const full = new MonitorError("STORE_FULL", "The disk is full.", { hint: "Make room." });

/** A journal that can be told what goes wrong, and notes what it was asked for. */
function keeping() {
  const state = new MonitorState();
  const notices: string[] = [];
  const asked: string[] = [];
  const disk: { fails: Error | null; isFull: boolean } = { fails: null, isFull: false };
  const write = (how: string) => async () => {
    asked.push(`${how}, spans known: ${state.dropped.size}`);
    if (disk.fails) throw disk.fails;
  };
  const journal = {
    append: write("telemetry"),
    appendUpkeep: write("upkeep"),
    prune: (_nowMs: number, upTo?: number) => asked.push(`prune up to ${upTo}`),
    get isFull() {
      return disk.isFull;
    },
  } as unknown as Journal;
  const keeper = new Keeper({
    journal,
    state,
    prunableUpTo: () => 7,
    now: () => 1_000,
    onNotice: (notice) => notices.push(notice),
  });
  return { keeper, state, notices, asked, disk };
}

test("an entry is in the journal before it is known", async () => {
  const { keeper, state, asked } = keeping();
  await keeper.record(spans("no_trace_id"));
  assert.deepEqual(asked, ["telemetry, spans known: 0"]);
  assert.equal(state.dropped.get("no_trace_id"), 1);
});

test("what could not be written is not known, and is told once until it can be again", async () => {
  const { keeper, state, notices, disk } = keeping();
  disk.fails = full;
  await assert.rejects(keeper.record(spans("no_trace_id")), full);
  await assert.rejects(keeper.record(read), full);
  assert.equal(state.dropped.size, 0);
  assert.equal(keeper.problem, "The disk is full.");
  assert.deepEqual(notices, ["The disk is full.\n  Hint: Make room."]);

  disk.fails = null;
  await keeper.record(read);
  assert.equal(keeper.problem, null);
  disk.fails = full;
  await assert.rejects(keeper.record(read));
  assert.equal(notices.length, 2);
});

test("upkeep that found room in a full journal is no sign that telemetry finds any", async () => {
  const { keeper, disk } = keeping();
  disk.fails = full;
  await assert.rejects(keeper.record(spans("no_trace_id")));
  Object.assign(disk, { fails: null, isFull: true });
  await keeper.record(read);
  assert.equal(keeper.problem, "The disk is full.");
});

test("before old entries go, what is still true of them is written anew", async () => {
  const { keeper, asked } = keeping();
  await keeper.prune();
  assert.deepEqual(asked, ["upkeep, spans known: 0", "prune up to 7"]);
});

test("nothing goes when it could not be written anew; a full disk is no bug", async () => {
  const { keeper, asked, notices, disk } = keeping();
  disk.fails = full;
  await keeper.prune();
  assert.equal(asked.length, 1);
  assert.equal(notices.length, 1);
});

test("a bug is told without what is secret in it", async () => {
  const { keeper, notices, disk } = keeping();
  disk.fails = new Error("no such table; token=dapi0123456789abcdef0123456789abcdef");
  await keeper.prune();
  assert.match(
    notices.join(),
    /^The monitor failed at something; this is a bug of it: no such table/,
  );
  assert.doesNotMatch(notices.join(), /dapi0123/);
});

test("what could not be written is tried again only where there is something to try", () => {
  const { keeper, asked, disk } = keeping();
  keeper.retry();
  assert.deepEqual(asked, []);
  disk.isFull = true;
  keeper.retry();
  assert.equal(asked.length, 1);
});
