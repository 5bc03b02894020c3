/**
 * Finds the handle of a series by the label object that the caller has just made. Open
 * addressing over a hash of each value's length and two of its characters; every name
 * and value is compared on a hit, so a collision costs time and never correctness. Names
 * that differ only where the hash does not look make long probes: then the table is
 * built anew with a hash that looks at more, in the end at all, with a seed of its own.
 *
 * What is compared lies side by side in one array: at 1 000 series with 5 labels a
 * look-up took 40 ns, where an object per entry took 90, and a `Map` keyed by the joined
 * text 400. (All before labels were enumerated once only, which is faster still.)
 */

/** Longest probe, and more than its share that all entries together may need, before the hash looks at more. */
const PROBES_MAX = 64;
const PROBES_SPARE = 64;
/** The same labels in another order are another entry; when there are more, they are looked up slowly. */
const ENTRIES_PER_SERIES = 2;
const CAPACITY_MIN = 64;
/** Labels of one series; more of them are never found here, and looked up slowly. */
const ASKED_MAX = 64;

/** How much of a text the hash looks at. */
const LOOK_AT_TWO = 0;
const LOOK_AT_ENDS = 1;
const LOOK_AT_ALL = 2;
type Look = typeof LOOK_AT_TWO | typeof LOOK_AT_ENDS | typeof LOOK_AT_ALL;

// An entry: these, then the values in the order of the names.
const FIRST = 0;
const SECOND = 1;
const NAMES = 2;
const HANDLE = 3;
const VALUES = 4;

export type Labels = Readonly<Record<string, string>>;

/** Returns the text as it may be kept, or nothing when it may not. */
export type Keep = (text: string) => string | undefined;

export class SeriesTable<Handle> {
  /** Pairs: hash, and where the entry begins, plus 1. */
  #slots = new Int32Array(CAPACITY_MIN * 2);
  #mask = CAPACITY_MIN - 1;
  readonly #entries: unknown[] = [];
  readonly #starts: number[] = [];
  #look: Look = LOOK_AT_TWO;
  /** Probes beyond the first, of all entries. */
  #moreProbes = 0;
  readonly #seed: number;
  readonly #entriesMax: number;
  /** The labels that are being looked for; of the last look-up until the next one. */
  readonly #askedNames: string[] = new Array<string>(ASKED_MAX).fill("");
  readonly #askedValues: unknown[] = new Array<unknown>(ASKED_MAX).fill("");
  #askedCount = 0;
  /** Label names in their order: most callers use few combinations. */
  readonly #namesByKey = new Map<string, readonly string[]>();

  /** @param seed nobody outside can know, so nobody can choose names that collide. */
  constructor(seriesMax: number, seed = Math.floor(Math.random() * 2 ** 32)) {
    this.#entriesMax = seriesMax * ENTRIES_PER_SERIES;
    this.#seed = seed | 0;
  }

