/** Inference tables: from when on they are read, and what the page says where they are not. */
import { WIDE_LOOK_MS } from "../../sources/table-source.ts";

/** How far the first look of all goes back. */
const FIRST_LOOK_BACK_MS = 3_600_000;
/** How far a look after a restart goes back at most: as long as the live figures are kept. */
const LOOK_BACK_MAX_MS = 24 * 3_600_000;

export const notRead = {
  name: "Inference tables",
  state: "waiting",
  asOfMs: null,
  message: "Not read. `--warehouse ID` names the SQL warehouse that reads them.",
} as const;

/** What was read before the restart is read again as far as rows may have come late. */
export function readLoggedFromMs(lastLoggedMs: number | null, nowMs: number): number {
  if (lastLoggedMs === null) return nowMs - FIRST_LOOK_BACK_MS;
  return Math.max(nowMs - LOOK_BACK_MAX_MS, lastLoggedMs - WIDE_LOOK_MS);
}
