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
import { mustCount } from "./agree.ts";
import {
  type Contestant,
  compare,
  type Effort,
  flatness,
  grouped,
  type Measured,
  measure,
} from "./measure.ts";

const HISTORY = 10_000;
/** The time of one error must not depend on how many there were. */
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

type Tracking = {
  readonly track: (failure: Failure) => unknown;
  /** Errors of each pattern within its window. */
  readonly counts: () => readonly number[];
};

export async function trackErrors(effort: Effort): Promise<Measured> {
  const tracker = ours(HISTORY);
  const scan = plainScan(HISTORY);
  scan.counts().forEach((expected, index) => {
    mustCount(`ours (${patterns[index]?.name})`, tracker.counts()[index] ?? 0, expected);
  });
  const scanName = `scan of ${grouped(HISTORY)} errors per pattern`;
  const rows = await compare(
    "track_error@5_patterns",
    [contestant("ours", tracker), contestant(scanName, scan)],
    effort,
  );
  const sizes = HISTORIES.map((size) => contestant(`ours at ${size}`, ours(size)));
  const flat = flatness(HISTORIES, await measure(sizes, effort));
  return { rows, notes: [`track_error by errors of history – ${flat}`] };
}

function contestant(name: string, { track }: Tracking): Contestant {
  return {
    name,
    run: (times) => {
      for (let index = 0; index < times; index++) track(failureAt(index));
    },
  };
}

function ours(history: number): Tracking {
  const tracker = new ErrorTracker({ maxErrors: history });
  for (const pattern of patterns) tracker.registerPattern({ ...pattern, alertCallback: () => {} });
  const track: Tracking["track"] = ({ type, message, context }) =>
    tracker.trackError(type, message, { severity: "error", agentName: "qa", context });
  fill(track, history);
  return { track, counts: () => tracker.getPatterns().map(({ count }) => count) };
}

type Kept = Failure & {
  readonly timeMs: number;
  readonly severity: "error";
  readonly agentName: string;
};

function plainScan(history: number): Tracking {
  const errors: Kept[] = [];
  let fired = 0;
  const matches = ({ errorTypes, severities }: Pattern, { type, severity }: Kept) =>
    errorTypes.some((wanted) => type === wanted || type.startsWith(`${wanted}.`)) &&
    (severities === undefined || severities.includes(severity));
  const append = ({ type, message, context }: Failure) => {
    errors.push({ timeMs: Date.now(), type, message, severity: "error", agentName: "qa", context });
    if (errors.length > history) errors.shift();
  };
  const countOf = (pattern: Pattern, nowMs: number) => {
    const sinceMs = nowMs - pattern.timeWindowSeconds * 1_000;
    return errors.filter((error) => error.timeMs > sinceMs && matches(pattern, error)).length;
  };
  fill(append, history);
  return {
    track: (failure) => {
      append(failure);
      const nowMs = Date.now();
      for (const pattern of patterns) {
        if (countOf(pattern, nowMs) >= pattern.thresholdCount) fired++;
      }
      return fired;
    },
    counts: () => patterns.map((pattern) => countOf(pattern, Date.now())),
  };
}

function fill(track: Tracking["track"], history: number): void {
  for (let index = 0; index < history; index++) track(failureAt(index));
}

const failureAt = (index: number) => failures[index % failures.length] as Failure;
