/**
 * Two times of one moment: the time of day, which people read and which may jump,
 * and the time that has elapsed, which never goes back and which windows are
 * measured in.
 */
import { type Clock, systemClock } from "../clock.ts";

/** The time of day is asked for again after so long; in between it follows the elapsed time. */
const ASK_AGAIN_MS = 1_000;

export class Timeline {
  /** Unix milliseconds. */
  timeMs = 0;
  elapsedMs = 0;
  readonly #clock: Pick<Clock, "now">;
  readonly #elapsed: (() => number) | undefined;
  #askedMs = Number.NEGATIVE_INFINITY;
  #askedTimeMs = 0;
  #lastTimeMs = Number.NaN;

  /**
   * @param elapsed Milliseconds since any moment, never going back. Without it a
   * clock that is not the system's own tells both: then it is ignored when it goes back.
   */
  constructor(clock: Pick<Clock, "now"> = systemClock, elapsed?: () => number) {
    this.#clock = clock;
    this.#elapsed = elapsed ?? (clock === systemClock ? () => performance.now() : undefined);
    this.read();
  }

  /** Sets `timeMs` and `elapsedMs` to now. */
  read(): void {
    if (this.#elapsed === undefined) this.#readClockOnly();
    else this.#readBoth(this.#elapsed());
  }

  #readBoth(elapsedMs: number): void {
    if (elapsedMs > this.elapsedMs && elapsedMs < Number.POSITIVE_INFINITY)
      this.elapsedMs = elapsedMs;
    if (this.#clock !== systemClock || this.elapsedMs - this.#askedMs >= ASK_AGAIN_MS) {
      this.#askedMs = this.elapsedMs;
      this.#askedTimeMs = this.#now();
    }
    this.timeMs = this.#askedTimeMs + this.elapsedMs - this.#askedMs;
  }

  #readClockOnly(): void {
    const timeMs = this.#now();
    const stepMs = timeMs - this.#lastTimeMs;
    if (stepMs > 0) this.elapsedMs += stepMs;
    this.#lastTimeMs = timeMs;
    this.timeMs = timeMs;
  }

  /** A clock that tells no time leaves the last one standing. */
  #now(): number {
    const timeMs = this.#clock.now();
    return Number.isFinite(timeMs) ? timeMs : this.timeMs;
  }
}
