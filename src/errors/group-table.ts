/**
 * The groups by their fingerprint: a hash table with the order in which they were
 * last seen. At its bound the group that was not seen for longest makes room.
 */
import { errorClasses } from "../signals/error-class.ts";
import { hashHex, type Lanes } from "../signals/fingerprint.ts";
import {
  type ErrorGroup,
  type GroupState,
  type GroupVersion,
  NEW_MS,
  VERSIONS_MAX,
} from "./error-group.ts";
import { severities } from "./error-severity.ts";

type Version = { version: string; count: number; firstSeenMs: number; lastSeenMs: number };

/** A group while it changes. */
export type LiveGroup = {
  readonly low: number;
  readonly high: number;
  readonly id: string;
  readonly type: string;
  readonly agentName: string | null;
  readonly statusCode: number | null;
  readonly errorClass: number;
  severity: number;
  mark: "seen" | "resolved" | "regressed";
  count: number;
  firstSeenMs: number;
  firstElapsedMs: number;
  lastSeenMs: number;
  readonly message: string;
  readonly errorName: string | null;
  stack: string | null;
  /** The last seen stands first. */
  versions: Version[];
  /** Set by `resolve`: errors of other versions that were known then don't bring it back. */
  fixed: { readonly version: string; readonly known: ReadonlySet<string> } | null;
  /** The next one with the same place in the table. */
  next: LiveGroup | null;
  newer: LiveGroup | null;
  older: LiveGroup | null;
};

/** What a group takes note of when one more of its errors is seen. */
export type SeenError = {
  readonly group: LiveGroup;
  /** Its place among `severities`. */
  readonly severity: number;
  readonly modelVersion: string | null;
  readonly timeMs: number;
};

export class GroupTable {
  readonly #heads: (LiveGroup | null)[];
  readonly #mask: number;
  readonly #sizeMax: number;
  #newest: LiveGroup | null = null;
  #oldest: LiveGroup | null = null;
  size = 0;
  /** Groups that made room for others. */
  evicted = 0;

  constructor(sizeMax: number) {
    this.#sizeMax = sizeMax;
    const places = 2 ** Math.ceil(Math.log2(2 * sizeMax));
    this.#heads = new Array<LiveGroup | null>(places).fill(null);
    this.#mask = places - 1;
  }

  find({ low, high }: Lanes): LiveGroup | null {
    let group = this.#heads[(low ^ (low >>> 15)) & this.#mask] ?? null;
    while (group !== null && (group.low !== low || group.high !== high)) group = group.next;
    return group;
  }

  /** By its id. Reads all groups: for people, not for every error. */
  withId(id: string): LiveGroup | null {
    let group = this.#newest;
    while (group !== null && group.id !== id) group = group.older;
    return group;
  }

  add(
    { low, high }: Lanes,
    given: Pick<
      LiveGroup,
      | "type"
      | "agentName"
      | "statusCode"
      | "errorClass"
      | "severity"
      | "message"
      | "errorName"
      | "stack"
      | "firstSeenMs"
      | "firstElapsedMs"
    >,
  ): LiveGroup {
    if (this.size >= this.#sizeMax && this.#oldest) this.#evict(this.#oldest);
    const place = (low ^ (low >>> 15)) & this.#mask;
    const group: LiveGroup = {
      low,
      high,
      id: hashHex({ low, high }),
      ...given,
      mark: "seen",
      count: 0,
      lastSeenMs: given.firstSeenMs,
      versions: [],
      fixed: null,
      next: this.#heads[place] ?? null,
      newer: null,
      older: null,
    };
    this.#heads[place] = group;
    this.size++;
    this.#putFirst(group);
    return group;
  }

  /** Counts one more error of its group, which is now the last seen. */
  see({ group, severity, modelVersion, timeMs }: SeenError): void {
    group.count++;
    group.lastSeenMs = timeMs;
    if (severity > group.severity) group.severity = severity;
    if (modelVersion !== null) seeVersion(group, modelVersion, timeMs);
    if (group.mark === "resolved" && !isExpected(group, modelVersion)) group.mark = "regressed";
    if (group !== this.#newest) {
      this.#unlink(group);
      this.#putFirst(group);
    }
  }

  /** The last seen first. */
  *all(): Generator<LiveGroup> {
    for (let group = this.#newest; group !== null; group = group.older) yield group;
  }

  #putFirst(group: LiveGroup): void {
    group.newer = null;
    group.older = this.#newest;
    if (this.#newest) this.#newest.newer = group;
    this.#newest = group;
    this.#oldest ??= group;
  }

  #unlink(group: LiveGroup): void {
    if (group.newer) group.newer.older = group.older;
    else this.#newest = group.older;
    if (group.older) group.older.newer = group.newer;
    else this.#oldest = group.newer;
  }

  #evict(group: LiveGroup): void {
    this.#unlink(group);
    const place = (group.low ^ (group.low >>> 15)) & this.#mask;
    let before = this.#heads[place] ?? null;
    if (before === group) this.#heads[place] = group.next;
    else {
      while (before !== null && before.next !== group) before = before.next;
      if (before) before.next = group.next;
    }
    // Errors of the history still point to it: what is large goes now.
    group.stack = null;
    group.versions = [];
    group.next = null;
    group.newer = null;
    group.older = null;
    this.size--;
    this.evicted++;
  }
}

function seeVersion(group: LiveGroup, version: string, timeMs: number): void {
  const { versions } = group;
  const last = versions[0];
  if (last !== undefined && last.version === version) {
    last.count++;
    last.lastSeenMs = timeMs;
    return;
  }
  const at = versions.findIndex((one) => one.version === version);
  const [known] = at < 0 ? [] : versions.splice(at, 1);
  const seen = known ?? { version, count: 0, firstSeenMs: timeMs, lastSeenMs: timeMs };
  seen.count++;
  seen.lastSeenMs = timeMs;
  versions.unshift(seen);
  if (versions.length > VERSIONS_MAX) versions.pop();
}

/** A version from before the fix still runs. */
const isExpected = ({ fixed }: LiveGroup, version: string | null) =>
  fixed !== null && version !== null && version !== fixed.version && fixed.known.has(version);

export function stateOf({ mark, firstElapsedMs }: LiveGroup, elapsedMs: number): GroupState {
  if (mark !== "seen") return mark;
  return elapsedMs - firstElapsedMs < NEW_MS ? "new" : "ongoing";
}

export function groupOf(group: LiveGroup, elapsedMs: number): ErrorGroup {
  const { id, type, agentName, statusCode, count, message, errorName, stack } = group;
  const versions: GroupVersion[] = group.versions.map((version) => ({
    ...version,
    firstSeenMs: Math.floor(version.firstSeenMs),
    lastSeenMs: Math.floor(version.lastSeenMs),
  }));
  return {
    id,
    type,
    agentName,
    statusCode,
    errorClass: errorClasses[group.errorClass] ?? "unknown",
    severity: severities[group.severity] ?? "error",
    state: stateOf(group, elapsedMs),
    count,
    firstSeenMs: Math.floor(group.firstSeenMs),
    lastSeenMs: Math.floor(group.lastSeenMs),
    message,
    errorName,
    stack,
    versions,
  };
}
