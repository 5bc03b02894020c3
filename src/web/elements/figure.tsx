/** Figures that may be unknown. Unknown is a dash that says why, never a zero. */
import type { Tokens } from "../api.ts";
import { formatCount } from "../format.ts";

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

export function TokensFigure({ tokens }: { tokens: Tokens | null }) {
  if (!tokens) return <Unknown />;
  if (tokens.input + tokens.output === 0) return <span class="quiet">0</span>;
  return (
    <span title={`${formatCount(tokens.input)} tokens in, ${formatCount(tokens.output)} out`}>
      {formatCount(tokens.input)} <span class="quiet">/</span> {formatCount(tokens.output)}
    </span>
  );
}
