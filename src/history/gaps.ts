/**
 * Places in the journal whose rows are missing in a table, because a file of them was damaged.
 * They stand in the table's log: first as a gap, until the rows were sealed again, then as lost
 * rows, until people were told. So no crash forgets them, and no export goes past a gap.
 */
import type { Snapshot } from "./delta-log.ts";

export type Gap = {
  /** Both included. */
  readonly from: number;
  readonly upTo: number;
  /** `null` where nothing says any more how many there were. */
  readonly rows: number | null;
};

/** A gap is open until it is filled, lost rows until they are told. */
type Kind = "gap" | "lost";

const PREFIX = "dspy-databricks-history";
const OPEN = 1;
const CLOSED = 0;

/** Those that are open, in ascending order. */
export function gapsIn({ progress }: Pick<Snapshot, "progress">, kind: Kind): readonly Gap[] {
  return [...progress]
    .flatMap(([note, state]) => (state === OPEN ? (gapOf(note, kind) ?? []) : []))
    .sort((a, b) => a.from - b.from);
}

export function opened(kind: Kind, gap: Gap): readonly [string, number] {
  return [noteOf(kind, gap), OPEN];
}

export function closed(kind: Kind, gap: Gap): readonly [string, number] {
  return [noteOf(kind, gap), CLOSED];
}

/** What stays open of a gap that is filled up to a place with so many rows; `null` when nothing does. */
export function restOf({ upTo: end, rows }: Gap, upTo: number, came: number): Gap | null {
  if (upTo >= end) return null;
  return { from: upTo + 1, upTo: end, rows: rows === null ? null : Math.max(0, rows - came) };
}

/** What is worked out anew where a log is made anew. */
export function isGapNote(note: string): boolean {
  return gapOf(note, "gap") !== null;
}

/** What a checkpoint needs not repeat. */
export function isClosed([note, state]: readonly [string, number]): boolean {
  return state === CLOSED && (gapOf(note, "gap") ?? gapOf(note, "lost")) !== null;
}

function noteOf(kind: Kind, { from, upTo, rows }: Gap): string {
  return `${PREFIX}/${kind}/${from}-${upTo}/${rows ?? "unknown"}`;
}

function gapOf(note: string, kind: Kind): Gap | null {
  const [, noted, from, upTo, rows] = /^[\w-]+\/(gap|lost)\/(\d+)-(\d+)\/(\w+)$/.exec(note) ?? [];
  if (noted !== kind || !note.startsWith(PREFIX)) return null;
  return {
    from: Number(from),
    upTo: Number(upTo),
    rows: rows === "unknown" ? null : Number(rows),
  };
}
