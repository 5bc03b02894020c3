/** The releases of an agent, the newest first, and how the newest compares with the one before. */
import type { ReleaseRow } from "../api.ts";
import { Figure } from "../elements/figure.tsx";
import { type Column, FiguresTable } from "../elements/figures-table.tsx";
import { ClockSeconds } from "../elements/moment.tsx";
import { SentenceText } from "../elements/rich-text.tsx";
import { StateShape } from "../elements/state.tsx";
import { formatCost, formatCount, formatDuration, formatPercent } from "../format.ts";
import { statusOfComparison } from "./release-status.ts";

export function Releases({ releases, nowMs }: { releases: readonly ReleaseRow[]; nowMs: number }) {
  const compared = releases.find(
    ({ comparedWithBefore }) => comparedWithBefore,
  )?.comparedWithBefore;
  const hasSeveralPrograms = new Set(releases.map(({ program }) => program)).size > 1;
  const columns = columnsAt(nowMs);
  return (
    <>
      {compared && (
        <p class="none" data-testid="release-comparison">
          <StateShape status={statusOfComparison(compared)} />{" "}
          <SentenceText text={compared.sentence} />
        </p>
      )}
      <FiguresTable
        label="Releases"
        class="releases"
        columns={hasSeveralPrograms ? [PROGRAM, ...columns] : columns}
        rows={releases}
        keyOf={({ program, name }) => `${program} ${name}`}
      />
    </>
  );
}

const PROGRAM: Column<ReleaseRow> = {
  id: "program",
  label: "Program",
  text: true,
  cell: (row) => <code>{row.program}</code>,
};

function columnsAt(nowMs: number): Column<ReleaseRow>[] {
  return [
    {
      id: "release",
      label: "Release",
      text: true,
      cell: (row) => (
        <span title={row.comparedWithBefore?.sentence ?? row.release ?? undefined}>
          <code>{row.name}</code>
        </span>
      ),
    },
    {
      id: "first",
      label: "First seen",
      cell: (row) => <ClockSeconds timeMs={row.firstMs} nowMs={nowMs} />,
    },
    { id: "requests", label: "Requests", cell: (row) => formatCount(row.requests) },
    {
      id: "p95",
      label: "p95",
      cell: (row) => <Figure value={row.latencyP95Ms} format={formatDuration} />,
    },
    {
      id: "errors",
      label: "Errors",
      cell: (row) => <Figure value={row.errorRatePercent} format={formatPercent} />,
    },
    {
      id: "tokens",
      label: "Tokens each",
      cell: (row) => <Figure value={row.tokensPerRequest} format={formatCount} />,
    },
    {
      id: "cost",
      label: "Cost each",
      cell: (row) => <Figure value={row.costUsdPerRequest} format={formatCost} />,
    },
  ];
}
