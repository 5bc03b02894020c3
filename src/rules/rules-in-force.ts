/**
 * Which rules count for an endpoint: its own, and of those for every endpoint the ones of
 * a kind that it has none of its own of.
 */
import type { Rule } from "./rule.ts";

/** Those that count for one endpoint, its own first. */
export function rulesOf(rules: readonly Rule[], endpoint: string): readonly Rule[] {
  const own = rules.filter((rule) => rule.endpoint === endpoint);
  const kinds = new Set(own.map(({ kind }) => kind));
  return [...own, ...rules.filter((rule) => rule.endpoint === null && !kinds.has(rule.kind))];
}

export type IsInForce = (rule: Rule, endpoint: string | null) => boolean;

export function rulesInForce(rules: readonly Rule[]): IsInForce {
  const own = new Set(
    rules.flatMap(({ kind, endpoint }) => (endpoint === null ? [] : [`${kind} ${endpoint}`])),
  );
  return (rule, endpoint) =>
    rule.endpoint === null ? !own.has(`${rule.kind} ${endpoint}`) : rule.endpoint === endpoint;
}
