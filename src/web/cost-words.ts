/** In words: where a cost comes from and what it leaves out, and what the caches did. */
import type { AgentRow, CostFigures, Tokens } from "./api.ts";
import { formatCost, formatCount, formatDuration, formatPercent } from "./format.ts";

const SOURCES = {
  told: "Told by the telemetry",
  price_book: "From the price book, as the telemetry tells no cost",
  both: "Told by the telemetry, and from the price book where it tells no cost",
} as const;

/** What stands on a cost, on hover. */
export function costTitle({ costSource, unpricedCalls, savedCostUsd }: CostFigures): string {
  const source = costSource === null ? [] : [SOURCES[costSource]];
  const unpriced =
    unpricedCalls === 0
      ? []
      : [
          `${costSource === null ? "No price" : "Without"} ${callsWithout(unpricedCalls, costSource !== null)}`,
        ];
  const saved =
    savedCostUsd === null ? [] : [`DSPy's cache saved ${formatCost(savedCostUsd)} beside it`];
  return [...source, ...unpriced, ...saved].join(". ");
}

function callsWithout(calls: number, hasCost: boolean): string {
  const which = calls === 1 ? "1 model call" : `${formatCount(calls)} model calls`;
  return hasCost ? `${which} that have no price` : `for ${which}`;
}

/** `64 % of the input from the provider's prompt cache`; nothing where that is not told. */
export function promptCacheWords({ input, cacheRead }: Tokens): string | null {
  if (cacheRead === undefined || input === 0) return null;
  return `${formatPercent((cacheRead / input) * 100)} of the input from the provider's prompt cache`;
}

/** Sentences on what the caches did for an agent. Empty where telemetry tells nothing of them. */
export function cacheWords({ byCache, savedCostUsd, tokens, cacheHits }: AgentRow): string[] {
  const words: string[] = [];
  if (byCache) {
    const { hit, miss } = byCache;
    const took = ({ latencyMs }: typeof hit) =>
      latencyMs
        ? ` in p50 ${formatDuration(latencyMs.p50)}, p95 ${formatDuration(latencyMs.p95)}`
        : "";
    words.push(
      `DSPy's cache answered ${formatCount(hit.requests)} of ${formatCount(hit.requests + miss.requests)} requests${took(hit)}${
        hit.requests > 0 && miss.latencyMs ? `; the others took${took(miss).slice(3)}` : ""
      }.`,
    );
  }
  if (savedCostUsd !== null && cacheHits) {
    words.push(`Its ${formatCount(cacheHits)} answers saved ${formatCost(savedCostUsd)}.`);
  }
  const served = tokens && promptCacheWords(tokens);
  if (served) words.push(`${served.replace(" from", " came from")}.`);
  return words;
}
