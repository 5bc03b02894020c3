/**
 * Runs SQL on a warehouse. A statement goes on by itself once it is sent: whoever
 * stops waiting has to cancel it, which `executeStatement` does. A statement that
 * fails does so in an answer with status 200: that becomes an error with the SQL's
 * own code.
 *
 * Source: databricks-sdk-py 0.156.0, `StatementExecutionAPI`.
 */
import { apiPath } from "./api-path.ts";
import type { CallLimits, DatabricksClient } from "./client.ts";
import { DatabricksError } from "./databricks-error.ts";
import { isSafeLink } from "./external-links.ts";
import {
  flagOf,
  idOf,
  integerOf,
  type JsonRecord,
  recordOf,
  recordsOf,
  textMapOf,
  textOf,
} from "./json-fields.ts";
import type { JsonAnswer } from "./read-answer.ts";
import { wait } from "./wait.ts";
import { usePermission } from "./warehouses.ts";

/** What to run, in Databricks' own names. */
export type StatementInput = {
  /** At most 16 MiB. Values go into `parameters`, and stand in it as `:name`. */
  readonly statement: string;
  readonly warehouse_id: string;
  readonly catalog?: string;
  readonly schema?: string;
  readonly parameters?: readonly {
    readonly name: string;
    /** Left out, it is NULL. */
    readonly value?: string;
    /** `STRING` when left out. */
    readonly type?: string;
  }[];
  /** At most 20; they stand in the history of queries. */
  readonly query_tags?: readonly { readonly key: string; readonly value?: string }[];
  readonly row_limit?: number;
  readonly byte_limit?: number;
  /**
   * `INLINE`, which fails beyond 25 MiB, or `EXTERNAL_LINKS`, which leads to the rows
   * in cloud storage. The first when left out.
   */
  readonly disposition?: "INLINE" | "EXTERNAL_LINKS";
};

export type Statement = {
  readonly id: string;
  readonly warehouseId: string;
  /** `PENDING`, `RUNNING`, `SUCCEEDED`, `FAILED`, `CANCELED` or `CLOSED`. */
  readonly state: string;
  readonly columns: readonly Column[];
  /** `null` until it has succeeded. The number may be larger than JavaScript counts exactly. */
  readonly rowCount: string | null;
  /** Rows beyond `row_limit` or `byte_limit` are missing. */
  readonly isTruncated: boolean;
  /** `null` until it has succeeded. */
  readonly firstChunk: Chunk | null;
};

export type Column = {
  readonly name: string;
  /** Such as `LONG`. */
  readonly typeName: string | null;
  /** Such as `BIGINT` or `MAP<STRING, STRING>`. */
  readonly typeText: string | null;
};

/** Values come as text, as SQL would cast them; NULL is `null`. */
export type Row = readonly (string | null)[];

export type Chunk = {
  readonly index: number;
  /** `null` where they stand at `link`. */
  readonly rows: readonly Row[] | null;
  readonly link: {
    readonly url: string;
    readonly headers: Readonly<Record<string, string>>;
  } | null;
  readonly nextIndex: number | null;
};

export type StatementOptions = CallLimits & {
  /** What the statement is for, as it reads after "cannot". */
  readonly purpose?: string;
  /** Whether running it twice is harmless, as for SELECT; only then is a lost call repeated. */
  readonly isIdempotent?: boolean;
  /**
   * Databricks ends it itself after so many seconds, 5 to 50, whether anybody still waits for the
   * answer or not: who has lost the answer knows when it has ended. By default it goes on.
   */
  readonly limitS?: number;
};

export type ExecuteOptions = Omit<StatementOptions, "timeoutMs" | "totalTimeoutMs"> & {
  /** For the whole statement, the start of the warehouse included. 10 minutes by default. */
  readonly deadlineMs?: number;
};

/**
 * How long, in seconds, Databricks holds the answer to a statement back until it has
 * ended. It takes 0, or 5 to 50; this is less than proxies cut a silent connection.
 */
const WAIT_S = 30;
/** Longer than Databricks waits, by what the way there and back may take. */
const submitTimeoutMs = (waitS = WAIT_S) => (waitS + 30) * 1000;
/** The first wait between two questions for the state, and how far it grows. */
const POLL_MS = 1000;
const POLL_MAX_MS = 10_000;
const DEADLINE_MS = 600_000;
const CANCEL_TIMEOUT_MS = 20_000;

/**
 * Sends it, and waits for its end for up to 30 s. What has not ended then comes back
 * as `PENDING` or `RUNNING`.
 *
 * @throws DatabricksError with the SQL's own code in `call.errorCode` when it has failed.
 */
