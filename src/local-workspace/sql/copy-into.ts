/**
 * `COPY INTO`: loads the files of a volume that were not loaded before. Which were is
 * written into the same commit of the table's log as their rows (a `txn` for each
 * path), so a crash leaves both or neither, and a second run loads nothing twice.
 *
 * Source: Databricks SQL reference, "COPY INTO". Types are as strict as Delta's
 * appends: a text becomes no TIMESTAMP unless a SELECT casts it.
 */
import { readdir } from "node:fs/promises";
import { join, matchesGlob } from "node:path";
import { type Column, type DataType, duckDbType, quoteDuckDb, typeText } from "./data-type.ts";
import { quoteText, writeDataFiles } from "./delta/data-files.ts";
import { prepareQuery } from "./read-table.ts";
import { quoted, type Run, type SqlResult } from "./run.ts";
import { notFound, SqlError, unsupported } from "./sql-error.ts";
import type { Statement } from "./statement.ts";
import { castTo, describeQuery, type QueryColumn, refuseNulls } from "./store-value.ts";
import {
  changeExisting,
  countsResult,
  findWritable,
  layoutOf,
  withColumns,
} from "./write-table.ts";

type CopyInto = Extract<Statement, { kind: "copy into" }>;

type SourceFile = {
  /** As Databricks names it: `/Volumes/…`. */
  readonly path: string;
  readonly local: string;
};

/** Of one statement; Databricks advises Auto Loader for more. */
const FILES_MAX = 10_000;

const TRANSACTION_PREFIX = "copy-into:";

/** How the SELECT of `FROM (SELECT … FROM '/Volumes/…')` names the files while it is translated. */
const FILES = "__files";

export async function copyInto(run: Run, statement: CopyInto): Promise<SqlResult> {
  const options = readOptions(statement);
  const table = findWritable(run, statement.path);
  const found = await listFiles(run, statement);
  let loadedRows = 0;
  await changeExisting(run, table, async (snapshot) => {
    loadedRows = 0;
    const files = found.filter(
      ({ path }) => options.force || !snapshot.transactions.has(TRANSACTION_PREFIX + path),
    );
    if (files.length === 0) return null;
    const query = await sourceQuery(run, statement, { files, options });
    const given = await describeQuery(run.connection, query);
    const layout = layoutOf(snapshot, table.tableDir);
    const columns = mergeColumns(layout.columns, given, options.mergeSchema);
    const rows = quoteDuckDb(run.newName());
    const selected = columns.map((column) => {
      const source = given.find(({ name }) => name.toLowerCase() === column.name.toLowerCase());
      const value = source ? quoteDuckDb(source.name) : "NULL";
      return `${castTo(value, column.type)} AS ${quoteDuckDb(column.name)}`;
    });
    await run.connection.run(
      `CREATE TEMP TABLE ${rows} AS SELECT ${selected.join(", ")} FROM (${query})`,
    );
    await refuseNulls(run.connection, rows, columns);
    const counted = await run.connection.runAndReadAll(`SELECT count(*) FROM ${rows}`);
    loadedRows = Number(counted.getRows()[0]?.[0]);
    const added = await writeDataFiles(
      run.connection,
      `SELECT * FROM ${rows}`,
      { ...layout, columns },
      run.nowMs,
    );
    const isWider = columns.length > layout.columns.length;
    return {
      actions: [
        ...(isWider ? [{ metaData: withColumns(snapshot.metadata, columns) }] : []),
        ...files.map(({ path }) => ({
          txn: { appId: TRANSACTION_PREFIX + path, version: 1, lastUpdated: run.nowMs },
        })),
        ...added.map((add) => ({ add })),
      ],
      operation: "COPY INTO",
      parameters: { mode: "Append", files: files.length },
      metrics: { numFiles: added.length, numOutputRows: loadedRows },
      isBlindAppend: !isWider,
    };
  });
  return countsResult({
    num_affected_rows: loadedRows,
    num_inserted_rows: loadedRows,
    num_skipped_corrupt_files: 0,
  });
}

type Options = {
  readonly mergeSchema: boolean;
  readonly force: boolean;
  readonly format: Readonly<Record<string, string>>;
};

const formatOptions: Readonly<Record<CopyInto["format"], readonly string[]>> = {
  PARQUET: ["mergeschema"],
  JSON: ["mergeschema", "multiline"],
  CSV: ["mergeschema", "header", "delimiter", "sep", "inferschema", "quote", "escape", "nullvalue"],
};

function readOptions(statement: CopyInto): Options {
  const lower = (given: Readonly<Record<string, string>>) =>
    Object.fromEntries(
      Object.entries(given).map(([key, value]) => [key.toLowerCase(), value.toString()]),
    );
  const format = lower(statement.formatOptions);
  const copy = lower(statement.copyOptions);
  const unknown =
    Object.keys(format).find((key) => !formatOptions[statement.format].includes(key)) ??
    Object.keys(copy).find((key) => !["mergeschema", "force"].includes(key));
  if (unknown) throw unsupported(`COPY INTO with the option ${unknown}`);
  const isOn = (value: string | undefined) => value?.toLowerCase() === "true";
  return { mergeSchema: isOn(copy.mergeschema), force: isOn(copy.force), format };
}

