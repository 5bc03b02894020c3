/**
 * The statements that the model of the workspace knows: those that an export runs, and those by
 * which people change under it what it writes to. What neither asks is refused, so that nothing
 * is guessed.
 */
import { readParquetRows } from "./parquet-rows.ts";
import type { World } from "./world.ts";

export type Row = Readonly<Record<string, unknown>>;

export type ModelTable = {
  readonly id: string;
  /** By name, as SQL writes types. */
  readonly columns: Map<string, string>;
  /** Names of columns that say what they hold. */
  readonly commented: Set<string>;
  readonly clusteredBy: string;
  readonly rows: Row[];
  /** Paths, each with the volume that it was in. */
  readonly loadedPaths: Set<string>;
};

export type Privilege =
  | "READ VOLUME"
  | "WRITE VOLUME"
  | "MODIFY"
  | "SELECT"
  | "USE SCHEMA"
  | "CAN USE";

/** What there is in the workspace. */
export type Catalog = {
  readonly schemas: Set<string>;
  /** By full name their ids: one that was made anew under a name has another. */
  readonly volumes: Map<string, string>;
  /** By full name. */
  readonly tables: Map<string, ModelTable>;
  /** What was dropped last under a name. */
  readonly dropped: Map<string, ModelTable>;
  /** By path below `/Volumes/`. */
  readonly files: Map<string, Uint8Array>;
  /** Privileges that the exporter does not have now. */
  readonly revoked: Set<Privilege>;
};

export type Parameters = readonly { readonly name: string; readonly value: string }[];

/** A statement that has failed is no failed request. */
export class SqlRefused extends Error {
  readonly sqlState: string;

  constructor(message: string, sqlState: string) {
    super(message);
    this.sqlState = sqlState;
  }
}

/** Rows, where it tells any. @param known events that were in the table when it began. */
type Statement = (
  found: RegExpExecArray,
  parameters: Parameters,
  known: ReadonlySet<unknown>,
) => unknown;

/** Begins, and returns what ends it. */
export type BeginSql = (sql: string, parameters?: Parameters) => () => Promise<readonly Row[]>;