export async function submitStatement(
  client: DatabricksClient,
  statement: StatementInput,
  { purpose = "run a SQL statement", limitS, ...options }: StatementOptions = {},
): Promise<Statement> {
  const answer = await client.postJson(
    apiPath`/api/2.0/sql/statements`,
    {
      disposition: "INLINE",
      format: "JSON_ARRAY",
      on_wait_timeout: limitS === undefined ? "CONTINUE" : "CANCEL",
      wait_timeout: `${limitS ?? WAIT_S}s`,
      ...statement,
    },
    {
      timeoutMs: submitTimeoutMs(limitS),
      totalTimeoutMs: 2 * submitTimeoutMs(limitS),
      ...options,
      purpose,
      permission: usePermission(statement.warehouse_id),
    },
  );
  return readStatement(answer, statement.warehouse_id, limitS);
}

/** @throws DatabricksError with the SQL's own code in `call.errorCode` when it has failed. */
export async function getStatement(
  client: DatabricksClient,
  { id, warehouseId }: Pick<Statement, "id" | "warehouseId">,
  { purpose = "run a SQL statement", ...limits }: CallLimits & { readonly purpose?: string } = {},
): Promise<Statement> {
  const answer = await client.getJson(apiPath`/api/2.0/sql/statements/${id}`, {
    ...limits,
    purpose,
    permission: usePermission(warehouseId),
  });
  return readStatement(answer, warehouseId);
}

/** It may end by itself all the same, if it was about to. */
export async function cancelStatement(
  client: DatabricksClient,
  id: string,
  limits: CallLimits = {},
): Promise<void> {
  await client.post(apiPath`/api/2.0/sql/statements/${id}/cancel`, {
    ...limits,
    purpose: `cancel SQL statement ${id}`,
    isIdempotent: true,
  });
}

/**
 * Runs it to its end. When the deadline passes or `signal` is aborted, the statement
 * is cancelled; whether it had an effect is then not known.
 *
 * @throws DatabricksError with the SQL's own code in `call.errorCode` when it has
 * failed, and `TIMEOUT` in `call.networkCode` when the deadline has passed.
 */
export async function executeStatement(
  client: DatabricksClient,
  input: StatementInput,
  { deadlineMs = DEADLINE_MS, ...options }: ExecuteOptions = {},
): Promise<Statement> {
  const { clock } = client;
  const startMs = clock.now();
  const remainingMs = () => deadlineMs - (clock.now() - startMs);

  let statement = await submitStatement(client, input, {
    ...options,
    timeoutMs: Math.min(submitTimeoutMs(options.limitS), deadlineMs),
    totalTimeoutMs: deadlineMs,
  });
  try {
    let pollMs = POLL_MS;
    while (statement.state !== "SUCCEEDED") {
      if (remainingMs() <= 0) throw lateError(client, statement, { ...options, deadlineMs });
      await wait(Math.min(pollMs, remainingMs()), { clock, signal: options.signal });
      pollMs = Math.min(2 * pollMs, POLL_MAX_MS);
      statement = await getStatement(client, statement, options);
    }
    return statement;
  } catch (error) {
    if (hasEnded(error)) throw error;
    // What is told is why it was given up; that it could not be cancelled adds nothing.
    await cancelStatement(client, statement.id, { totalTimeoutMs: CANCEL_TIMEOUT_MS }).catch(
      () => {},
    );
    throw error;
  }
}

/** Whether it is the statement that failed, and not a question about it. */
function hasEnded(error: unknown): boolean {
  return error instanceof DatabricksError && error.call.status === 200;
}

/**
 * The rows of a statement that has succeeded, part after part, wherever they are
 * kept. Databricks keeps them for an hour.
 */
export async function* readStatementRows(
  client: DatabricksClient,
  statement: Statement,
  limits: CallLimits = {},
): AsyncGenerator<Row, void, undefined> {
  let chunk = statement.firstChunk;
  while (chunk !== null) {
    yield* chunk.rows ?? (await rowsAtLink(client, { statement, chunk, limits }));
    const { index, nextIndex }: Chunk = chunk;
    chunk =
      nextIndex !== null && nextIndex > index
        ? await getChunk(client, { statement, index: nextIndex, limits })
        : null;
  }
}

/** Links live for some minutes. One that is refused is asked for anew, once. */
async function rowsAtLink(
  client: DatabricksClient,
  {
    statement,
    chunk,
    limits,
  }: { readonly statement: Statement; readonly chunk: Chunk; readonly limits: CallLimits },
): Promise<readonly Row[]> {
  if (chunk.link === null) return [];
  const options = { ...limits, purpose: `read part ${chunk.index} of a SQL result` };
  const { external } = client;
  const rows = await external.getJson(chunk.link, options).catch(async (error) => {
    if (!(error instanceof DatabricksError) || error.call.status !== 403) throw error;
    const { link } = await getChunk(client, { statement, index: chunk.index, limits });
    if (link === null) throw error;
    return external.getJson(link, options);
  });
  return readRowList(rows);
}

