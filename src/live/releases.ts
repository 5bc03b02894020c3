/**
 * What was seen of each release of an agent, so that two of them can be compared. Of
 * very many requests a sample is kept: the requests whose ids have the lowest hashes. So
 * every request has the same chance, no number is drawn, and the order in which requests
 * come does not matter.
 */
import type { ClosedTrace } from "../signals/closed-trace.ts";
import { costUsdOf } from "../signals/cost.ts";
import type { Request } from "../signals/request.ts";
import type { ReleaseName } from "./by-release.ts";
import { isFailureOfAgent } from "./failed-of-agent.ts";
import type { Room } from "./kept.ts";

/** Releases of one agent that are kept; the one not seen for longest makes room. */
export const RELEASES_MAX = 20;
/** Releases of all agents together, which bound the memory: one takes up to 80 kB. */
export const ALL_RELEASES_MAX = 500;
/** Requests of one release that are kept one by one. */
export const RELEASE_SAMPLES_MAX = 1_000;
/** Predictors of one release whose state is kept. */
export const RELEASE_PREDICTORS_MAX = 200;

/** One value for each sampled request. What is not known is NaN. */
type Columns = {
  readonly hashes: number[];
  readonly latenciesMs: number[];
  readonly tokens: number[];
  readonly costsUsd: number[];
};

const newColumns = (): Columns => ({ hashes: [], latenciesMs: [], tokens: [], costsUsd: [] });

export class ReleaseSeen {
  readonly name: ReleaseName;
  /** The class of the DSPy program. */
  readonly program: string;
  requests = 0;
  failed = 0;
  firstMs = Number.POSITIVE_INFINITY;
  lastMs = Number.NEGATIVE_INFINITY;
  /** Path of each predictor to the hash of its state. */
  readonly predictors = new Map<string, string>();
  /** The lowest hashes so far and some more, which are shed now and then. */
  #sampled = newColumns();
  /** Hashes from here on are not among the lowest. */
  #hashEnd = 2 ** 32;

  constructor(name: ReleaseName, program: string) {
    this.name = name;
    this.program = program;
  }

  add({ eventId, timeMs, latencyMs, tokens, cost, errorClass }: SeenRequest): void {
    this.requests++;
    if (errorClass && isFailureOfAgent(errorClass)) this.failed++;
    this.firstMs = Math.min(this.firstMs, timeMs);
    this.lastMs = Math.max(this.lastMs, timeMs);
    const hash = hashOf(eventId);
    if (hash >= this.#hashEnd) return;
    const sampled = this.#sampled;
    sampled.hashes.push(hash);
    sampled.latenciesMs.push(latencyMs);
    sampled.tokens.push(tokens ? tokens.input + tokens.output : Number.NaN);
    sampled.costsUsd.push(costUsdOf(cost) ?? Number.NaN);
    if (sampled.hashes.length >= 2 * RELEASE_SAMPLES_MAX) this.#shed();
  }

  addPredictor(path: string, hash: string): void {
    const known = this.predictors.get(path);
    if (known === hash) return;
    if (known !== undefined || this.predictors.size < RELEASE_PREDICTORS_MAX) {
      this.predictors.set(path, hash);
    }
  }

  /** Figures of a uniform sample of its requests, at most `RELEASE_SAMPLES_MAX`; of those that tell them. */
  sample() {
    if (this.#sampled.hashes.length > RELEASE_SAMPLES_MAX) this.#shed();
    const { latenciesMs, tokens, costsUsd } = this.#sampled;
    return { latenciesMs, tokens: told(tokens), costsUsd: told(costsUsd) };
  }

  #shed(): void {
    const before = this.#sampled;
    const kept = newColumns();
    const lowestFirst = [...before.hashes.keys()].sort(
      (a, b) => (before.hashes[a] ?? 0) - (before.hashes[b] ?? 0),
    );
    this.#hashEnd = before.hashes[lowestFirst[RELEASE_SAMPLES_MAX] ?? -1] ?? this.#hashEnd;
    for (const place of lowestFirst.slice(0, RELEASE_SAMPLES_MAX)) {
      for (const column of ["hashes", "latenciesMs", "tokens", "costsUsd"] as const) {
        kept[column].push(before[column][place] ?? Number.NaN);
      }
    }
    this.#sampled = kept;
  }
}

function told(values: readonly number[]): number[] | null {
  const known = values.filter((value) => !Number.isNaN(value));
  return known.length === 0 ? null : known;
}

export type SeenRequest = Pick<
  Request,
  "eventId" | "timeMs" | "release" | "modelVersion" | "latencyMs" | "tokens" | "cost" | "errorClass"
>;

type NamedBy = Pick<Request, "release" | "modelVersion" | "program">;

/** The releases of one agent. */
export class Releases {
  readonly #room: Room;
  readonly #byKey = new Map<string, ReleaseSeen>();
  /** What was asked for last: the next request mostly has the same, and no key is put together for it. */
  #last: ReleaseSeen | null = null;

