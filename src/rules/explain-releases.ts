/**
 * Says in words how two releases of an agent compare: what became worse, by how
 * much, what became better beside it, and which predictors changed.
 */
import {
  type Metric,
  type MetricComparison,
  metrics,
  REQUESTS_MIN,
  type ReleaseComparison,
} from "./compare-releases.ts";
import { formatBesideLimit, formatCostUsd, formatCount, formatPercent } from "./format-quantity.ts";
import { code, plainName } from "./plain-text.ts";

/** Predictors that are named. */
const NAMED_MAX = 3;

/** Digits of a hash that are shown, unless two releases share them. */
const HASH_DIGITS_MIN = 7;

type Wording = {
  readonly worse: string;
  readonly better: string;
  /** What was compared, where no difference was found. */
  readonly name: string;
  measured(now: number, was: number): string;
};

const wordings: Readonly<Record<Metric, Wording>> = {
  latencyP95Ms: {
    worse: "is slower",
    better: "is faster",
    name: "p95",
    measured: (now, was) => `p95 is ${instead(formatBesideLimit(now, was, "ms"))}`,
  },
  errorRate: {
    worse: "fails more often",
    better: "fails less often",
    name: "failed requests",
    measured: (now, was) => {
      const { value, limit } = formatBesideLimit(now * 100, was * 100, "percent");
      return `${value ?? limit} of requests fail instead of ${limit}`;
    },
  },
  tokensPerRequest: {
    worse: "takes more tokens",
    better: "takes fewer tokens",
    name: "tokens",
    measured: (now, was) =>
      `a request takes ${formatCount(now)} tokens instead of ${formatCount(was)}`,
  },
  costUsdPerRequest: {
    worse: "costs more",
    better: "costs less",
    name: "cost",
    measured: (now, was) =>
      `a request costs ${formatCostUsd(now)} instead of ${formatCostUsd(was)}`,
  },
};

/** One to three sentences: `Release 7c1f2d0 is slower than 3ab90e1: p95 is …. What changed: …`. */
export function explainReleases(comparison: ReleaseComparison): string {
  const { missingRequests } = comparison;
  const names = releaseNames(comparison.release);
  if (missingRequests.before > 0 || missingRequests.after > 0) return tooFew(comparison, names);

  const worse = metrics.filter((metric) => comparison.metrics[metric].verdict === "worse");
  const better = metrics.filter((metric) => comparison.metrics[metric].verdict === "better");
  const say = (found: readonly Metric[], word: "worse" | "better") => ({
    verbs: list(found.map((metric) => wordings[metric][word])),
    figures: found.map((metric) => figure(metric, comparison.metrics[metric])).join("; "),
  });
  const [first, second] = [say(worse, "worse"), say(better, "better")];
  const changed = whatChanged(comparison);

  if (worse.length > 0) {
    const also = better.length > 0 ? ` But it ${second.verbs}: ${second.figures}.` : "";
    return `Release ${names.after} ${first.verbs} than ${names.before}: ${first.figures}.${also}${changed}`;
  }
  if (better.length > 0) {
    return `Release ${names.after} ${second.verbs} than ${names.before}: ${second.figures}.${changed}`;
  }
  return `${noDifference(comparison, names)}${changed}`;
}

type Names = { readonly before: string; readonly after: string };

function tooFew({ missingRequests }: ReleaseComparison, names: Names): string {
  const lacking = [
    { name: names.after, missing: missingRequests.after },
    { name: names.before, missing: missingRequests.before },
  ].filter(({ missing }) => missing > 0);
  const [first, second] = lacking.map(({ name, missing }, index) => {
    const more = index === 0 ? `more request${missing === 1 ? "" : "s"}` : "more";
    return `${name} needs ${formatCount(missing)} ${more}`;
  });
  const needs = second === undefined ? first : `${first} and ${second}`;
  return `Not enough yet to compare release ${names.after} with ${names.before}: ${needs}, for ${REQUESTS_MIN} of each.`;
}

function noDifference({ metrics: byMetric, requests }: ReleaseComparison, names: Names): string {
  const compared = metrics.filter((metric) => byMetric[metric].verdict === "no_difference");
  if (compared.length === 0) {
    return `Release ${names.after} cannot be compared with ${names.before}: their telemetry tells no figure of both often enough.`;
  }
  const what = list(compared.map((metric) => wordings[metric].name));
  return `Release ${names.after} shows no difference from ${names.before} in ${what}, as far as ${formatCount(requests.after)} and ${formatCount(requests.before)} requests tell.`;
}

/** `p95 is 1.3 s instead of 1.1 s (+21 %, 12 to 31 %)`. */
function figure(metric: Metric, told: MetricComparison): string {
  const { before, after, relativeChange, interval } = told;
  if (before === null || after === null) return "";
  const text = wordings[metric].measured(after, before);
  if (metric === "errorRate") {
    const range = interval && `, ${points(interval.low)} to ${points(interval.high)}`;
    return `${text} (${signed(after - before, points)} points${range ?? ""})`;
  }
  if (relativeChange === null) return text;
  const range = interval && `, ${plainRange(percent(interval.low), percent(interval.high))}`;
  return `${text} (${signed(relativeChange, percent)}${range ?? ""})`;
}

function whatChanged({ changedPredictors, alarm }: ReleaseComparison): string {
  if (changedPredictors === null) {
    return alarm ? " What changed is not known: the telemetry names no predictors of both." : "";
  }
  if (changedPredictors.length === 0) return " No predictor changed.";
  const suffix = { added: " (new)", removed: " (gone)", changed: "" };
  const named = changedPredictors
    .slice(0, NAMED_MAX)
    .map(({ path, change }) => `${code(path)}${suffix[change]}`);
  const rest = changedPredictors.length - named.length;
  return ` What changed: ${list(rest > 0 ? [...named, `${formatCount(rest)} more`] : named)}.`;
}

/** As short as two hashes can be and still differ. Other names are shown whole. */
function releaseNames({ before, after }: Names): Names {
  const areHashes = [before, after].every((name) => /^[0-9a-f]{8,128}$/i.test(name));
  if (!areHashes) return { before: plainName(before), after: plainName(after) };
  let digits = HASH_DIGITS_MIN;
  while (before !== after && before.slice(0, digits) === after.slice(0, digits)) digits++;
  return { before: before.slice(0, digits), after: after.slice(0, digits) };
}

/** Two values of one measure; where they look the same in all the digits there are, so be it. */
function instead({ value, limit }: { readonly value: string | null; readonly limit: string }) {
  return `${value ?? limit} instead of ${limit}`;
}

function percent(share: number): string {
  return `${share < 0 ? "−" : ""}${formatPercent(Math.abs(share) * 100)}`;
}

/** Percentage points, with two digits that count: `3`, `1.4`, `0.023`. */
function points(share: number): string {
  return `${share < 0 ? "−" : ""}${Number(Math.abs(share * 100).toPrecision(2))}`;
}

function signed(value: number, format: (value: number) => string): string {
  return `${value > 0 ? "+" : ""}${format(value)}`;
}

/** `12 to 31 %`. */
function plainRange(low: string, high: string): string {
  return `${low.replace(/ %$/, "")} to ${high}`;
}

/** `a`, `a and b`, `a, b and c`. */
function list(parts: readonly string[]): string {
  const last = parts.at(-1) ?? "";
  return parts.length < 2 ? last : `${parts.slice(0, -1).join(", ")} and ${last}`;
}
