/**
 * Decides what an alert does next. Pure: no clock and no I/O. The caller passes
 * the time, so a day of alerting replays in a millisecond.
 *
 *   inactive ──► pending ──► firing ──► resolved ──► inactive
 *                   │           ▲          │
 *                   ▼           └──────────┤ (through pending, when there is a hold time)
 *                inactive                  ▼
 *
 * Time is trusted only as far as the steps are close together: after a gap or a
 * clock that was set, a wait begins anew instead of ending at once.
 */
import type { AlertStateName } from "../signals/alert.ts";

/** Where an alert stands in time. Plain data: as JSON it survives a restart. */
export type AlertPhase = {
  readonly kind: AlertStateName;
  /** Pending and firing: when the breach began. Resolved and inactive: when that was. */
  readonly sinceMs: number;
  /** Firing: since when there has been no breach; `null` while there is one. */
  readonly quietSinceMs: number | null;
  /** When it was last looked at. */
  readonly seenMs: number;
};

export type Sample = {
  readonly breached: boolean;
  readonly nowMs: number;
  readonly holdMs: number;
  readonly keepFiringMs: number;
};

/** A breach counts as continuous over gaps up to this: a restart passes, a machine that slept does not. */
export const GAP_MAX_MS = 60_000;

/** A resolved alert is still shown for this long. */
export const RESOLVED_SHOWN_MS = 15 * 60_000;

export function inactive(nowMs: number): AlertPhase {
  return { kind: "inactive", sinceMs: nowMs, quietSinceMs: null, seenMs: nowMs };
}

export function nextState(phase: AlertPhase, sample: Sample): AlertPhase {
  const { breached, nowMs } = sample;
  const isContinuous = nowMs >= phase.seenMs && nowMs - phase.seenMs <= GAP_MAX_MS;

  switch (phase.kind) {
    case "inactive":
      return breached ? begin(sample, nowMs) : { ...phase, seenMs: nowMs };
    case "pending":
      return breached ? begin(sample, isContinuous ? phase.sinceMs : nowMs) : inactive(nowMs);
    case "firing": {
      if (breached) return { ...phase, quietSinceMs: null, seenMs: nowMs };
      const quietSinceMs = isContinuous ? (phase.quietSinceMs ?? nowMs) : nowMs;
      return nowMs - quietSinceMs >= sample.keepFiringMs
        ? { kind: "resolved", sinceMs: nowMs, quietSinceMs: null, seenMs: nowMs }
        : { ...phase, quietSinceMs, seenMs: nowMs };
    }
    case "resolved":
      if (breached) return begin(sample, nowMs);
      // A clock that was set back would keep it on the page for as long as it was set back.
      return Math.abs(nowMs - phase.sinceMs) >= RESOLVED_SHOWN_MS
        ? inactive(nowMs)
        : { ...phase, seenMs: nowMs };
  }
}

function begin({ nowMs, holdMs }: Sample, sinceMs: number): AlertPhase {
  const kind = nowMs - sinceMs >= holdMs ? "firing" : "pending";
  return { kind, sinceMs, quietSinceMs: null, seenMs: nowMs };
}