async function listFiles(run: Run, { from, files, pattern }: CopyInto): Promise<SourceFile[]> {
  const [, catalog, schema, volume, rest = ""] =
    /^(?:dbfs:)?\/Volumes\/([^/]+)\/([^/]+)\/([^/]+)(?:\/(.*))?$/.exec(from) ?? [];
  if (!catalog || !schema || !volume) {
    throw unsupported(`COPY INTO from anywhere but a volume (/Volumes/…), such as '${from}'`);
  }
  const fullName = `${catalog}.${schema}.${volume}`.toLowerCase();
  if (!run.catalog.hasVolume(fullName)) throw notFound("volume", quoted(fullName));
  run.catalog.require(run.session.principal, "READ_VOLUME", { type: "volume", fullName });
  const root = `/Volumes/${fullName.replaceAll(".", "/")}`;
  const base = rest.replace(/\/+$/, "");
  const source = (relative: string): SourceFile => ({
    path: `${root}/${relative}`,
    local: run.catalog.volumePath(fullName, relative),
  });
  if (files) {
    return files.map((file) => source(base === "" ? file : `${base}/${file}`));
  }
  const found = await filesBelow(run, fullName, base);
  if (found === null) {
    throw new SqlError("PATH_NOT_FOUND", `Path does not exist: ${from}.`, { sqlState: "42K03" });
  }
  const chosen = found
    .filter((relative) => {
      const below = base === "" ? relative : relative.slice(base.length + 1);
      return pattern === null || matchesGlob(below, pattern) || relative === base;
    })
    .sort();
  if (chosen.length > FILES_MAX) throw unsupported(`COPY INTO of more than ${FILES_MAX} files`);
  return chosen.map(source);
}

/** Relative to the volume; hidden names are left out, as Spark does. `null`: there is nothing. */
async function filesBelow(run: Run, volume: string, base: string): Promise<string[] | null> {
  const local = run.catalog.volumePath(volume, base);
  try {
    const entries = await readdir(local, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(base, join(entry.parentPath, entry.name).slice(local.length + 1)))
      .filter((path) => !path.split("/").some((part) => /^[._]/.test(part)));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOTDIR") return [base];
    if (code === "ENOENT") return null;
    throw error;
  }
}

async function sourceQuery(
  run: Run,
  { format, select }: CopyInto,
  { files, options }: { readonly files: readonly SourceFile[]; readonly options: Options },
): Promise<string> {
  const paths = `[${files.map(({ local }) => quoteText(local)).join(", ")}]`;
  const reader = await readerOf(run, format, { paths, options });
  if (select === null) return `SELECT * EXCLUDE (__path) FROM (${reader})`;
  const named = run.newName();
  const cases = files.map(({ local, path }) => `WHEN ${quoteText(local)} THEN ${quoteText(path)}`);
  await run.connection.run(
    `CREATE TEMP VIEW ${quoteDuckDb(named)} AS SELECT * EXCLUDE (__path),
      struct_pack(file_path := CASE __path ${cases.join(" ")} END,
        file_name := parse_filename(__path)) AS _metadata FROM (${reader})`,
  );
  const query = `${select.before} FROM ${FILES} ${select.after}`;
  const prepared = await prepareQuery(run, query, { own: new Map([[FILES, named]]) });
  // `_metadata` is there to be asked for; a star does not bring it.
  const given = await describeQuery(run.connection, prepared);
  const isStarred =
    given.some(({ name }) => name === "_metadata") && /(^|[\s,])\*/.test(select.before);
  return isStarred ? `SELECT * EXCLUDE (_metadata) FROM (${prepared})` : prepared;
}

async function readerOf(
  run: Run,
  format: CopyInto["format"],
  { paths, options }: { readonly paths: string; readonly options: Options },
): Promise<string> {
  switch (format) {
    case "PARQUET":
      return `SELECT * FROM read_parquet(${paths}, union_by_name = true, hive_partitioning = false, filename = '__path')`;
    case "JSON": {
      const layout = options.format.multiline === "true" ? "auto" : "newline_delimited";
      const reading = `${paths}, format = '${layout}', union_by_name = true, hive_partitioning = false, map_inference_threshold = -1, sample_size = -1`;
      const inferred = await describeQuery(run.connection, `SELECT * FROM read_json(${reading})`);
      if (inferred.length === 0) return `SELECT NULL AS __path WHERE false`;
      const columns = inferred.map(
        ({ name, type }) => `${quoteText(name)}: ${quoteText(duckDbType(withoutTimes(type)))}`,
      );
      return `SELECT * FROM read_json(${reading}, filename = '__path', columns = {${columns.join(", ")}})`;
    }
    case "CSV": {
      const { header, delimiter, sep, inferschema, quote, nullvalue } = options.format;
      const hasHeader = header === "true";
      const reading = [
        paths,
        `header = ${hasHeader}`,
        `delim = ${quoteText(delimiter ?? sep ?? ",")}`,
        `quote = ${quoteText(quote ?? '"')}`,
        `escape = ${quoteText(options.format.escape ?? "\\")}`,
        `nullstr = ${quoteText(nullvalue ?? "")}`,
        `all_varchar = ${inferschema !== "true"}`,
        "union_by_name = true",
        "hive_partitioning = false",
        "filename = '__path'",
      ].join(", ");
      if (hasHeader) return await narrowed(run, `SELECT * FROM read_csv(${reading})`);
      const given = await describeQuery(
        run.connection,
        `SELECT * EXCLUDE (__path) FROM read_csv(${reading})`,
      );
      const names = given.map(({ name }, index) => `${quoteDuckDb(name)} AS "_c${index}"`);
      return await narrowed(
        run,
        `SELECT ${[...names, "__path"].join(", ")} FROM read_csv(${reading})`,
      );
    }
  }
}

