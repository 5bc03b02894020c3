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
  return format(value);
}

export function TokensFigure({ tokens }: { tokens: Tokens | null }) {
  if (!tokens) return <Unknown />;
  return (
    <span title={`${formatCount(tokens.input)} tokens in, ${formatCount(tokens.output)} out`}>
      {formatCount(tokens.input)} <span class="quiet">/</span> {formatCount(tokens.output)}
    </span>
  );
}
