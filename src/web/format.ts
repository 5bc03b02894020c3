/**
 * Numbers and times as the page writes them: at most three significant digits, a
 * unit, never wider than needed. Number and unit are joined by a no-break space.
 * Digits after the point are fixed within a size, so that live values don't shiver.
 */
const NBSP = "\u00a0";
const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** `62 ms`, `4.2 s`, `42 s`, `2.5 min`, `3.0 h`. */
export function formatDuration(ms: number): string {
  if (ms > 0 && ms < 0.5) return withUnit("<1", "ms");
  if (ms < 999.5) return withUnit(String(Math.round(ms)), "ms");
  if (ms < 99.5 * SECOND_MS) return withUnit(twoDigits(ms / SECOND_MS), "s");
  if (ms < 99.5 * MINUTE_MS) return withUnit(twoDigits(ms / MINUTE_MS), "min");
  return withUnit(twoDigits(ms / HOUR_MS), "h");
}

/** `7`, `0.4`, `940`, `1.3 k`, `12 k`, `2.0 M`. */
export function formatCount(count: number): string {
  if (Math.abs(count) < 999.5) {
    return Number.isInteger(count) ? String(count) : twoDigits(count);
  }
  if (count < 999_500) return withUnit(twoDigits(count / 1e3), "k");
  if (count < 999_500_000) return withUnit(twoDigits(count / 1e6), "M");
  return withUnit(twoDigits(count / 1e9), "G");
}

/** `12/h`, `42/min`, `1.3 k/min`, `140/s`: the unit in which the number is easy to say. */
export function formatRate(perSecond: number): string {
  if (perSecond === 0) return "0/min";
  if (perSecond >= 100) return `${formatCount(Math.round(perSecond))}/s`;
  const perMinute = perSecond * 60;
  if (perMinute >= 1) {
    return `${formatCount(perMinute < 9.95 ? perMinute : Math.round(perMinute))}/min`;
  }
  const perHour = perMinute * 60;
  return perHour < 1 ? "<1/h" : `${Math.round(perHour)}/h`;
}

/** `0 %`, `<0.1 %`, `2.3 %`, `71 %`. */
export function formatPercent(percent: number): string {
  if (percent === 0) return withUnit("0", "%");
  if (percent < 0.1) return withUnit("<0.1", "%");
  return withUnit(percent >= 99.95 ? "100" : twoDigits(percent), "%");
}

/** `$0`, `<$0.0001`, `$0.042`, `$0.31`, `$4.20`, `$42`, `$1.3 k`. */
export function formatCost(usd: number): string {
  if (usd === 0) return "$0";
  if (usd < 0.0001) return "<$0.0001";
  if (usd < 0.01) return `$${usd.toFixed(4)}`;
  if (usd < 0.1) return `$${usd.toFixed(3)}`;
  if (usd < 9.995) return `$${usd.toFixed(2)}`;
  if (usd < 999.5) return `$${Math.round(usd)}`;
  return `$${formatCount(usd)}`;
}

/** What a rule compares, in its own unit; `null` for a state, which is no number. */
export function formatMeasure(value: number, unit: string): string | null {
  if (unit === "ms") return formatDuration(value);
  if (unit === "percent") return formatPercent(value);
  return unit === "state" ? null : withUnit(formatCount(value), unit);
}

/** `14:02`, as the reader's own clock shows it. */
export function formatClock(timeMs: number): string {
  const time = new Date(timeMs);
  return `${pad(time.getHours())}:${pad(time.getMinutes())}`;
}

/** `14:02:09`. */
export function formatClockSeconds(timeMs: number): string {
  return `${formatClock(timeMs)}:${pad(new Date(timeMs).getSeconds())}`;
}

/** `14:02` today, `27 Jun 14:02` on another day. */
export function formatMoment(timeMs: number, nowMs: number): string {
  const isToday = new Date(timeMs).toDateString() === new Date(nowMs).toDateString();
  return isToday ? formatClock(timeMs) : formatDated(timeMs);
}

/** `27 Jun 14:02`, where several days are shown beside one another. */
export function formatDated(timeMs: number): string {
  return `${formatDay(timeMs)} ${formatClock(timeMs)}`;
}

/** `27 Jun`. */
export function formatDay(timeMs: number): string {
  const time = new Date(timeMs);
  return `${time.getDate()} ${MONTHS[time.getMonth()]}`;
}

/** `14:02:09` today, `27 Jun 14:02` on another day, where seconds are no longer asked for. */
export function formatMomentSeconds(timeMs: number, nowMs: number): string {
  const isToday = new Date(timeMs).toDateString() === new Date(nowMs).toDateString();
  return isToday ? formatClockSeconds(timeMs) : formatMoment(timeMs, nowMs);
}

/** `now`, `12 s ago`, `4 min ago`, `2 h ago`, `3 d ago`. */
export function formatAgo(timeMs: number, nowMs: number): string {
  const ageMs = nowMs - timeMs;
  if (ageMs < 2 * SECOND_MS) return "now";
  return `${formatSpan(ageMs)} ago`;
}

/** How long something lasts, in one whole unit: `12 s`, `4 min`, `2 h`, `3 d`. */
export function formatSpan(ms: number): string {
  if (ms < MINUTE_MS) return withUnit(String(Math.max(0, Math.floor(ms / SECOND_MS))), "s");
  if (ms < HOUR_MS) return withUnit(String(Math.floor(ms / MINUTE_MS)), "min");
  if (ms < DAY_MS) return withUnit(String(Math.floor(ms / HOUR_MS)), "h");
  return withUnit(String(Math.floor(ms / DAY_MS)), "d");
}

/** `1 request`, `2 requests`. */
export function formatPlural(count: number, noun: string): string {
  return `${formatCount(count)}${NBSP}${noun}${count === 1 ? "" : "s"}`;
}

function twoDigits(value: number): string {
  return Math.abs(value) < 9.95 ? value.toFixed(1) : String(Math.round(value));
}

function withUnit(value: string, unit: string): string {
  return `${value}${NBSP}${unit}`;
}

function pad(value: number): string {
  return String(value).padStart(2, "0");
}
