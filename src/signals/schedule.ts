/**
 * When something that repeats is due next. Pure: the caller passes the time, so a year with
 * both changes of the clocks passes in a millisecond.
 */
export type Schedule =
  /** At multiples of it since 1970 in UTC, so that two who follow it are due at once. */
  | { readonly kind: "interval"; readonly everyMs: number }
  /** At that time of each day in a time zone. */
  | {
      readonly kind: "daily";
      readonly hour: number;
      readonly minute: number;
      readonly timezone: string;
    };

const UNIT_MS = { second: 1_000, minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const;

/** Shorter is no use: rows are sealed once a minute. */
export const INTERVAL_MIN_MS = 10_000;
const INTERVAL_MAX_MS = 366 * UNIT_MS.day;
const DAY_MS = UNIT_MS.day;

/** How it is written, for messages. */
export const scheduleForms = "1 minute, 2 hours, day, or day at 02:00";

/**
 * @param every such as `1 minute`, `2 hours`, `day` or `day at 02:00`; a day begins in its time zone.
 * @returns `null` when it is none.
 */
export function parseSchedule(every: string, timezone: string): Schedule | null {
  const [, count = "1", unit, at, hour = "00", minute = "00"] =
    /^(?:([1-9]\d{0,4}) )?(second|minute|hour|day)s?( at ([01]\d|2[0-3]):([0-5]\d))?$/.exec(
      every,
    ) ?? [];
  if (unit === undefined || !isTimezone(timezone)) return null;
  if (unit === "day" && count === "1") {
    return { kind: "daily", hour: Number(hour), minute: Number(minute), timezone };
  }
  if (at !== undefined) return null;
  const everyMs = Number(count) * UNIT_MS[unit as keyof typeof UNIT_MS];
  const isUsable = everyMs >= INTERVAL_MIN_MS && everyMs <= INTERVAL_MAX_MS;
  return isUsable ? { kind: "interval", everyMs } : null;
}

export function isTimezone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

/** About how far two of its times are apart. */
export function periodMs(schedule: Schedule): number {
  return schedule.kind === "interval" ? schedule.everyMs : DAY_MS;
}

/**
 * The first time after `afterMs` at which it is due. Where the clocks go forward over it,
 * that is when they have done so; where they go back over it, the first of the two.
 */
export function nextDueMs(schedule: Schedule, afterMs: number): number {
  if (schedule.kind === "interval") {
    return (Math.floor(afterMs / schedule.everyMs) + 1) * schedule.everyMs;
  }
  const offsetMs = offsetIn(schedule.timezone);
  // The day that it is there, as midnight of that day in UTC.
  const todayMs = Math.floor((afterMs + offsetMs(afterMs)) / DAY_MS) * DAY_MS;
  const timeMs = schedule.hour * UNIT_MS.hour + schedule.minute * UNIT_MS.minute;
  for (let dayMs = todayMs - DAY_MS; ; dayMs += DAY_MS) {
    const dueMs = instantOf(dayMs + timeMs, offsetMs);
    if (dueMs > afterMs) return dueMs;
  }
}

type OffsetMs = (timeMs: number) => number;

/** @param wallMs what the clocks there show, as if it were UTC. */
function instantOf(wallMs: number, offsetMs: OffsetMs): number {
  const before = offsetMs(wallMs - DAY_MS);
  const after = offsetMs(wallMs + DAY_MS);
  const candidates = [wallMs - before, wallMs - after].filter(
    (candidate) => candidate + offsetMs(candidate) === wallMs,
  );
  if (candidates.length > 0) return Math.min(...candidates);

  // No clock ever shows it: when did they jump over it?
  let low = wallMs - Math.max(before, after);
  let high = wallMs - Math.min(before, after);
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (offsetMs(middle) === before) low = middle;
    else high = middle;
  }
  return high;
}

/** What clocks in a time zone are ahead of UTC. */
function offsetIn(timeZone: string): OffsetMs {
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  });
  return (timeMs) => {
    const seconds = Math.floor(timeMs / 1000);
    const shown: Record<string, number> = {};
    for (const { type, value } of format.formatToParts(seconds * 1000)) {
      shown[type] = Number(value);
    }
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = shown;
    return Date.UTC(year, month - 1, day, hour, minute, second) - seconds * 1000;
  };
}
