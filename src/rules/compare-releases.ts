/**
 * Compares two releases of an agent: which of its figures became worse, and which
 * of its predictors changed. Pure, and without chance: the same samples always
 * give the same answer, and in another order too.
 *
 * Several figures are compared at once, and each could be wrong. They share one
 * error (Bonferroni): of releases that are alike, at most `familyAlpha` raise an
 * alarm, whatever the number of figures. The interval that is shown leaves out
 * what the verdict allows for, so that the two never contradict each other.
 */
import { nearestRank } from "../signals/distribution.ts";
import type { Change, Interval, Proof } from "./change.ts";
import { meanChange, meanOf } from "./mean-change.ts";
import { quantileChange } from "./quantile-change.ts";
import { type Rate, rateChange } from "./rate-change.ts";

/** Fewer on either side are not compared. */
export const REQUESTS_MIN = 100;

/** The share of comparisons of like with like that may raise an alarm. */
export const FAMILY_ALPHA = 0.05;

/** A smaller change, relative to the smaller of the two, is no difference, however certain. */
export const LEAST_CHANGE = 0.02;

/** More samples of one kind and side are thinned out evenly before they are looked at. */
export const SAMPLES_MAX = 20_000;

/** What is compared of the latencies. */
const LATENCY_FRACTION = 0.95;

export type ReleaseSample = {
  /** Hash of the state of the DSPy program. */
  readonly release: string;
  readonly requests: number;
  readonly failed: number;
  /** Of the requests, or of a uniform sample of them. */
  readonly latenciesMs: readonly number[];
  /** `null` where the telemetry does not tell. */
  readonly tokensPerRequest: readonly number[] | null;
  readonly costUsdPerRequest: readonly number[] | null;
  /** The path of each predictor, and the hash of its state. Empty where the telemetry does not tell. */
  readonly predictors: ReadonlyMap<string, string>;
};

/** The order in which they are told. */
export const metrics = [
  "latencyP95Ms",
  "errorRate",
  "tokensPerRequest",
  "costUsdPerRequest",
] as const;
export type Metric = (typeof metrics)[number];

/** `not_enough` also where the telemetry does not tell at all; then the figures are `null`. */
export type Verdict = "worse" | "better" | "no_difference" | "not_enough";

type Both<Value> = { readonly before: Value; readonly after: Value };

export type MetricComparison = Both<number | null> & {
  /** 0.21 is 21 % more. `null` without a figure before to relate it to. */
  readonly relativeChange: number | null;
  /** Of the relative change; for the error rate of the difference: 0.03 is three points more. */
  readonly interval: Interval | null;
  readonly verdict: Verdict;
  /** What the figures are made of. */
  readonly samples: Both<number>;
  /** Samples that are no number, negative, or above 2⁵³. */
  readonly leftOut: Both<number>;
};

export type PredictorChange = {
  readonly path: string;
  readonly change: "added" | "removed" | "changed";
};

export type ReleaseComparison = {
  readonly release: Both<string>;
  readonly requests: Both<number>;
  /** How many more are needed. */
  readonly missingRequests: Both<number>;
  readonly metrics: Readonly<Record<Metric, MetricComparison>>;
  /** Whether any became worse. */
  readonly alarm: boolean;
  /** By path; `null` where one side does not tell. */
  readonly changedPredictors: readonly PredictorChange[] | null;
};

export type CompareOptions = {
  readonly familyAlpha?: number;
  readonly leastChange?: number;
};

export function compareReleases(
  before: ReleaseSample,
  after: ReleaseSample,
  { familyAlpha = FAMILY_ALPHA, leastChange = LEAST_CHANGE }: CompareOptions = {},
): ReleaseComparison {
  if (!(familyAlpha > 0 && familyAlpha <= 0.5)) throw new Error(`familyAlpha is ${familyAlpha}`);
  if (!(leastChange >= 0)) throw new Error(`leastChange is ${leastChange}`);

  const figures = {
    latencyP95Ms: latencies(before, after),
    errorRate: errors(before, after),
    tokensPerRequest: means(before.tokensPerRequest, after.tokensPerRequest),
    costUsdPerRequest: means(before.costUsdPerRequest, after.costUsdPerRequest),
  };
  const compared = metrics.filter((metric) => isEnough(figures[metric]));
  const alpha = familyAlpha / Math.max(1, compared.length);
  const judged = (metric: Metric) => judge(figures[metric], { alpha, leastChange });
  const byMetric = {
    latencyP95Ms: judged("latencyP95Ms"),
    errorRate: judged("errorRate"),
    tokensPerRequest: judged("tokensPerRequest"),
    costUsdPerRequest: judged("costUsdPerRequest"),
  };
  const requests = { before: requestsOf(before), after: requestsOf(after) };
  return {
    release: { before: before.release, after: after.release },
    requests,
    missingRequests: {
      before: Math.max(0, REQUESTS_MIN - requests.before),
      after: Math.max(0, REQUESTS_MIN - requests.after),
    },
    metrics: byMetric,
    alarm: metrics.some((metric) => byMetric[metric].verdict === "worse"),
    changedPredictors: changedPredictors(before.predictors, after.predictors),
  };
}

