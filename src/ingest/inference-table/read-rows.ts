/** Rows as `selectRows` asks for them → requests. */
import { classOfStatus } from "../../signals/error-class.ts";
import type { LoggedRequest } from "../../signals/logged-request.ts";
import type { Tokens } from "../../signals/request.ts";
import type { LoggingTable } from "./select-rows.ts";

export type ReadRows = {
  readonly requests: readonly LoggedRequest[];
  /** A key of each row that was left out, the same whenever it is read. */
  readonly incomplete: readonly string[];
  /** When the newest of the calls began, Unix milliseconds; `null` without any. */
  readonly lastStartMs: number | null;
};

/** Longest id that is kept; Databricks' own have 36 characters. */
const ID_MAX_CHARS = 128;

/** A row without an id, a time, a duration or a status is no request that can be counted. */
export function readRows(
  rows: readonly (readonly (string | null)[])[],
  tables: readonly Pick<LoggingTable, "endpoint">[],
): ReadRows {
  const requests: LoggedRequest[] = [];
  const incomplete: string[] = [];
  let lastStartMs: number | null = null;
  for (const row of rows) {
    const [place, id, clientId, start, duration, status, servedEntity, input, output, share] = row;
    const endpoint = tables[numberOf(place) ?? -1]?.endpoint;
    const startMs = numberOf(start);
    const latencyMs = numberOf(duration);
    const statusCode = numberOf(status);
    if (startMs !== null) lastStartMs = Math.max(lastStartMs ?? startMs, startMs);
    if (!endpoint || !id || id.length > ID_MAX_CHARS || startMs === null) {
      incomplete.push(keyOf(row));
      continue;
    }
    if (latencyMs === null || latencyMs < 0 || statusCode === null) {
      incomplete.push(keyOf(row));
      continue;
    }
    requests.push({
      requestId: id,
      traceId: traceIdOf(clientId),
      endpoint,
      timeMs: startMs + latencyMs,
      latencyMs,
      statusCode,
      errorClass: classOfStatus(statusCode),
      tokens: tokensOf(numberOf(input), numberOf(output)),
      servedEntity: servedEntity?.slice(0, ID_MAX_CHARS) || null,
      ...shareOf(numberOf(share)),
    });
  }
  return { requests, incomplete, lastStartMs };
}

function keyOf(row: readonly (string | null)[]): string {
  return row.slice(0, 6).join(" ").slice(0, ID_MAX_CHARS);
}

/** Of a sample; nothing where all requests are logged, or it is not told. */
function shareOf(share: number | null): Pick<LoggedRequest, "share"> {
  return share !== null && share > 0 && share < 1 ? { share } : {};
}

/** `null` where either is not told: one without the other would make a sum look whole. */
function tokensOf(input: number | null, output: number | null): Tokens | null {
  if (input === null || output === null || input < 0 || output < 0) return null;
  return { input, output };
}

/** Callers may give what they like; what looks like a trace id, also as MLflow writes it, is one. */
function traceIdOf(clientRequestId: string | null | undefined): string | null {
  const [, traceId] = /^(?:tr-)?([0-9a-f]{32})$/i.exec(clientRequestId ?? "") ?? [];
  return traceId?.toLowerCase() ?? null;
}

function numberOf(text: string | null | undefined): number | null {
  if (text === null || text === undefined || text === "") return null;
  const value = Number(text);
  return Number.isFinite(value) ? value : null;
}
