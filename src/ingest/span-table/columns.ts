/**
 * Which columns of a table of spans tell what. OpenTelemetry in Unity Catalog has had
 * several layouts – attributes as MAP, as VARIANT – and names that differ, so columns are
 * found by name and type.
 */
export type TableColumn = {
  readonly name: string;
  /** As SQL writes it, such as `map<string,string>`. */
  readonly typeText: string | null;
};

/** How SQL reaches into a column of keys and values. */
export type Keyed = "map" | "variant";

export type SpanColumns = {
  readonly traceId: string;
  readonly spanId: string;
  readonly start: TimeColumn;
  readonly end: TimeColumn;
  readonly name: string;
  readonly attributes: { readonly name: string; readonly keyed: Keyed };
  readonly parentSpanId: string | null;
  readonly flags: string | null;
  readonly kind: string | null;
  readonly serviceName: string | null;
  /** Path to each: a field of a struct, or a column of its own. */
  readonly statusCode: readonly string[] | null;
  readonly statusMessage: readonly string[] | null;
  readonly resource: { readonly path: readonly string[]; readonly keyed: Keyed } | null;
  readonly events: { readonly name: string; readonly keyed: Keyed } | null;
  /** Columns by which the table is laid out: a time and a day, never before the span began. */
  readonly time: string | null;
  readonly date: string | null;
};

/** Nanoseconds since 1970, or a TIMESTAMP. */
export type TimeColumn = { readonly name: string; readonly isTimestamp: boolean };

const names = {
  traceId: ["trace_id", "traceid"],
  spanId: ["span_id", "spanid"],
  parentSpanId: ["parent_span_id", "parentspanid", "parent_id"],
  name: ["name", "span_name"],
  start: ["start_time_unix_nano", "start_time", "start_time_ns"],
  end: ["end_time_unix_nano", "end_time", "end_time_ns"],
  attributes: ["attributes", "span_attributes"],
  flags: ["flags"],
  kind: ["kind", "span_kind"],
  serviceName: ["service_name"],
  statusCode: ["status_code"],
  statusMessage: ["status_message"],
  resource: ["resource", "resource_attributes"],
  events: ["events"],
  time: ["time"],
  date: ["date"],
} as const;

const needed = ["traceId", "spanId", "start", "end", "name", "attributes"] as const;

/** The columns, or the names of those that are missing. */
export function findSpanColumns(
  columns: readonly TableColumn[],
): { readonly found: SpanColumns } | { readonly missing: readonly string[] } {
  const byName = new Map(columns.map((column) => [column.name.toLowerCase(), column]));
  const find = (what: keyof typeof names, isFit: (type: string) => boolean) => {
    for (const name of names[what]) {
      const column = byName.get(name);
      const type = typeOf(column);
      if (column && isFit(type)) return { name: column.name, type };
    }
    return null;
  };
  const nameOf = (what: keyof typeof names, isFit = isText) => find(what, isFit)?.name ?? null;
  const timeOf = (what: "start" | "end"): TimeColumn | null => {
    const column = find(what, (type) => type === "bigint" || type === "long" || isTimestamp(type));
    return column && { name: column.name, isTimestamp: isTimestamp(column.type) };
  };
  const keyedOf = (what: keyof typeof names) => {
    const column = find(what, (type) => keyedBy(type) !== null);
    const keyed = column && keyedBy(column.type);
    return keyed && { name: column.name, keyed };
  };

  const traceId = nameOf("traceId");
  const spanId = nameOf("spanId");
  const name = nameOf("name");
  const start = timeOf("start");
  const end = timeOf("end");
  const attributes = keyedOf("attributes");
  if (!traceId || !spanId || !name || !start || !end || !attributes) {
    const told = { traceId, spanId, name, start, end, attributes };
    return {
      missing: needed.filter((what) => told[what] === null).map((what) => names[what].join(" or ")),
    };
  }
  return {
    found: {
      traceId,
      spanId,
      name,
      start,
      end,
      attributes,
      parentSpanId: nameOf("parentSpanId"),
      flags: nameOf("flags", isNumber),
      kind: nameOf("kind", isScalar),
      serviceName: nameOf("serviceName"),
      ...statusOf(byName),
      resource: resourceOf(columns),
      events: eventsOf(byName.get("events")),
      time: nameOf("time", isTimestamp),
      date: nameOf("date", (type) => type === "date"),
    },
  };
}

function typeOf(column: TableColumn | undefined): string {
  return column?.typeText?.toLowerCase().replace(/\s+/g, "") ?? "";
}

const isText = (type: string): boolean => type === "string";
const isNumber = (type: string) => /^(?:big|small|tiny)?int$|^long$|^integer$/.test(type);
const isScalar = (type: string) => isText(type) || isNumber(type);
const isTimestamp = (type: string): boolean => type === "timestamp";

function keyedBy(type: string): Keyed | null {
  if (type === "variant") return "variant";
  return type.startsWith("map<string,") ? "map" : null;
}

function statusOf(byName: ReadonlyMap<string, TableColumn>) {
  const status = byName.get("status");
  const type = typeOf(status);
  const within = (field: string) =>
    status && fieldType(type, field) !== null ? [status.name, field] : null;
  const beside = (name: string) => {
    const column = byName.get(name);
    return column && isScalar(typeOf(column)) ? [column.name] : null;
  };
  return {
    statusCode: within("code") ?? beside("status_code"),
    statusMessage: within("message") ?? beside("status_message"),
  };
}

function resourceOf(columns: readonly TableColumn[]): SpanColumns["resource"] {
  for (const wanted of names.resource) {
    const column = columns.find(({ name }) => name.toLowerCase() === wanted);
    if (!column) continue;
    const type = typeOf(column);
    const keyed = keyedBy(type);
    if (keyed) return { path: [column.name], keyed };
    const inside = keyedBy(fieldType(type, "attributes") ?? "");
    if (inside) return { path: [column.name, "attributes"], keyed: inside };
  }
  return null;
}

function eventsOf(column: TableColumn | undefined): SpanColumns["events"] {
  const [, item] = /^array<(struct<.*>)>$/.exec(typeOf(column)) ?? [];
  if (!column || !item || fieldType(item, "name") !== "string") return null;
  const keyed = keyedBy(fieldType(item, "attributes") ?? "");
  return keyed && { name: column.name, keyed };
}

/** The type of a field of `struct<…>`, as it stands there; `null` where there is none. */
function fieldType(struct: string, field: string): string | null {
  const [, inside = ""] = /^struct<(.*)>$/.exec(struct) ?? [];
  for (const part of splitAtTop(inside)) {
    const [name = "", ...type] = part.split(":");
    if (name === field) return type.join(":");
  }
  return null;
}

function splitAtTop(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let from = 0;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === "<" || character === "(") depth++;
    if (character === ">" || character === ")") depth--;
    if (character === "," && depth === 0) {
      parts.push(text.slice(from, at));
      from = at + 1;
    }
  }
  return [...parts, text.slice(from)];
}