const COLUMN = /`(\w+)` ([A-Z<>,]+)(?: NOT NULL)?( COMMENT ')?/g;

/** @param newId of a table. */
export function createSql(
  catalog: Catalog,
  { world, newId }: { readonly world: Pick<World, "real">; readonly newId: () => string },
): BeginSql {
  const { schemas, volumes, tables, dropped, files, revoked } = catalog;

  const statements: readonly (readonly [RegExp, Statement])[] = [
    // ─── What an export runs ──────────────────────────────────────────────
    [
      /^CREATE TABLE IF NOT EXISTS (\S+) \((.*?)\n\) USING DELTA\nCLUSTER BY \(([^)]*)\)/s,
      ([, name = "", columns = "", clusteredBy = ""]) => {
        const fullName = unquoted(name);
        demand("USE SCHEMA", fullName);
        requireSchema(fullName);
        if (tables.has(fullName)) return;
        const found = [...columns.matchAll(COLUMN)];
        tables.set(fullName, {
          id: newId(),
          columns: new Map(found.map(([, column = "", type = ""]) => [column, type])),
          commented: new Set(
            found.flatMap(([, column = "", , comment]) => (comment ? column : [])),
          ),
          clusteredBy,
          rows: [],
          loadedPaths: new Set(),
        });
      },
    ],
    [
      /^ALTER TABLE (\S+) ADD COLUMNS \((.*)\)$/s,
      ([, name = "", added = ""]) => {
        const table = writable(unquoted(name));
        for (const [, column = "", type = "", comment] of added.matchAll(COLUMN)) {
          if (table.columns.has(column)) {
            throw new SqlRefused(`[FIELD_ALREADY_EXISTS] The column ${column} exists.`, "42710");
          }
          table.columns.set(column, type);
          if (comment) table.commented.add(column);
        }
      },
    ],
    [
      /^COPY INTO (\S+)\nFROM \(SELECT .* FROM '([^']+)'\)\nFILEFORMAT = PARQUET\nFILES = \(([^)]*)\)(\nCOPY_OPTIONS \('force' = 'true'\))?$/s,
      ([, name = "", directory, listed = "", force]) => {
        const names = Array.from(
          listed.matchAll(/'([^']+)'/g),
          ([, file]) => `${directory}/${file}`,
        );
        return copyInto(unquoted(name), names, { force: force !== undefined });
      },
    ],
    [
      /^MERGE INTO (\S+) AS t\n.*\nWHEN NOT MATCHED THEN INSERT \(([^)]*)\)/s,
      ([sql, name = "", columns = ""], parameters, known) =>
        mergeInto(unquoted(name), unquoted(columns).split(", "), {
          parameters,
          known: sql.includes("\nON t.event_id = s.event_id AND ") ? known : new Set(),
        }),
    ],
    [/^SELECT 1$/, () => [{ "1": 1 }]],

    [
      /^SELECT count\(\*\) AS num_rows FROM (\S+)\nWHERE .*\n {2}AND event_id IN \((.*)\)$/s,
      ([, name = "", listed = ""]) => {
        const table = tableOf(unquoted(name));
        demand("USE SCHEMA", unquoted(name));
        demand("SELECT", unquoted(name));
        const asked = new Set(Array.from(listed.matchAll(/'([^']+)'/g), ([, eventId]) => eventId));
        const found = table.rows.filter(({ event_id: eventId }) => asked.has(String(eventId)));
        return [{ num_rows: found.length }];
      },
    ],

    // ─── What people do ───────────────────────────────────────────────────
    [/^DROP TABLE (\S+)$/, ([, name = ""]) => drop(unquoted(name))],
    [
      /^DROP SCHEMA (\S+) CASCADE$/,
      ([, name = ""]) => {
        const below = `${unquoted(name)}.`;
        for (const table of [...tables.keys()]) if (table.startsWith(below)) drop(table);
        for (const volume of [...volumes.keys()]) if (volume.startsWith(below)) dropVolume(volume);
        schemas.delete(unquoted(name));
      },
    ],
    [/^DROP VOLUME (\S+)$/, ([, name = ""]) => dropVolume(unquoted(name))],
    [/^CREATE SCHEMA IF NOT EXISTS (\S+)$/, ([, name = ""]) => schemas.add(unquoted(name))],
    [
      /^UNDROP TABLE (\S+)$/,
      ([, name = ""]) => {
        const table = dropped.get(name);
        requireSchema(name);
        if (tables.has(name) || !table) {
          throw new SqlRefused(
            `[TABLE_OR_VIEW_ALREADY_EXISTS] ${name} can't be undropped.`,
            "42P07",
          );
        }
        tables.set(name, table);
        dropped.delete(name);
      },
    ],
    [
      /^ALTER TABLE (\S+) RENAME TO (\S+)$/,
      ([, name = "", to = ""]) => {
        tables.set(to, tableOf(name));
        tables.delete(name);
      },
    ],
    [
      /^ALTER TABLE (\S+) DROP COLUMN (\w+)$/,
      ([, name = "", column = ""]) => tableOf(name).columns.delete(column),
    ],
    // In Databricks this takes a new table, or an overwritten one.
    [
      /^ALTER TABLE (\S+) ALTER COLUMN (\w+) TYPE (\S+)$/,
      ([, name = "", column = "", type = ""]) => tableOf(name).columns.set(column, type),
    ],
    [
      /^ALTER TABLE (\S+) RENAME COLUMN (\w+) TO (\w+)$/,
      ([, name = "", column = "", to = ""]) => {
        const { columns, commented } = tableOf(name);
        columns.set(to, columns.get(column) ?? "STRING");
        columns.delete(column);
        if (commented.delete(column)) commented.add(to);
      },
    ],
  ];

  function requireSchema(fullName: string): void {
    const schema = fullName.slice(0, fullName.lastIndexOf("."));
    if (schemas.has(schema)) return;
    throw new SqlRefused(`[SCHEMA_NOT_FOUND] The schema ${schema} cannot be found.`, "42704");
  }

  function tableOf(fullName: string): ModelTable {
    const table = tables.get(fullName);
    if (table) return table;
    throw new SqlRefused(
      `[TABLE_OR_VIEW_NOT_FOUND] The table or view ${fullName} cannot be found.`,
      "42P01",
    );
  }

  function writable(fullName: string): ModelTable {
    const table = tableOf(fullName);
    demand("USE SCHEMA", fullName);
    demand("MODIFY", fullName);
    return table;
  }

  function demand(privilege: Privilege, on: string): void {
    if (!revoked.has(privilege)) return;
    throw new SqlRefused(
      `[INSUFFICIENT_PERMISSIONS] User does not have ${privilege} on ${on}.`,
      "42501",
    );
  }

  function drop(fullName: string): void {
    dropped.set(fullName, tableOf(fullName));
    tables.delete(fullName);
  }

  function dropVolume(fullName: string): void {
    const below = `/Volumes/${fullName.replaceAll(".", "/")}/`;
    for (const path of [...files.keys()]) if (path.startsWith(below)) files.delete(path);
    volumes.delete(fullName);
  }

  /**
   * Those whose event was not there when it began. Whether Databricks lets two at once add one each
   * it does not say: here it does.
   */
  function mergeInto(
    fullName: string,
    columns: readonly string[],
    {
      parameters,
      known,
    }: { readonly parameters: Parameters; readonly known: ReadonlySet<unknown> },
  ): readonly Row[] {
    const table = writable(fullName);
    demand("SELECT", fullName);
    const unknown = columns.find((column) => !table.columns.has(column));
    if (unknown !== undefined) {
      throw new SqlRefused(
        `[UNRESOLVED_COLUMN.WITH_SUGGESTION] A column ${unknown} cannot be resolved.`,
        "42703",
      );
    }
    const text = parameters.find(({ name }) => name === "rows")?.value ?? "[]";
    const given = JSON.parse(text) as readonly Row[];
    const news = given.filter(({ event_id: eventId }) => !known.has(eventId));
    table.rows.push(...news);
    return [{ num_affected_rows: news.length, num_inserted_rows: news.length }];
  }

  /** All of the files in one commit, or none. */
  async function copyInto(
    fullName: string,
    paths: readonly string[],
    { force }: { readonly force: boolean },
  ): Promise<readonly Row[]> {
    const table = writable(fullName);
    demand("READ VOLUME", paths[0] ?? "");
    // Whether a path of a volume that was made anew is known is told nowhere: here it is not.
    const keyOf = (path: string) => `${volumes.get(volumeOf(path))} ${path}`;
    const news = paths.filter((path) => force || !table.loadedPaths.has(keyOf(path)));
    const rows: Row[] = [];
    for (const path of news) {
      const bytes = files.get(path);
      if (!bytes) throw new SqlRefused(`[PATH_NOT_FOUND] Path does not exist: ${path}.`, "42K03");
      const read = await world.real(readParquetRows(bytes));
      if (!read) throw new SqlRefused(`[FAILED_READ_FILE] ${path} is no Parquet file.`, "KD001");
      for (const [name, type] of read.columns) {
        const there = table.columns.get(name);
        if (there === type) continue;
        throw new SqlRefused(
          there === undefined
            ? `[DELTA_METADATA_MISMATCH] The files have a column ${name} that the table does not have.`
            : `[DELTA_FAILED_TO_MERGE_FIELDS] Failed to merge field ${name}: ${there}, ${type}.`,
          "42KDG",
        );
      }
      rows.push(...read.rows);
    }
    table.rows.push(...rows);
    for (const path of news) table.loadedPaths.add(keyOf(path));
    return [{ num_affected_rows: rows.length, num_inserted_rows: rows.length }];
  }

  function eventsIn(fullName: string): ReadonlySet<unknown> {
    return new Set(tables.get(fullName)?.rows.map(({ event_id: eventId }) => eventId));
  }

  return (sql, parameters = []) => {
    for (const [pattern, run] of statements) {
      const found = pattern.exec(sql);
      if (!found) continue;
      const known = sql.startsWith("MERGE ") ? eventsIn(unquoted(found[1] ?? "")) : new Set();
      return async () => {
        const told = await run(found, parameters, known);
        return Array.isArray(told) ? told : [];
      };
    }
    throw new Error(`the model of the workspace has no SQL like ${sql}`);
  };
}

/** The full name of the volume that a path is in. */
export function volumeOf(path: string): string {
  return path.split("/").slice(2, 5).join(".");
}

function unquoted(name: string): string {
  return name.replaceAll("`", "");
}
