/**
 * Fills gaps: the rows of damaged files, which are sealed again as the journal brings them. What
 * it brings no more is told as lost, once: whoever asks again has heard the answer before.
 */
import type { Snapshot } from "./delta-log.ts";
import { type Gap, gapsIn, restOf } from "./gaps.ts";
import { PendingRows } from "./pending-rows.ts";
import type { Repair } from "./repair.ts";
import { fillGap, noteTold, type Range, type SealContext } from "./seal.ts";
import type { TableName } from "./tables.ts";

type OpenGap = {
  readonly table: TableName;
  readonly gap: Gap;
  readonly pending: PendingRows;
  /** The journal has not all of its entries any more. */
  isTorn: boolean;
};

export type GapFillerOptions = {
  /** Rows of one gap that wait beyond which a part of it is sealed. */
  readonly waitingMax: number;
};

export class GapFiller {
  readonly #options: GapFillerOptions;
  readonly #context: SealContext;
  #open: OpenGap[];
  #untold: Repair[] = [];
  /** Lost rows that were told with the last answer, by table. */
  #lost = new Map<TableName, readonly Gap[]>();

  constructor(
    snapshots: ReadonlyMap<TableName, Snapshot>,
    options: GapFillerOptions,
    context: SealContext,
  ) {
    this.#options = options;
    this.#context = context;
    this.#open = [...snapshots].flatMap(([table, snapshot]) =>
      gapsIn(snapshot, "gap").map((gap) => openGap(table, gap)),
    );
    for (const [table, snapshot] of snapshots) {
      for (const gap of gapsIn(snapshot, "lost")) this.#tell(table, gap, 0);
    }
  }

  get isOpen(): boolean {
    return this.#open.length > 0;
  }

  /** Places that the journal left out, in the order of what it brings. */
  missEntries({ from, upTo }: Range): void {
    for (const open of this.#open) {
      if (open.gap.from <= upTo && from <= open.gap.upTo) open.isTorn = true;
    }
  }

  /** Where a row at this place of the journal waits; `null` where it lies in no gap. */
  waitingFor(table: TableName, seq: number): PendingRows | null {
    const isIts = ({ table: its, gap }: OpenGap) =>
      its === table && gap.from <= seq && seq <= gap.upTo;
    return this.#open.find(isIts)?.pending ?? null;
  }

  /** Seals those of which everything came that the journal has; of very large ones a part. */
  async fill(filled: {
    readonly takenUpTo: number;
    readonly timeMs: number;
    readonly isRepeated: boolean;
  }): Promise<void> {
    const { takenUpTo, timeMs, isRepeated } = filled;
    for (const open of [...this.#open]) {
      const { table, gap, pending } = open;
      const isOver = gap.upTo <= takenUpTo;
      if (!isOver && pending.rows < this.#options.waitingMax) continue;
      const upTo = Math.min(gap.upTo, takenUpTo);
      const rows = pending.of(table);
      const lost = isOver ? lostOf(open, pending.rows) : null;
      await fillGap({ gap, rows, upTo, timeMs, isRepeated, lost }, this.#context);
      this.#open = this.#open.filter((one) => one !== open);
      const rest = restOf(gap, upTo, pending.rows);
      if (rest) this.#open.push({ ...openGap(table, rest), isTorn: open.isTorn });
      this.#tell(table, lost ?? { from: gap.from, upTo, rows: 0 }, pending.rows);
    }
  }

  /** What became of them, and was not told yet. */
  takeTold(): readonly Repair[] {
    const told = this.#untold;
    this.#untold = [];
    return told;
  }

  /** Once everything was taken to be told: nobody is told again after a restart. */
  async noteTold(timeMs: number): Promise<void> {
    if (this.#untold.length > 0) return;
    for (const [table, lost] of this.#lost) {
      await noteTold(table, { lost, timeMs }, this.#context);
      this.#lost.delete(table);
    }
  }

  #tell(table: TableName, lost: Gap, came: number): void {
    const { from, upTo, rows } = lost;
    const again = `${came} were sealed again from the journal`;
    const told = rows === null ? "how many are lost is not known" : `${rows} are lost`;
    const what = `Rows of ${table} from entries ${from} to ${upTo} of the journal were damaged: ${again}, ${told}.`;
    this.#untold.push({ table, what });
    if (rows !== 0) this.#lost.set(table, [...(this.#lost.get(table) ?? []), lost]);
  }
}

function openGap(table: TableName, gap: Gap): OpenGap {
  return { table, gap, pending: new PendingRows(), isTorn: false };
}

/** `null` when nothing is. */
function lostOf({ gap: { from, upTo, rows }, isTorn }: OpenGap, came: number): Gap | null {
  if (rows !== null) return rows > came ? { from, upTo, rows: rows - came } : null;
  // Where the journal has all of it, everything came.
  return isTorn ? { from, upTo, rows: null } : null;
}