const INT_MAX = 2_147_483_647n;

/** Where types are inferred, Spark takes INT for numbers that fit and DuckDB always BIGINT. */
async function narrowed(run: Run, query: string): Promise<string> {
  const longs = (await describeQuery(run.connection, query))
    .filter(({ type }) => type.kind === "primitive" && type.name === "long")
    .map(({ name }) => quoteDuckDb(name));
  if (longs.length === 0) return query;
  const sizes = longs.map((name) => `max(greatest(${name}, -1 - ${name}))`);
  const result = await run.connection.runAndReadAll(`SELECT ${sizes.join(", ")} FROM (${query})`);
  const [row = []] = result.getRows();
  const casts = longs
    .filter((_, index) => BigInt(String(row[index] ?? 0)) <= INT_MAX)
    .map((name) => `CAST(${name} AS INTEGER) AS ${name}`);
  return casts.length === 0 ? query : `SELECT * REPLACE (${casts.join(", ")}) FROM (${query})`;
}

/** Spark leaves texts that look like times as they are. */
function withoutTimes(type: DataType): DataType {
  switch (type.kind) {
    case "primitive":
      return type.name === "date" || type.name === "timestamp"
        ? { kind: "primitive", name: "string" }
        : type;
    case "array":
      return { ...type, element: withoutTimes(type.element) };
    case "map":
      return { ...type, key: withoutTimes(type.key), value: withoutTimes(type.value) };
    case "struct":
      return {
        ...type,
        fields: type.fields.map((field) => ({ ...field, type: withoutTimes(field.type) })),
      };
    default:
      return type;
  }
}

/** The table's columns, and with `mergeSchema` those that only the files have. */
function mergeColumns(
  columns: readonly Column[],
  given: readonly QueryColumn[],
  mergeSchema: boolean,
): Column[] {
  const added: Column[] = [];
  for (const { name, type } of given) {
    const column = columns.find((one) => one.name.toLowerCase() === name.toLowerCase());
    if (!column) {
      if (!mergeSchema) {
        throw new SqlError(
          "DELTA_METADATA_MISMATCH.SCHEMA_MISMATCH",
          `A schema mismatch detected when writing to the Delta table: the files have a column \`${name}\` (${typeText(type)}) that the table does not have. COPY_OPTIONS ('mergeSchema' = 'true') adds it.`,
          { sqlState: "42KDG" },
        );
      }
      added.push({ name, type, nullable: true, metadata: {} });
    } else if (!isStorable(type, column.type)) {
      throw new SqlError(
        "DELTA_FAILED_TO_MERGE_FIELDS",
        `Failed to merge fields '${column.name}' and '${name}': the table has ${typeText(column.type)}, the files have ${typeText(type)}. Cast it in FROM (SELECT … FROM '…').`,
        { sqlState: "22005" },
      );
    }
  }
  return [...columns, ...added];
}

const widerNumbers = ["byte", "short", "integer", "long"];

function isStorable(from: DataType, to: DataType): boolean {
  if (from.kind === "primitive" && to.kind === "primitive") {
    const [narrow, wide] = [widerNumbers.indexOf(from.name), widerNumbers.indexOf(to.name)];
    if (narrow !== -1 && wide !== -1) return narrow <= wide;
    return from.name === to.name || (from.name === "float" && to.name === "double");
  }
  if (from.kind === "decimal" && to.kind === "decimal") {
    return from.scale <= to.scale && from.precision - from.scale <= to.precision - to.scale;
  }
  if (from.kind === "array" && to.kind === "array") return isStorable(from.element, to.element);
  if (from.kind === "map" && to.kind === "map") {
    return isStorable(from.key, to.key) && isStorable(from.value, to.value);
  }
  if (from.kind === "struct" && to.kind === "struct") {
    return from.fields.every((field) => {
      const target = to.fields.find(({ name }) => name.toLowerCase() === field.name.toLowerCase());
      return target !== undefined && isStorable(field.type, target.type);
    });
  }
  return false;
}
