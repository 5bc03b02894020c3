/** Minutes of a history, for tests: each is sealed as a file of its own. */
import { nothingHappened } from "../signals/happened.ts";
import { PendingRows } from "./pending-rows.ts";
import { rowsOf } from "./rows.ts";
import { type SealContext, sealRows } from "./seal.ts";

export const nowMs = 1_800_000_000_000;

/** Two rows of metrics a minute. */
export async function sealMinutes(
  context: SealContext,
  { from, upTo }: { readonly from: number; readonly upTo: number },
): Promise<void> {
  for (const seq of Array.from({ length: upTo - from + 1 }, (_, at) => from + at)) {
    const pending = new PendingRows();
    const sample = {
      kind: "gauge",
      endpoint: "qa",
      labels: { seq: `${seq}` },
      value: seq,
    } as const;
    const timeMs = nowMs + seq * 60_000;
    const samples = ["cpu", "memory"].map((name) => ({ ...sample, name, timeMs }));
    const rows = rowsOf({ ...nothingHappened, samples }, { workspaceId: "local" });
    for (const row of rows) pending.add(row, seq);
    await sealRows({ upTo: seq, timeMs, tables: pending.tables() }, context);
  }
}
