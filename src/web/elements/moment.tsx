/** A time as its age, with the exact time on hover. Ages count from the answer's "as of". */
import { formatAgo, formatClockSeconds, formatMoment, formatMomentSeconds } from "../format.ts";

export function Age({ timeMs, nowMs }: { timeMs: number; nowMs: number }) {
  return (
    <time
      dateTime={new Date(timeMs).toISOString()}
      title={`${formatMoment(timeMs, nowMs)}, exactly ${formatClockSeconds(timeMs)}`}
    >
      {formatAgo(timeMs, nowMs)}
    </time>
  );
}

/** To the second, so that what happened in one minute can be put in order with other logs. */
export function ClockSeconds({ timeMs, nowMs }: { timeMs: number; nowMs: number }) {
  return (
    <time dateTime={new Date(timeMs).toISOString()} title={formatAgo(timeMs, nowMs)}>
      {formatMomentSeconds(timeMs, nowMs)}
    </time>
  );
}
