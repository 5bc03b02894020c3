/** Figures that may be unknown. Unknown is a dash that says why, never a zero. */
import type { CostFigures, Tokens } from "../api.ts";
import { costTitle, promptCacheWords } from "../cost-words.ts";
import { formatCost, formatCount } from "../format.ts";

export function Unknown({ why = "not told by this telemetry" }: { why?: string }) {
  return (
    <span class="unknown" title={why}>
      <span aria-hidden="true">–</span>
      <span class="visually-hidden">{why}</span>
    </span>
  );
}

export function Figure({
  value,
  format,
}: {
  value: number | null;
  format: (value: number) => string;
}) {
  if (value === null) return <Unknown />;
  return value === 0 ? <span class="quiet">{format(0)}</span> : format(value);
}

/** Says on hover where the cost comes from; a star marks one that leaves calls out. */
export function CostFigure({ cost }: { cost: CostFigures }) {
  const title = costTitle(cost);
  if (cost.costUsd === null) {
    if (cost.unpricedCalls === 0) return <Unknown />;
    return (
      <span class="quiet" title={title}>
        unpriced
      </span>
    );
  }
  return (
    <span class={cost.costUsd === 0 ? "quiet" : undefined} title={title}>
      {formatCost(cost.costUsd)}
      {cost.unpricedCalls > 0 && "*"}
    </span>
  );
}

export function TokensFigure({ tokens }: { tokens: Tokens | null }) {
  if (!tokens) return <Unknown />;
  if (tokens.input + tokens.output === 0) return <span class="quiet">0</span>;
  const served = promptCacheWords(tokens);
  const title = `${formatCount(tokens.input)} tokens in, ${formatCount(tokens.output)} out`;
  return (
    <span title={served ? `${title}; ${served}` : title}>
      {formatCount(tokens.input)} <span class="quiet">/</span> {formatCount(tokens.output)}
    </span>
  );
}
