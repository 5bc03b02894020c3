/** Single requests worth a look: the slowest, and those that failed. */
import type { RequestRow } from "../api.ts";
import { CostFigure, TokensFigure, Unknown } from "../elements/figure.tsx";
import { type Column, FiguresTable } from "../elements/figures-table.tsx";
import { formatClockSeconds, formatDuration, formatMoment } from "../format.ts";

type Props = { label: string; requests: readonly RequestRow[]; nowMs: number };

/** Enough of a trace id to tell two apart; the whole one is on hover. */
const TRACE_ID_SHOWN = 8;

export function Requests({ label, requests, nowMs }: Props) {
  return (
    <FiguresTable
      label={label}
      class="requests"
      columns={columnsOf(nowMs)}
      rows={requests}
      // A trace whose parents were lost is told as several requests.
      keyOf={({ traceId, requestId, timeMs, program }) =>
        `${requestId ?? traceId} ${timeMs} ${program}`
      }
      rowAttributes={(request) => ({
        "data-testid": "request-row",
        "data-trace": request.traceId ?? "",
      })}
    />
  );
}

function idTitle({ traceId, requestId }: RequestRow): string {
  const ids = [traceId && `trace ${traceId}`, requestId && `Databricks request ${requestId}`];
  return ids.filter(Boolean).join(", ");
}

function columnsOf(nowMs: number): Column<RequestRow>[] {
  return [
    {
      id: "time",
      label: "Time",
      text: true,
      cell: (row) => (
        <>
          <time title={formatMoment(row.timeMs, nowMs)}>{formatClockSeconds(row.timeMs)}</time>
          <code class="trace" title={idTitle(row)}>
            {(row.traceId ?? row.requestId ?? "").slice(0, TRACE_ID_SHOWN)}
          </code>
        </>
      ),
    },
    {
      id: "where",
      label: "Mostly in",
      title: "The deepest module that failed, or the one that took most of the time",
      text: true,
      cell: (row) => (
        <>
          {row.statusCode === null ? (
            <code>{row.path ?? row.program}</code>
          ) : (
            <span class="quiet" title="Only the inference table of its endpoint tells this request">
              answered with {row.statusCode}
            </span>
          )}
          {row.incomplete && (
            <span class="tag" title="Its beginning never came: it may have taken longer, or failed">
              incomplete
            </span>
          )}
          {(row.errorType ?? (row.statusCode !== null && row.errorClass)) && (
            <span class="request-error">
              {row.errorType}
              {row.errorClass && <span class="quiet"> {row.errorClass.replaceAll("_", " ")}</span>}
            </span>
          )}
        </>
      ),
    },
    { id: "latency", label: "Took", cell: (row) => formatDuration(row.latencyMs) },
    { id: "tokens", label: "Tokens in / out", cell: (row) => <TokensFigure tokens={row.tokens} /> },
    {
      id: "cost",
      label: "Cost",
      cell: (row) => <CostFigure cost={row} />,
    },
    {
      id: "cache",
      label: "Cache",
      cell: (row) => (row.cache === "unknown" ? <Unknown /> : row.cache),
    },
  ];
}
