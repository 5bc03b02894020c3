/**
 * Which columns of an inference table tell what. Its generations name and type the
 * same things differently, so columns are found by name. Prompts, answers and who
 * asked are not among them: they are never read.
 */
export type TableColumn = {
  readonly name: string;
  /** As SQL writes it, such as `bigint`. */
  readonly typeText: string | null;
};

export type FoundColumn = { readonly name: string; readonly isTimestamp: boolean };

export type InferenceColumns = {
  readonly requestId: FoundColumn;
  readonly time: FoundColumn;
  readonly durationMs: FoundColumn;
  readonly statusCode: FoundColumn;
  /** The day of the request, by which the table is laid out. */
  readonly date: FoundColumn | null;
  readonly clientRequestId: FoundColumn | null;
  readonly servedEntity: FoundColumn | null;
  readonly inputTokens: FoundColumn | null;
  readonly outputTokens: FoundColumn | null;
  /** The share of the requests that the endpoint logs, 1 where it logs all. */
  readonly share: FoundColumn | null;
};

const integers = ["bigint", "long", "int", "integer", "smallint", "tinyint"];
const numbers = [...integers, "double", "float"];
const times = [...integers, "timestamp", "timestamp_ntz"];

/** The newest name first. Types are in lower case; without any, all will do. */
const known: Readonly<
  Record<keyof InferenceColumns, { readonly names: readonly string[]; types?: readonly string[] }>
> = {
  requestId: { names: ["databricks_request_id", "invocation_id"] },
  time: { names: ["request_time", "event_time", "timestamp_ms"], types: times },
  durationMs: {
    names: ["execution_duration_ms", "latency_ms", "execution_time_ms"],
    types: numbers,
  },
  statusCode: { names: ["status_code"], types: integers },
  date: { names: ["request_date", "date"], types: ["date"] },
  clientRequestId: { names: ["client_request_id"] },
  servedEntity: { names: ["served_entity_id", "destination_name"] },
  inputTokens: { names: ["input_token_count", "input_tokens", "prompt_tokens"], types: numbers },
  outputTokens: {
    names: ["output_token_count", "output_tokens", "completion_tokens"],
    types: numbers,
  },
  share: { names: ["sampling_fraction"], types: numbers },
};

/** What no request can be counted without, in the words of the newest tables. */
const needed = ["requestId", "time", "durationMs", "statusCode"] as const;

/** The columns, or the names of those that are missing. */
export function findColumns(
  columns: readonly TableColumn[],
): { readonly found: InferenceColumns } | { readonly missing: readonly string[] } {
  const byName = new Map(columns.map((column) => [column.name.toLowerCase(), column]));
  const find = (what: keyof InferenceColumns): FoundColumn | null => {
    const { names, types } = known[what];
    for (const name of names) {
      const column = byName.get(name);
      const type = column?.typeText?.toLowerCase() ?? "";
      if (!column || (types && !types.includes(type))) continue;
      return { name: column.name, isTimestamp: type.startsWith("timestamp") };
    }
    return null;
  };
  const requestId = find("requestId");
  const time = find("time");
  const durationMs = find("durationMs");
  const statusCode = find("statusCode");
  if (!requestId || !time || !durationMs || !statusCode) {
    return {
      missing: needed
        .filter((what) => find(what) === null)
        .map((what) => known[what].names.join(" or ")),
    };
  }
  return {
    found: {
      requestId,
      time,
      durationMs,
      statusCode,
      date: find("date"),
      clientRequestId: find("clientRequestId"),
      servedEntity: find("servedEntity"),
      inputTokens: find("inputTokens"),
      outputTokens: find("outputTokens"),
      share: find("share"),
    },
  };
}
