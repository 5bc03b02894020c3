/** The history beside the monitor: what it does when whoever writes it fails. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { builtInPriceBook } from "../signals/prices.ts";
import { History } from "./history.ts";
import type { WriterAnswer, WriterOrder } from "./history-writer.ts";

/** Seals as often as there are answers to `open`. Returns the orders, and what was told. */
async function sealTimes(opened: readonly WriterAnswer[]) {
  const orders: string[] = [];
  const notices: string[] = [];
  const answers = opened.values();
  const answerTo = (order: WriterOrder): WriterAnswer =>
    order.kind === "open"
      ? (answers.next().value ?? { kind: "done" })
      : order.kind === "seal"
        ? { kind: "sealed", prunableUpTo: 7, repairs: [] }
        : { kind: "done" };
  const history = new History({
    directory: "nowhere",
    entriesAfter: async (seq) => ({ entries: [], upTo: seq, last: true }),
    clock: { now: () => 0, every: () => () => {}, after: () => () => {} },
    workspaceId: "local",
    priceBook: builtInPriceBook,
    startWriter: (onEnd) => ({
      processId: null,
      async ask(order) {
        orders.push(order.kind);
        return answerTo(order);
      },
      async end() {
        orders.push("end");
        onEnd();
      },
    }),
    onNotice: (notice) => notices.push(notice),
  });
  for (const _ of opened) await history.seal();
  return { orders, notices, prunableUpTo: history.prunableUpTo };
}

test("a disk that was full at the start does not end the history for good", async () => {
  const full: WriterAnswer = { kind: "failed", code: null, problem: "ENOSPC", hint: null };
  const { orders, notices, prunableUpTo } = await sealTimes([full, { kind: "done" }]);
  assert.deepEqual(orders, ["open", "end", "open", "seal"]);
  assert.match(notices[0] ?? "", /^cannot write the history: ENOSPC\n {2}Hint: Nothing is lost/);
  assert.equal(notices[1], "The history is written again.");
  assert.equal(prunableUpTo, 7);
});
