/** Minutes of a history, for tests: each is sealed as a file of its own. */
import { nothingHappened } from "../signals/happened.ts";
import { PendingRows, type TableRows } from "./pending-rows.ts";
import { rowsOf } from "./rows.ts";
import { type SealContext, sealRows } from "./seal.ts";

export const nowMs = 1_800_000_000_000;

/** Two rows of metrics a minute. */
export async function sealMinutes(
  context: SealContext,
  { from, upTo }: { readonly from: number; readonly upTo: number },
): Promise<void> {
  for (const seq of Array.from({ length: upTo - from + 1 }, (_, at) => from + at)) {
    const timeMs = nowMs + seq * 60_000;
    await sealRows({ upTo: seq, timeMs, tables: [minuteRows(seq)] }, context);
  }
}

/** In whatever order of them, they are the same rows, and other bytes in a file. */
export function minuteRows(seq: number, names: readonly string[] = ["cpu", "memory"]): TableRows {
  const pending = new PendingRows();
  const timeMs = nowMs + seq * 60_000;
  const labels = { seq: `${seq}` };
  const sample = { kind: "gauge", endpoint: "qa", labels, value: seq, timeMs } as const;
  const samples = names.map((name) => ({ ...sample, name }));
  for (const row of rowsOf({ ...nothingHappened, samples }, { workspaceId: "local" })) {
    pending.add(row, seq);
  }
  return pending.of("metrics");
}