  constructor(room: Room = { left: ALL_RELEASES_MAX }) {
    this.#room = room;
  }

  /** The release of a request; `null` when the telemetry names none, or there is no room at all. */
  of({ release, modelVersion, program }: NamedBy): ReleaseSeen | null {
    if (release === null && modelVersion === null) return null;
    const last = this.#last;
    if (
      last?.name.release === release &&
      last.name.modelVersion === modelVersion &&
      last.program === program
    ) {
      return last;
    }
    this.#last = this.#find({ release, modelVersion, program });
    return this.#last;
  }

  #find({ release, modelVersion, program }: NamedBy): ReleaseSeen | null {
    const key = JSON.stringify([program, release, modelVersion]);
    const known = this.#byKey.get(key);
    if (known) return known;
    if (this.#byKey.size >= RELEASES_MAX || this.#room.left <= 0) this.#forgetOne();
    if (this.#room.left <= 0) return null;
    const seen = new ReleaseSeen({ release, modelVersion }, program);
    this.#byKey.set(key, seen);
    this.#room.left--;
    return seen;
  }

  /** What the same program was before; `null` for its first release. */
  before(release: ReleaseSeen): ReleaseSeen | null {
    const ofProgram = this.all().filter(({ program }) => program === release.program);
    return ofProgram[ofProgram.indexOf(release) - 1] ?? null;
  }

  /** In the order in which their first requests came. */
  all(): readonly ReleaseSeen[] {
    return [...this.#byKey.values()].sort((a, b) => a.firstMs - b.firstMs);
  }

  /** Gives its room back. */
  clear(): void {
    this.#room.left += this.#byKey.size;
    this.#byKey.clear();
    this.#last = null;
  }

  #forgetOne(): void {
    const [oldest] = [...this.#byKey].sort(([, a], [, b]) => a.lastMs - b.lastMs);
    if (!oldest) return;
    this.#byKey.delete(oldest[0]);
    this.#last = null;
    this.#room.left++;
  }
}

/** Returns those that this trace is the first of, where there was one of the same program before. */
export function addReleases(
  releases: Releases,
  { requests, moduleCalls }: ClosedTrace,
): readonly ReleaseSeen[] {
  // What lost its beginning tells neither its program nor how long it took.
  const whole = requests.filter(({ incomplete }) => !incomplete);
  const begun: ReleaseSeen[] = [];
  for (const request of whole) {
    const release = releases.of(request);
    if (!release) continue;
    const isNew = release.requests === 0;
    release.add(request);
    if (isNew && releases.before(release)) begun.push(release);
  }
  const [first] = whole;
  const release = first && releases.of(first);
  for (const { path, predictorHash } of release ? moduleCalls : []) {
    if (predictorHash !== null) release?.addPredictor(path, predictorHash);
  }
  return begun;
}

/** Of any text, spread evenly over 32 bits (FNV-1a, then MurmurHash3's last step). */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
