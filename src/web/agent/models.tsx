/** The models that an agent called: how long they took, what they cost, how often they failed. */
import type { ModelRow } from "../api.ts";
import { CostFigure, Figure, TokensFigure } from "../elements/figure.tsx";
import { type Column, FiguresTable } from "../elements/figures-table.tsx";
import { formatCount, formatDuration } from "../format.ts";
import { ErrorCount } from "./modules.tsx";

export function Models({ models }: { models: readonly ModelRow[] }) {
  return (
    <FiguresTable
      label="Models"
      class="models"
      columns={COLUMNS}
      rows={models}
      keyOf={(model) => model.model}
    />
  );
}

const COLUMNS: Column<ModelRow>[] = [
  { id: "model", label: "Model", text: true, cell: (row) => <code>{row.model}</code> },
  { id: "calls", label: "Calls", cell: (row) => formatCount(row.calls) },
  ...(["p50", "p95", "p99"] as const).map((quantile) => ({
    id: quantile,
    label: quantile,
    cell: (row: ModelRow) => (
      <Figure value={row.latencyMs?.[quantile] ?? null} format={formatDuration} />
    ),
  })),
  { id: "errors", label: "Errors", cell: (row) => <ErrorCount errors={row.errors} /> },
  { id: "tokens", label: "Tokens in / out", cell: (row) => <TokensFigure tokens={row.tokens} /> },
  { id: "cost", label: "Cost", cell: (row) => <CostFigure cost={row} /> },
  {
    id: "cache",
    label: "Cache hits",
    cell: (row) => <Figure value={row.cacheHits} format={formatCount} />,
  },
];
