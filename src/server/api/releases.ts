/** The releases of an agent as the JSON API tells them, and how two of them compare. */
import type { Agent } from "../../live/agents.ts";
import type { ReleaseSeen } from "../../live/releases.ts";
import { compareReleases, type ReleaseSample } from "../../rules/compare-releases.ts";
import { explainReleases } from "../../rules/explain-releases.ts";
import { releaseLabel } from "../../rules/release-label.ts";
import { nearestRank } from "../../signals/distribution.ts";
import type { ReleaseComparisonRow, ReleaseRow, ReleasesAnswer } from "../../web/api.ts";

/** The newest first, each compared with the one before it of the same program. */
export function releaseRows({ releases }: Agent): ReleaseRow[] {
  return releases
    .all()
    .map((release) => releaseRow(release, releases.before(release)))
    .reverse();
}

/** @param names of two releases to compare; names of none compare nothing. */
export function releasesAnswer(
  agent: Agent,
  names: { readonly before: string; readonly after: string } | null,
): ReleasesAnswer {
  const named = (name: string | undefined) =>
    agent.releases.all().find((seen) => releaseLabel(seen.name) === name);
  const [before, after] = [named(names?.before), named(names?.after)];
  return {
    releases: releaseRows(agent),
    comparison: before && after ? comparison(before, after) : null,
  };
}

function releaseRow(seen: ReleaseSeen, before: ReleaseSeen | null): ReleaseRow {
  const { name, program, requests, failed, firstMs, lastMs } = seen;
  const { latenciesMs, tokens, costsUsd } = seen.sample();
  return {
    name: releaseLabel(name),
    ...name,
    program,
    firstMs,
    lastMs,
    requests,
    failed,
    errorRatePercent: requests === 0 ? null : (failed / requests) * 100,
    latencyP95Ms: p95(latenciesMs),
    tokensPerRequest: mean(tokens),
    costUsdPerRequest: mean(costsUsd),
    predictors: Object.fromEntries(seen.predictors),
    comparedWithBefore: before && comparison(before, seen),
  };
}

function comparison(before: ReleaseSeen, after: ReleaseSeen): ReleaseComparisonRow {
  const compared = compareReleases(sampleOf(before, after), sampleOf(after, before));
  return { ...compared, sentence: explainReleases(compared) };
}

/** A state that is served in two versions is told apart by the version. */
function sampleOf(seen: ReleaseSeen, other: ReleaseSeen): ReleaseSample {
  const { requests, failed, predictors } = seen;
  const { latenciesMs, tokens, costsUsd } = seen.sample();
  const isSameState = seen.name.release === other.name.release;
  return {
    release: isSameState ? releaseLabel(seen.name) : (seen.name.release ?? releaseLabel(seen.name)),
    requests,
    failed,
    latenciesMs,
    tokensPerRequest: tokens,
    costUsdPerRequest: costsUsd,
    predictors,
  };
}

function p95(values: readonly number[]): number | null {
  return values.toSorted((a, b) => a - b)[nearestRank(0.95, values.length) - 1] ?? null;
}

function mean(values: readonly number[] | null): number | null {
  return values === null ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
}