async function getChunk(
  client: DatabricksClient,
  {
    statement,
    index,
    limits,
  }: { readonly statement: Statement; readonly index: number; readonly limits: CallLimits },
): Promise<Chunk> {
  const answer = await client.getJson(
    apiPath`/api/2.0/sql/statements/${statement.id}/result/chunks/${String(index)}`,
    {
      ...limits,
      purpose: `read part ${index} of a SQL result`,
      permission: usePermission(statement.warehouseId),
    },
  );
  return readChunk(answer, recordOf(answer.json) ?? {}, index);
}

function readStatement(answer: JsonAnswer, warehouseId: string, limitS?: number): Statement {
  const statement = recordOf(answer.json);
  const status = recordOf(statement?.status);
  const id = textOf(statement?.statement_id);
  const state = textOf(status?.state);
  if (!statement || id === null || state === null) throw answer.unusable("is not a statement");
  if (!["PENDING", "RUNNING", "SUCCEEDED"].includes(state))
    throw failedError(answer, id, { status, limitS });

  const manifest = recordOf(statement.manifest);
  const result = recordOf(statement.result);
  return {
    id,
    warehouseId,
    state,
    columns: recordsOf(recordOf(manifest?.schema)?.columns).map((column) => ({
      name: textOf(column.name) ?? "",
      typeName: textOf(column.type_name),
      typeText: textOf(column.type_text),
    })),
    rowCount: idOf(manifest?.total_row_count),
    isTruncated: flagOf(manifest?.truncated) ?? false,
    firstChunk: result && readChunk(answer, result, 0),
  };
}

function readChunk(answer: JsonAnswer, result: JsonRecord, asked: number): Chunk {
  const [link] = recordsOf(result.external_links);
  if (link) {
    const url = textOf(link.external_link);
    if (!isSafeLink(url)) throw answer.unusable("names no https address");
    return {
      index: integerOf(link.chunk_index) ?? asked,
      rows: null,
      link: { url, headers: Object.fromEntries(textMapOf(link.http_headers)) },
      nextIndex: integerOf(link.next_chunk_index),
    };
  }
  return {
    index: integerOf(result.chunk_index) ?? asked,
    rows: readRowList(result.data_array),
    link: null,
    nextIndex: integerOf(result.next_chunk_index),
  };
}

function readRowList(value: unknown): readonly Row[] {
  if (!Array.isArray(value)) return [];
  return value
    .filter((row) => Array.isArray(row))
    .map((row) => row.map((cell: unknown) => (typeof cell === "string" ? cell : null)));
}

function failedError(
  answer: JsonAnswer,
  id: string,
  { status, limitS }: { readonly status: JsonRecord | null; readonly limitS: number | undefined },
): DatabricksError {
  const error = recordOf(status?.error);
  const sqlState = textOf(status?.sql_state);
  const message = textOf(error?.message);
  // Databricks' SQL says in its text what its codes are too coarse for.
  const isForbidden = sqlState === "42501" || /^\[INSUFFICIENT_PERMISSIONS\b/.test(message ?? "");
  const isLate = limitS !== undefined && textOf(status?.state) === "CANCELED";
  return answer.failed({
    what: `statement ${id} is ${textOf(status?.state)}:`,
    errorCode: textOf(error?.error_code),
    message,
    code: isForbidden ? "DATABRICKS_FORBIDDEN" : "DATABRICKS_FAILED",
    hint: isForbidden
      ? "Give the identity the privilege that the message names."
      : isLate
        ? `It was given ${limitS} s. Try again; a larger SQL warehouse, or one that is less busy, takes less.`
        : "The message is the SQL engine's own; the query history of the workspace shows the statement.",
    details: sqlState === null ? [] : [{ sql_state: sqlState }],
  });
}

function lateError(
  client: DatabricksClient,
  { id, state }: Statement,
  { purpose = "run a SQL statement", deadlineMs }: ExecuteOptions & { readonly deadlineMs: number },
): DatabricksError {
  const path = `/api/2.0/sql/statements/${id}`;
  return new DatabricksError(
    "DATABRICKS_FAILED",
    `cannot ${purpose}: statement ${id} on ${client.host} was still ${state} after ${deadlineMs / 1000} s, and was cancelled`,
    {
      hint: "Whether it had an effect is not known: look before you try again. A warehouse that was stopped takes minutes to start.",
      call: {
        method: "GET",
        path,
        host: client.host,
        status: null,
        errorCode: null,
        details: [],
        requestId: null,
        retryAfterMs: null,
        networkCode: "TIMEOUT",
      },
    },
  );
}
