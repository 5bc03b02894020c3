/**
 * Tracking one error while five patterns are watched, against the plain way to do
 * it: keep the errors of the last hours in a list, and for every error count, for
 * each pattern, those of the list that match. The plain way neither groups errors
 * nor takes secrets out; ours does both.
 *
 * Both get the same errors, in turns, and are measured by the CPU time of the
 * thread. Their histories are full before the first measurement.
 */
import { ErrorTracker } from "../src/errors/error-tracker.ts";

export type Row = {
  readonly name: string;
  readonly oursNs: number;
  readonly peer: string;
  readonly peerNs: number;
  readonly ratio: number;
};

/** What the time of one error does as the history grows. */
export type Flatness = {
  readonly history: readonly number[];
  readonly oursNs: readonly number[];
  /** The slowest history over the fastest, of medians of the same turns. */
  readonly spread: number;
};

const ROUNDS = 15;
const HISTORY = 10_000;
const HISTORIES = [1_000, 10_000, 100_000];

type Pattern = {
  readonly name: string;
  readonly errorTypes: readonly string[];
  readonly severities?: readonly ("error" | "critical")[];
  readonly thresholdCount: number;
  readonly timeWindowSeconds: number;
};

/** Thresholds that are never reached: a callback is the caller's time. */
const patterns: readonly Pattern[] = [
  {
    name: "high_error_rate",
    errorTypes: ["api.error", "model.error"],
    thresholdCount: 50_000,
    timeWindowSeconds: 300,
  },
  { name: "agents", errorTypes: ["agent"], thresholdCount: 50_000, timeWindowSeconds: 300 },
  { name: "tools", errorTypes: ["tool"], thresholdCount: 50_000, timeWindowSeconds: 60 },
  {
    name: "deployments",
    errorTypes: ["deployment"],
    thresholdCount: 50_000,
    timeWindowSeconds: 3600,
  },
  {
    name: "api",
    errorTypes: ["api"],
    severities: ["error", "critical"],
    thresholdCount: 50_000,
    timeWindowSeconds: 300,
  },
];

type Failure = {
  readonly type: string;
  readonly message: string;
  readonly context: Record<string, unknown>;
};

/** Distinct messages of a few causes, as services write them. */
const failures: readonly Failure[] = Array.from({ length: 4_096 }, (_, index) => {
  const id = String(index).padStart(12, "0");
  const context = { attempt: index % 3, endpoint: "qa-prod" };
  const kinds: readonly Omit<Failure, "context">[] = [
    { type: "api.error", message: `Order database unavailable while reading A-${index}` },
    {
      type: "model.error",
      message: `Rate limit reached for user ${index}: limit 30000, used ${3 * index}`,
    },
    { type: "tool.search", message: `connect ECONNREFUSED 10.0.${index % 256}.7:443` },
    {
      type: "agent.timeout",
      message: `No answer after ${index} ms, request 0af76519-16cd-43dd-8448-${id}`,
    },
  ];
  return { ...(kinds[index % kinds.length] as Omit<Failure, "context">), context };
});

type Track = (failure: Failure) => unknown;

function ours(history: number): Track {
  const tracker = new ErrorTracker({ maxErrors: history });
  for (const pattern of patterns) tracker.registerPattern({ ...pattern, alertCallback: () => {} });
  const track: Track = ({ type, message, context }) =>
    tracker.trackError(type, message, { severity: "error", agentName: "qa", context });
  fill(track, history);
  return track;
}

type Kept = Failure & {
  readonly timeMs: number;
  readonly severity: "error";
  readonly agentName: string;
};

function plainScan(history: number): Track {
  const errors: Kept[] = [];
  let fired = 0;
  const matches = ({ errorTypes, severities }: Pattern, { type, severity }: Kept) =>
    errorTypes.some((wanted) => type === wanted || type.startsWith(`${wanted}.`)) &&
    (severities === undefined || severities.includes(severity));
  const append = ({ type, message, context }: Failure) => {
    errors.push({ timeMs: Date.now(), type, message, severity: "error", agentName: "qa", context });
    if (errors.length > history) errors.shift();
  };
  fill(append, history);
  return (failure) => {
    append(failure);
    const nowMs = Date.now();
    for (const pattern of patterns) {
      const sinceMs = nowMs - pattern.timeWindowSeconds * 1000;
      const recent = errors.filter((error) => error.timeMs > sinceMs && matches(pattern, error));
      if (recent.length >= pattern.thresholdCount) fired++;
    }
    return fired;
  };
}

function fill(track: Track, history: number): void {
  for (let index = 0; index < history; index++) track(failureAt(index));
}

const failureAt = (index: number) => failures[index % failures.length] as Failure;

/** CPU time of this thread for one error, in nanoseconds. */
function timed(track: Track, times: number): number {
  const before = process.threadCpuUsage();
  for (let index = 0; index < times; index++) track(failureAt(index));
  const { user, system } = process.threadCpuUsage(before);
  return ((user + system) * 1000) / times;
}

const median = (values: readonly number[]) =>
  [...values].sort((one, other) => one - other)[values.length >> 1] ?? Number.NaN;

export async function rows(): Promise<Row[]> {
  const tracker = ours(HISTORY);
  const scan = plainScan(HISTORY);
  timed(tracker, 100_000);
  timed(scan, 50);
  const times: { readonly ours: number; readonly scan: number }[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    times.push({ ours: timed(tracker, 50_000), scan: timed(scan, 30) });
  }
  const oursNs = median(times.map((time) => time.ours));
  const peerNs = median(times.map((time) => time.scan));
  return [
    {
      name: "track_error@5_patterns",
      oursNs,
      peer: `plain scan of ${HISTORY} errors per pattern`,
      peerNs,
      ratio: peerNs / oursNs,
    },
  ];
}

/** The same work on histories of 1 000 to 100 000 errors, in turns. */
export function flatness(): Flatness {
  const trackers = HISTORIES.map(ours);
  for (const track of trackers) timed(track, 200_000);
  const times = trackers.map((): number[] => []);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [index, track] of trackers.entries()) times[index]?.push(timed(track, 50_000));
  }
  const oursNs = times.map(median);
  return {
    history: HISTORIES,
    oursNs,
    spread: Math.max(...oursNs) / Math.min(...oursNs),
  };
}
