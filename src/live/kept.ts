/**
 * What an agent keeps apart of one kind – modules, models, error groups – by key: at most
 * so many of its own, and so many of all agents together. What no window shows any
 * more makes room.
 */
import { COARSE_RETAINED_MS } from "./sliced.ts";

/** How many more of a kind all agents together may keep. */
export type Room = { left: number };

export class Kept<T extends { readonly lastSeenMs: number }> {
  readonly #max: number;
  readonly #room: Room;
  readonly #byKey = new Map<string, T>();

  constructor(max: number, room: Room) {
    this.#max = max;
    this.#room = room;
  }

  get size(): number {
    return this.#byKey.size;
  }

  /** Where there is none, the next one counts with the rest, as `other`. */
  get hasRoom(): boolean {
    return this.#byKey.size < this.#max && this.#room.left > 0;
  }

  get(key: string): T | undefined {
    return this.#byKey.get(key);
  }

  has(key: string): boolean {
    return this.#byKey.has(key);
  }

  values(): MapIterator<T> {
    return this.#byKey.values();
  }

  /** @param key of what is new. Whether there is room is for the caller to ask: `other` needs none. */
  add(key: string, one: T): T {
    this.#byKey.set(key, one);
    this.#room.left--;
    return one;
  }

  forget(nowMs: number): void {
    for (const [key, one] of this.#byKey) {
      if (!isForgotten(one.lastSeenMs, nowMs)) continue;
      this.#byKey.delete(key);
      this.#room.left++;
    }
  }
}

/** Whether no window shows any more what was last seen then. */
export function isForgotten(lastSeenMs: number | null, nowMs: number): boolean {
  return nowMs - (lastSeenMs ?? Number.NEGATIVE_INFINITY) > COARSE_RETAINED_MS;
}
