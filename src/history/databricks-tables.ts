/**
 * The tables of the history as they stand in Databricks: their names, and the SQL that
 * makes them and loads a file into them, from the one definition in `tables.ts`. Pure.
 */
import { type Column, notNull, type TableName, tables } from "./tables.ts";

/** Where the tables stand. */
export type TablePlace = {
  readonly catalog: string;
  readonly schema: string;
  /** In front of each table's name, with an underscore between. */
  readonly prefix: string;
};

export const defaultTablePlace: TablePlace = {
  catalog: "ml",
  schema: "monitoring",
  prefix: "agent_monitoring",
};

/** What questions are about first: a day, and an agent. */
const CLUSTERED_BY = ["event_date", "endpoint_name"];

/** Without quotes, as Unity Catalog's API names it. */
export function fullTableName({ catalog, schema, prefix }: TablePlace, table: TableName): string {
  return `${catalog}.${schema}.${prefix}_${table}`;
}

/** As it stands in SQL. */
export function quotedTable({ catalog, schema, prefix }: TablePlace, table: TableName): string {
  return [catalog, schema, `${prefix}_${table}`].map(quotedName).join(".");
}

/** The volume that files go through. */
export function volumeOf({ catalog, schema, prefix }: TablePlace) {
  const name = `${prefix}_files`;
  return {
    fullName: `${catalog}.${schema}.${name}`,
    name,
    path: `/Volumes/${catalog}/${schema}/${name}`,
  };
}

export function createTableSql(place: TablePlace, table: TableName): string {
  const { columns, comment } = tables[table];
  const lines = columns.map(({ name, type, comment: about }) => {
    const required = notNull.has(name) ? " NOT NULL" : "";
    return `  ${quotedName(name)} ${type}${required} COMMENT ${quotedText(about)}`;
  });
  return `CREATE TABLE IF NOT EXISTS ${quotedTable(place, table)} (
${lines.join(",\n")}
) USING DELTA
CLUSTER BY (${CLUSTERED_BY.join(", ")})
COMMENT ${quotedText(`${comment}. Written by dspy-databricks-agents, a row per event, never changed afterwards`)}`;
}

/** Columns that are missing in a table that is there; rows of before have none. */
export function addColumnsSql(
  place: TablePlace,
  table: TableName,
  missing: readonly Column[],
): string {
  const added = missing.map(
    ({ name, type, comment }) => `${quotedName(name)} ${type} COMMENT ${quotedText(comment)}`,
  );
  return `ALTER TABLE ${quotedTable(place, table)} ADD COLUMNS (${added.join(", ")})`;
}

/** Adds the rows of the parameter `rows`, an array of JSON, whose events are not there yet. */
export function mergeSql(place: TablePlace, table: TableName, dates: Dates): string {
  const { columns } = tables[table];
  const isText = (type: string) => type === "DATE" || type === "TIMESTAMP";
  const fields = columns.map(({ name, type }) => `${name}: ${isText(type) ? "STRING" : type}`);
  const selected = columns.map(({ name, type }) => {
    const value = `r.${quotedName(name)}`;
    return `${isText(type) ? `CAST(${value} AS ${type})` : value} AS ${quotedName(name)}`;
  });
  const names = columns.map(({ name }) => quotedName(name));
  return `MERGE INTO ${quotedTable(place, table)} AS t
USING (
  SELECT ${selected.join(", ")}
  FROM (SELECT explode(from_json(:rows, 'ARRAY<STRUCT<${fields.join(", ")}>>')) AS r)
) AS s
ON t.event_id = s.event_id AND t.event_date = s.event_date
  AND t.event_date BETWEEN DATE'${dates.from}' AND DATE'${dates.to}'
WHEN NOT MATCHED THEN INSERT (${names.join(", ")}) VALUES (${names.map((name) => `s.${name}`).join(", ")})`;
}

/** How many of these events are there. */
export function countSql(
  place: TablePlace,
  table: TableName,
  { eventIds, dates }: { readonly eventIds: readonly string[]; readonly dates: Dates },
): string {
  return `SELECT count(*) AS num_rows FROM ${quotedTable(place, table)}
WHERE event_date BETWEEN DATE'${dates.from}' AND DATE'${dates.to}'
  AND event_id IN (${eventIds.map(quotedText).join(", ")})`;
}

/** The first and the last day of some rows. */
export type Dates = { readonly from: string; readonly to: string };

export type LoadedFiles = {
  /** Below `/Volumes/`. */
  readonly directory: string;
  readonly files: readonly string[];
  /** `JSON` holds one row a line: times in ISO 8601, maps as JSON text. */
  readonly format: "PARQUET" | "JSON";
};

/** Databricks loads each path once, so that running it again has no effect. */
export function copyIntoSql(
  place: TablePlace,
  table: TableName,
  { directory, files, format }: LoadedFiles,
): string {
  const selected = tables[table].columns.map(({ name, type }) => {
    const quoted = quotedName(name);
    if (format === "PARQUET" || type === "STRING") return quoted;
    const value =
      type === "MAP<STRING,STRING>"
        ? `from_json(${quoted}, 'MAP<STRING,STRING>')`
        : `CAST(${quoted} AS ${type})`;
    return `${value} AS ${quoted}`;
  });
  return `COPY INTO ${quotedTable(place, table)}
FROM (SELECT ${selected.join(", ")} FROM ${quotedText(directory)})
FILEFORMAT = ${format}
FILES = (${files.map(quotedText).join(", ")})`;
}

export function quotedName(name: string): string {
  return `\`${name.replaceAll("`", "``")}\``;
}

/** A text of Databricks SQL, in which a backslash begins an escape. */
export function quotedText(text: string): string {
  const escaped = text
    .replaceAll("\\", "\\\\")
    .replaceAll("'", "\\'")
    .replaceAll("\n", "\\n")
    .replaceAll("\r", "\\r")
    .replaceAll("\0", "\\0");
  return `'${escaped}'`;
}