  find(first: string, second: string | undefined, labels: Labels | undefined): Handle | undefined {
    const hash = this.#ask(first, second, labels);
    const count = this.#askedCount;
    const askedNames = this.#askedNames;
    const askedValues = this.#askedValues;
    const mask = this.#mask;
    const slots = this.#slots;
    const entries = this.#entries;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const start = (slots[slot * 2 + 1] ?? 0) - 1;
      if (start < 0) return undefined;
      if (slots[slot * 2] !== hash) continue;
      if (entries[start] !== first || entries[start + SECOND] !== second) continue;
      // What stands at this place is what `add` put there.
      const names = entries[start + NAMES] as readonly string[];
      if (names.length !== count) continue;
      let i = 0;
      while (
        i < count &&
        entries[start + VALUES + i] === askedValues[i] &&
        names[i] === askedNames[i]
      ) {
        i++;
      }
      if (i === count) return entries[start + HANDLE] as Handle;
    }
  }

  /** Adds what `find` did not find, unless the table is full or the labels may not be kept. */
  add(
    first: string,
    second: string | undefined,
    labels: Labels | undefined,
    { handle, keep }: { readonly handle: Handle; readonly keep: Keep },
  ): void {
    if (this.#starts.length >= this.#entriesMax) return;
    const keptFirst = keep(first);
    const keptSecond = second === undefined ? undefined : keep(second);
    if (keptFirst === undefined || (second !== undefined && keptSecond === undefined)) return;
    const names: string[] = [];
    const values: string[] = [];
    for (const givenName in labels) {
      const name = keep(givenName);
      const given: unknown = labels[givenName];
      const value = typeof given === "string" ? keep(given) : undefined;
      if (name === undefined || value === undefined) return;
      names.push(name);
      values.push(value);
    }
    if (names.length > ASKED_MAX) return;
    const start = this.#entries.length;
    this.#entries.push(keptFirst, keptSecond, this.#share(names), handle, ...values);
    this.#starts.push(start);
    if (this.#starts.length * 2 > this.#mask) {
      this.#rebuild((this.#mask + 1) * 2);
      return;
    }
    if (!this.#place(start, this.#ask(first, second, labels))) this.#lookAtMore();
  }

  #lookAtMore(): void {
    this.#look = this.#look === LOOK_AT_TWO ? LOOK_AT_ENDS : LOOK_AT_ALL;
    this.#rebuild(this.#mask + 1);
  }

  #share(names: readonly string[]): readonly string[] {
    const key = JSON.stringify(names);
    const known = this.#namesByKey.get(key);
    if (known) return known;
    this.#namesByKey.set(key, names);
    return names;
  }

  /**
   * Hashes what is looked for, and lays the labels out side by side: enumerating an object
   * takes far longer than an array, so it is done once, for the hash and the comparisons.
   */
  #ask(first: string, second: string | undefined, labels: Labels | undefined): number {
    if (this.#look !== LOOK_AT_TWO) return this.#askMore(first, second, labels);
    const askedNames = this.#askedNames;
    const askedValues = this.#askedValues;
    let count = 0;
    let hash = hashTwo(first, 17);
    if (second !== undefined) hash = hashTwo(second, hash);
    if (labels !== undefined) {
      for (const name in labels) {
        const value: unknown = labels[name];
        if (typeof value === "string") hash = hashTwo(value, hash);
        if (count < ASKED_MAX) {
          askedNames[count] = name;
          askedValues[count] = value;
        }
        count++;
      }
    }
    this.#askedCount = count;
    return hash ^ (hash >>> 15);
  }

  #askMore(first: string, second: string | undefined, labels: Labels | undefined): number {
    const hashText = this.#look === LOOK_AT_ENDS ? hashEnds : hashAll;
    let count = 0;
    let hash = hashText(first, this.#seed);
    if (second !== undefined) hash = hashText(second, hash);
    for (const name in labels) {
      const value: unknown = labels[name];
      if (typeof value === "string") hash = hashText(value, hash);
      if (count < ASKED_MAX) {
        this.#askedNames[count] = name;
        this.#askedValues[count] = value;
      }
      count++;
    }
    this.#askedCount = count;
    return hash ^ (hash >>> 15);
  }

  /** @returns whether the hash tells the entries well enough apart; there is no better one than of all. */
  #place(start: number, hash: number): boolean {
    let slot = hash & this.#mask;
    let probes = 1;
    while ((this.#slots[slot * 2 + 1] ?? 0) !== 0) {
      slot = (slot + 1) & this.#mask;
      probes++;
    }
    this.#slots[slot * 2] = hash;
    this.#slots[slot * 2 + 1] = start + 1;
    this.#moreProbes += probes - 1;
    // A table that is half full needs half a probe more on average, if the hash is good.
    const isGood = probes <= PROBES_MAX && this.#moreProbes <= this.#starts.length + PROBES_SPARE;
    return isGood || this.#look === LOOK_AT_ALL;
  }

  #rebuild(capacity: number): void {
    this.#slots = new Int32Array(capacity * 2);
    this.#mask = capacity - 1;
    this.#moreProbes = 0;
    for (const start of this.#starts) {
      const first = String(this.#entries[start + FIRST]);
      const second = this.#entries[start + SECOND];
      const names = this.#entries[start + NAMES] as readonly string[];
      const labels: [string, string][] = names.map((name, i) => [
        name,
        String(this.#entries[start + VALUES + i]),
      ]);
      const isGood = this.#place(
        start,
        this.#ask(
          first,
          typeof second === "string" ? second : undefined,
          Object.fromEntries(labels),
        ),
      );
      if (!isGood) {
        this.#lookAtMore();
        return;
      }
    }
  }
}

/** The length, the last character and the middle one. Looking at one costs 2 ns. */
function hashTwo(text: string, hash: number): number {
  const length = text.length;
  if (length === 0) return Math.imul(hash ^ 47, 0x9e3779b1);
  const sampled =
    length ^ (text.charCodeAt(length - 1) << 8) ^ (text.charCodeAt(length >> 1) << 18);
  const mixed = Math.imul(hash ^ sampled, 0x9e3779b1);
  return mixed ^ (mixed >>> 15);
}

/** The length, the first character and the last four: numbers at the end (`agent-1234`). */
function hashEnds(text: string, hash: number): number {
  const length = text.length;
  let mixed = hashTwo(text, hash);
  if (length === 0) return mixed;
  const from = length > 4 ? length - 4 : 0;
  mixed = Math.imul(mixed ^ text.charCodeAt(0), 0x85ebca6b);
  for (let i = from; i < length - 1; i++) {
    mixed = Math.imul((mixed >>> 13) ^ mixed ^ text.charCodeAt(i), 0x85ebca6b);
  }
  return mixed ^ (mixed >>> 15);
}

function hashAll(text: string, hash: number): number {
  let mixed = hash ^ text.length;
  for (let i = 0; i < text.length; i++) {
    mixed = Math.imul((mixed >>> 13) ^ mixed ^ text.charCodeAt(i), 0x5bd1e995);
  }
  return mixed ^ (mixed >>> 15);
}