/** What one figure is on both sides, and how to find out whether it changed. */
type Figure = Both<number | null> & {
  readonly samples: Both<number>;
  readonly leftOut: Both<number>;
  change(proof: Proof): Change;
  /** What `change` tells an interval of. */
  readonly kind: "ratio" | "difference";
};

function isEnough({ before, after, samples }: Figure): boolean {
  if (before === null || after === null) return false;
  return samples.before >= REQUESTS_MIN && samples.after >= REQUESTS_MIN;
}

function judge(
  figure: Figure,
  { alpha, leastChange }: Proof & { readonly leastChange: number },
): MetricComparison {
  const { before, after, samples, leftOut, kind } = figure;
  const ratio = before === null || after === null || before === 0 ? null : after / before;
  const relativeChange = ratio !== null && Number.isFinite(ratio) ? ratio - 1 : null;
  const told = { before, after, relativeChange, samples, leftOut };
  if (before === null || after === null || !isEnough(figure)) {
    return { ...told, interval: null, verdict: "not_enough" };
  }
  const { interval, direction } = figure.change({ alpha });
  const isWorse = direction === "up" && after > before * (1 + leastChange);
  const isBetter = direction === "down" && before > after * (1 + leastChange);
  return {
    ...told,
    interval: interval && Number.isFinite(interval.high) ? inKind(interval, kind) : null,
    verdict: isWorse ? "worse" : isBetter ? "better" : "no_difference",
  };
}

/** A ratio is told as the change that it is. */
function inKind({ low, high }: Interval, kind: Figure["kind"]): Interval {
  return kind === "ratio" ? { low: low - 1, high: high - 1 } : { low, high };
}

function latencies(before: ReleaseSample, after: ReleaseSample): Figure {
  const [was, is] = [usable(before.latenciesMs), usable(after.latenciesMs)];
  was.values.sort();
  is.values.sort();
  return {
    before: quantileOf(was.values),
    after: quantileOf(is.values),
    ...counts(was, is),
    kind: "ratio",
    change: ({ alpha }) =>
      quantileChange(was.values, is.values, { fraction: LATENCY_FRACTION, alpha }),
  };
}

function errors(before: ReleaseSample, after: ReleaseSample): Figure {
  const [was, is] = [failuresOf(before), failuresOf(after)];
  return {
    before: rateOf(was),
    after: rateOf(is),
    samples: { before: was.total, after: is.total },
    leftOut: { before: 0, after: 0 },
    kind: "difference",
    change: (proof) => rateChange(was, is, proof),
  };
}

function means(before: readonly number[] | null, after: readonly number[] | null): Figure {
  const [was, is] = [usable(before ?? []), usable(after ?? [])];
  return {
    before: was.values.length === 0 ? null : meanOf(was.values),
    after: is.values.length === 0 ? null : meanOf(is.values),
    ...counts(was, is),
    kind: "ratio",
    change: (proof) => meanChange(was.values, is.values, proof),
  };
}

function changedPredictors(
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
): PredictorChange[] | null {
  if (before.size === 0 || after.size === 0) return null;
  const changes: PredictorChange[] = [];
  for (const [path, state] of after) {
    if (!before.has(path)) changes.push({ path, change: "added" });
    else if (before.get(path) !== state) changes.push({ path, change: "changed" });
  }
  for (const path of before.keys()) {
    if (!after.has(path)) changes.push({ path, change: "removed" });
  }
  return changes.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}

/** Each latency is one of a request, so there were at least as many requests, whatever is told. */
function requestsOf({
  requests,
  latenciesMs,
  tokensPerRequest,
  costUsdPerRequest,
}: ReleaseSample): number {
  return Math.max(
    isCount(requests) ? requests : 0,
    latenciesMs.length,
    tokensPerRequest?.length ?? 0,
    costUsdPerRequest?.length ?? 0,
  );
}

function failuresOf(sample: ReleaseSample): Rate {
  return { hits: sample.failed, total: requestsOf(sample) };
}

/** `null` for counts that cannot be true. */
function rateOf({ hits, total }: Rate): number | null {
  return isCount(hits) && hits <= total && total > 0 ? hits / total : null;
}

function isCount(number: number): boolean {
  return Number.isSafeInteger(number) && number >= 0;
}

type Usable = { readonly values: Float64Array<ArrayBuffer>; readonly leftOut: number };

/** The samples that can be true, in their order, of at most `SAMPLES_MAX`. */
function usable(samples: readonly number[]): Usable {
  const looked = Math.min(samples.length, SAMPLES_MAX);
  const step = samples.length / Math.max(1, looked);
  const values = new Float64Array(looked);
  let count = 0;
  for (let index = 0; index < looked; index++) {
    // One of each stretch, but not always its first: traffic may have a beat of its own.
    const shift = step > 1 ? (index * Math.SQRT2) % 1 : 0;
    const value = samples[Math.floor((index + shift) * step)] ?? Number.NaN;
    if (value >= 0 && value <= Number.MAX_SAFE_INTEGER) values[count++] = value;
  }
  return { values: values.subarray(0, count), leftOut: looked - count };
}

function counts(was: Usable, is: Usable) {
  return {
    samples: { before: was.values.length, after: is.values.length },
    leftOut: { before: was.leftOut, after: is.leftOut },
  };
}

function quantileOf(ascending: Float64Array): number | null {
  return ascending[nearestRank(LATENCY_FRACTION, ascending.length) - 1] ?? null;
}
