/** A time as its age, with the exact time on hover. Ages count from the answer's "as of". */
import { formatAgo, formatClockSeconds, formatMoment } from "../format.ts";

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

export function Clock({ timeMs, nowMs }: { timeMs: number; nowMs: number }) {
  return (
    <time dateTime={new Date(timeMs).toISOString()} title={formatClockSeconds(timeMs)}>
      {formatMoment(timeMs, nowMs)}
    </time>
  );
}
