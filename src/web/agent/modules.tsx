/** The module tree of an agent's program: where the time, the money and the errors are. */
import type { ModuleRow } from "../api.ts";
import { CostFigure, Figure, TokensFigure, Unknown } from "../elements/figure.tsx";
import { type Column, FiguresTable } from "../elements/figures-table.tsx";
import { formatCount, formatDuration, formatPercent } from "../format.ts";
import { isWithoutPaths, type TreeRow, treeRows } from "./module-tree.ts";

export function Modules({ modules }: { modules: readonly ModuleRow[] }) {
  return (
    <>
      <FiguresTable
        label="Modules"
        class="modules"
        columns={COLUMNS}
        rows={treeRows(modules)}
        keyOf={(row) => row.key}
        rowAttributes={(row) => ({ "data-testid": "module-row", "data-path": row.path })}
      />
      {isWithoutPaths(modules) && (
        <p class="hint">
          This telemetry has no module paths; these are the names of its spans. The callback of
          dspy-databricks gives paths such as <code>self.rag.generate</code>.
        </p>
      )}
    </>
  );
}

const COLUMNS: Column<TreeRow>[] = [
  {
    id: "path",
    label: "Module",
    text: true,
    cell: (row) => (
      <span class="path" style={{ paddingInlineStart: `${row.depth * 16}px` }}>
        <code title={row.path}>
          <span class="quiet">{row.said}</span>
          {row.name}
        </code>
        {row.ofProgram && <span class="tag">{row.ofProgram}</span>}
        {row.kind !== "module" && <span class="tag">{row.kind}</span>}
      </span>
    ),
  },
  {
    id: "share",
    label: "Share of time",
    text: true,
    title: "Of the time of all requests, spent in this module and not in a module below",
    cell: (row) => <Share share={row.timeShare} isLargest={row.isLargest} />,
  },
  { id: "calls", label: "Calls", cell: (row) => formatCount(row.calls) },
  ...(["p50", "p95", "p99"] as const).map((quantile) => ({
    id: quantile,
    label: quantile,
    cell: (row: TreeRow) => (
      <Figure value={row.latencyMs?.[quantile] ?? null} format={formatDuration} />
    ),
  })),
  {
    id: "self",
    label: "Self p95",
    title: "The part that no module below took; the module's own model calls are in it",
    cell: (row) => <SelfTime selfMs={row.selfMs} />,
  },
  {
    id: "lm-calls",
    label: "Model calls",
    title: "Made by this module itself",
    cell: (row) => <Figure value={row.lmCalls} format={formatCount} />,
  },
  {
    id: "errors",
    label: "Errors",
    cell: (row) => <ErrorCount errors={row.errors} />,
  },
  {
    id: "inner-failures",
    label: "Parse / tool",
    title:
      "Answers that could not be read, and failed calls of its tools; also where the request went on",
    cell: (row) => <InnerFailures row={row} />,
  },
  { id: "tokens", label: "Tokens in / out", cell: (row) => <TokensFigure tokens={row.tokens} /> },
  { id: "cost", label: "Cost", cell: (row) => <CostFigure cost={row} /> },
  {
    id: "cache",
    label: "Cache hits",
    cell: (row) => <Figure value={row.cacheHits} format={formatCount} />,
  },
];

export function ErrorCount({ errors }: { errors: number }) {
  return <span class={errors > 0 ? "has-errors" : "quiet"}>{formatCount(errors)}</span>;
}

function SelfTime({ selfMs }: { selfMs: ModuleRow["selfMs"] }) {
  if (selfMs === null) return <Unknown />;
  const others = `p50 ${formatDuration(selfMs.p50)}, p99 ${formatDuration(selfMs.p99)}`;
  return <span title={others}>{formatDuration(selfMs.p95)}</span>;
}

function InnerFailures({ row: { parseFailures, toolFailures } }: { row: ModuleRow }) {
  if (parseFailures + toolFailures === 0) return <span class="quiet">0</span>;
  const words = `${formatCount(parseFailures)} answers not read, ${formatCount(toolFailures)} calls of tools failed`;
  return (
    <span title={words}>
      {formatCount(parseFailures)} <span class="quiet">/</span> {formatCount(toolFailures)}
    </span>
  );
}

function Share({ share, isLargest }: { share: number | null; isLargest: boolean }) {
  if (share === null) return <Unknown />;
  return (
    <span class="share" data-largest={isLargest || undefined}>
      <span class="share-bar" aria-hidden="true">
        <i style={{ width: `${Math.min(100, share * 100)}%` }} />
      </span>
      <span class="share-value">{formatPercent(share * 100)}</span>
    </span>
  );
}
