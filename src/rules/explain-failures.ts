/** Says in words what the failed requests failed of: one error in one place, one error anywhere, or no single cause. */

import { CAUSE_SHARE_MIN } from "./explain-latency.ts";
import { formatCount } from "./format-quantity.ts";
import { placeNames } from "./place-names.ts";
import { plainName } from "./plain-text.ts";
import type { ErrorCount, Window } from "./window.ts";

/** Causes that are listed when no single one explains half. */
const LISTED_MAX = 3;

type Cause = { readonly errors: readonly ErrorCount[]; readonly count: number };

/** One sentence; empty when nothing is known. */
export function explainFailures({ failed, errors }: Window): string {
  const known = errors.filter(({ count }) => Number.isFinite(count) && count > 0);
  if (known.length === 0)
    return failed > 0 ? "Its telemetry does not say what they failed of." : "";

  const total = Math.max(failed, countAll(known));
  const name = placeNames(known);
  const byPlace = causes(
    known,
    ({ type, program, path, errorClass }) => `${type}\n${program}\n${path}\n${errorClass}`,
  );
  const byType = causes(known, ({ type, errorClass }) => `${type}\n${errorClass}`);

  for (const [largest] of [byPlace, byType]) {
    const first = largest?.errors[0];
    if (largest === undefined || first === undefined) continue;
    if (largest.count < total * CAUSE_SHARE_MIN) continue;
    const places = new Set(largest.errors.map(name));
    const where = places.size > 1 ? `in ${formatCount(places.size)} places` : `in ${name(first)}`;
    return `${ofFailures(largest.count, total)} ${plainName(first.type)} ${where} (${plainName(first.errorClass)}).`;
  }

  const listed = byPlace
    .slice(0, LISTED_MAX)
    .map(({ errors: [first], count }) =>
      first ? `${formatCount(count)} ${plainName(first.type)} in ${name(first)}` : "",
    );
  return `No single cause: of ${formatCount(total)} failures ${listed.join(", ")}.`;
}

function ofFailures(count: number, total: number): string {
  if (total === 1) return "The one failure is";
  if (count === total) return `All ${formatCount(total)} failures are`;
  return `${formatCount(count)} of ${formatCount(total)} failures ${count === 1 ? "is" : "are"}`;
}

/** Most frequent first; among equals, in the order of the alphabet, so that the sentence does not jump. */
function causes(errors: readonly ErrorCount[], keyOf: (error: ErrorCount) => string): Cause[] {
  return [...Map.groupBy(errors, keyOf)]
    .map(([key, group]) => ({ key, errors: group, count: countAll(group) }))
    .sort((a, b) => b.count - a.count || (a.key < b.key ? -1 : 1));
}

function countAll(errors: readonly ErrorCount[]): number {
  return errors.reduce((total, { count }) => total + count, 0);
}
