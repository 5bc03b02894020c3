/**
 * What the export asks of a Databricks workspace, in memory: a volume, tables, and the statements
 * that make and load them. `workspace-model.test.ts` asks it and the local workspace the same and
 * compares the answers. What the export does not ask is refused, so that nothing is guessed.
 */
import { readParquetRows } from "./parquet-rows.ts";
import type { World } from "./world.ts";

export type Row = Readonly<Record<string, unknown>>;

export type ModelTable = {
  readonly id: string;
  /** By name, as SQL writes types. */
  readonly columns: Map<string, string>;
  readonly rows: Row[];
  readonly loadedPaths: Set<string>;
};

export type WorkspaceModel = {
  /** By full name. */
  readonly tables: Map<string, ModelTable>;
  /** By path below `/Volumes/`. */
  readonly files: Map<string, Uint8Array>;
  /** Privileges that the exporter does not have now. */
  readonly revoked: Set<Privilege>;
  expireTokens(): void;
  answer(request: ModelRequest): Promise<ModelAnswer>;
};

export type Privilege = "WRITE VOLUME" | "MODIFY" | "USE SCHEMA" | "CAN USE";

export type ModelRequest = {
  readonly method: string;
  /** Without a query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly token: string | null;
  readonly body: Uint8Array;
};

export type ModelAnswer = {
  readonly status: number;
  readonly json: unknown;
  readonly headers?: Readonly<Record<string, string>>;
};

class Refused extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** A statement that has failed is no failed request. */
class SqlRefused extends Error {
  readonly sqlState: string;

  constructor(message: string, sqlState: string) {
    super(message);
    this.sqlState = sqlState;
  }
}

const ok = (json: unknown = {}): ModelAnswer => ({ status: 200, json });

export type ModelOptions = {
  readonly origin: string;
  /** Share of the statements that go on after the first answer. */
  readonly slowShare: number;
};

export function createWorkspaceModel(
  world: Pick<World, "random" | "after" | "real">,
  { origin, slowShare }: ModelOptions,
): WorkspaceModel {
  const schemas = new Set(["ml.default"]);
  const volumes = new Set<string>();
  const statements = new Map<string, Statement>();
  let ids = 0;
  let token = "token-0";
  let tokens = 0;

  const model: WorkspaceModel = {
    tables: new Map(),
    files: new Map(),
    revoked: new Set(),
    expireTokens() {
      token = `token-${++tokens}`;
    },
    async answer(request) {
      try {
        return await routeOf(request);
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        return refusal(error);
      }
    },
  };

  function require(privilege: Privilege, on: string): void {
    if (!model.revoked.has(privilege)) return;
    throw new Refused(403, "PERMISSION_DENIED", `User does not have ${privilege} on ${on}.`);
  }

  function requireSchema(name: string): void {
    if (schemas.has(name)) return;
    throw new Refused(404, "SCHEMA_DOES_NOT_EXIST", `Schema '${name}' does not exist.`);
  }

  async function routeOf(request: ModelRequest): Promise<ModelAnswer> {
    const { method, path } = request;
    if (path === "/oidc/.well-known/oauth-authorization-server") {
      return ok({ token_endpoint: `${origin}/oidc/v1/token` });
    }
    if (path === "/oidc/v1/token") {
      return ok({ access_token: token, token_type: "Bearer", expires_in: 3600 });
    }
    if (request.token !== token) {
      throw new Refused(401, "UNAUTHENTICATED", "Credential was not sent or is not valid.");
    }
    const catalog = /^\/api\/2\.1\/unity-catalog\/(schemas|volumes|tables)(?:\/(.+))?$/.exec(path);
    if (catalog) return unityCatalog(request, catalog[1] ?? "", catalog[2]);
    const file = /^\/api\/2\.0\/fs\/files(\/Volumes\/.+)$/.exec(path)?.[1];
    if (file !== undefined) return fileCall(request, decodeURIComponent(file));
    const directory = /^\/api\/2\.0\/fs\/directories(\/Volumes\/.+)$/.exec(path)?.[1];
    if (directory !== undefined && method === "GET") return list(decodeURIComponent(directory));
    if (path === "/api/2.0/sql/statements" && method === "POST") return submit(request);
    const [, id, isCancel] = /^\/api\/2\.0\/sql\/statements\/([^/]+)(\/cancel)?$/.exec(path) ?? [];
    const statement = id === undefined ? undefined : statements.get(id);
    if (statement && isCancel) {
      statement.cancel();
      return ok();
    }
    if (statement) return ok(statement.describe());
    throw new Error(`the model of the workspace has no ${method} ${path}`);
  }

  function unityCatalog(
    { method, query, body }: ModelRequest,
    kind: string,
    name: string | undefined,
  ): ModelAnswer {
    const made = (fields: Row) => `${fields.catalog_name}.${fields.schema_name}.${fields.name}`;
    if (kind === "schemas" && method === "GET" && name !== undefined) {
      requireSchema(name);
      return ok({ full_name: name });
    }
    if (kind === "schemas" && method === "POST") {
      const fields = jsonOf(body);
      const fullName = `${fields.catalog_name}.${fields.name}`;
      if (schemas.has(fullName)) {
        throw new Refused(400, "SCHEMA_ALREADY_EXISTS", `Schema '${fullName}' already exists.`);
      }
      schemas.add(fullName);
      return ok({ full_name: fullName });
    }
    if (kind === "volumes" && method === "GET" && name !== undefined) {
      require("USE SCHEMA", name);
      requireSchema(name.slice(0, name.lastIndexOf(".")));
      if (!volumes.has(name)) {
        throw new Refused(404, "VOLUME_DOES_NOT_EXIST", `Volume '${name}' does not exist.`);
      }
      return ok({ full_name: name });
    }
    if (kind === "volumes" && method === "POST") {
      const fullName = made(jsonOf(body));
      if (volumes.has(fullName)) {
        throw new Refused(400, "VOLUME_ALREADY_EXISTS", `Volume '${fullName}' already exists.`);
      }
      volumes.add(fullName);
      return ok({ full_name: fullName });
    }
    if (kind === "tables" && method === "GET" && name === undefined) {
      const schema = `${query.get("catalog_name")}.${query.get("schema_name")}`;
      require("USE SCHEMA", schema);
      requireSchema(schema);
      const tables = [...model.tables].filter(([fullName]) => fullName.startsWith(`${schema}.`));
      return ok({
        tables: tables.map(([fullName, { id, columns }]) => ({
          full_name: fullName,
          table_id: id,
          table_type: "MANAGED",
          columns: Array.from(columns, ([column, type]) => ({
            name: column,
            type_text: type.toLowerCase().replace(",", ", "),
            nullable: true,
          })),
        })),
      });
    }
    throw new Error(`the model of the workspace has no ${method} of ${kind}`);
  }

  function fileCall({ method, query, body }: ModelRequest, path: string): ModelAnswer {
    const there = model.files.get(path);
    if (method === "HEAD") {
      require("WRITE VOLUME", path);
      if (!there) throw new Refused(404, "NOT_FOUND", `The file ${path} does not exist.`);
      return { status: 200, json: null, headers: { "content-length": String(there.length) } };
    }
    if (method === "DELETE") {
      require("WRITE VOLUME", path);
      if (!there) throw new Refused(404, "NOT_FOUND", `The file ${path} does not exist.`);
      model.files.delete(path);
      return { status: 204, json: null };
    }
    if (method !== "PUT") throw new Error(`the model of the workspace has no ${method} of a file`);
    require("WRITE VOLUME", path);
    const volume = path.split("/").slice(2, 5).join(".");
    if (!volumes.has(volume)) {
      throw new Refused(404, "VOLUME_DOES_NOT_EXIST", `Volume '${volume}' does not exist.`);
    }
    if (there && query.get("overwrite") !== "true") {
      throw new Refused(409, "ALREADY_EXISTS", `The file being created already exists: ${path}.`);
    }
    model.files.set(path, body);
    return { status: 204, json: null };
  }

  function list(path: string): ModelAnswer {
    const below = `${path.replace(/\/$/, "")}/`;
    const found = [...model.files].filter(([name]) => name.startsWith(below));
    if (found.length === 0) throw new Refused(404, "NOT_FOUND", `No directory ${path}.`);
    return ok({
      contents: found.map(([name, bytes]) => ({
        path: name,
        name: name.slice(below.length),
        is_directory: false,
        file_size: bytes.length,
        last_modified: 0,
      })),
    });
  }

  // ─── SQL ──────────────────────────────────────────────────────────────────

  async function submit({ body }: ModelRequest): Promise<ModelAnswer> {
    const { statement: sql, parameters = [] } = jsonOf(body);
    require("CAN USE", "SQL warehouse");
    const statement = createStatement(`statement-${ids++}`, () =>
      runSql(String(sql), parameters as Parameters),
    );
    statements.set(statement.id, statement);
    if (world.random.next() < slowShare) {
      world.after(world.random.between(1_000, 90_000), () => statement.run());
    } else {
      await statement.run();
    }
    return ok(statement.describe());
  }

  async function runSql(sql: string, parameters: Parameters): Promise<readonly Row[]> {
    const create = /^CREATE TABLE IF NOT EXISTS (\S+) \((.*?)\n\) USING DELTA/s.exec(sql);
    if (create) {
      const fullName = unquoted(create[1] ?? "");
      sqlRequire("USE SCHEMA", fullName);
      if (model.tables.has(fullName)) return [];
      const columns = Array.from(
        (create[2] ?? "").matchAll(/^ {2}`(\w+)` ([A-Z<>,]+)/gm),
        ([, name = "", type = ""]) => [name, type] as const,
      );
      model.tables.set(fullName, {
        id: `table-${ids++}`,
        columns: new Map(columns),
        rows: [],
        loadedPaths: new Set(),
      });
      return [];
    }
    const add = /^ALTER TABLE (\S+) ADD COLUMNS \((.*)\)$/s.exec(sql);
    if (add) {
      const { columns } = writable(unquoted(add[1] ?? ""));
      for (const [, name = "", type = ""] of (add[2] ?? "").matchAll(/`(\w+)` ([A-Z<>,]+)/g)) {
        if (columns.has(name)) {
          throw new SqlRefused(`[FIELD_ALREADY_EXISTS] The column ${name} exists.`, "42710");
        }
        columns.set(name, type);
      }
      return [];
    }
    const copy =
      /^COPY INTO (\S+)\nFROM \(SELECT .* FROM '([^']+)'\)\nFILEFORMAT = PARQUET\nFILES = \(([^)]*)\)(\nCOPY_OPTIONS \('force' = 'true'\))?$/s.exec(
        sql,
      );
    if (copy) {
      const names = Array.from((copy[3] ?? "").matchAll(/'([^']+)'/g), ([, name]) => name ?? "");
      const paths = names.map((name) => `${copy[2]}/${name}`);
      return copyInto(unquoted(copy[1] ?? ""), paths, { force: copy[4] !== undefined });
    }
    const merge = /^MERGE INTO (\S+) AS t\n.*\nWHEN NOT MATCHED THEN INSERT /s.exec(sql);
    if (merge) return mergeInto(unquoted(merge[1] ?? ""), parameters);
    throw new Error(`the model of the workspace has no SQL like ${sql}`);
  }

  function writable(fullName: string): ModelTable {
    const table = model.tables.get(fullName);
    if (!table) {
      throw new SqlRefused(
        `[TABLE_OR_VIEW_NOT_FOUND] The table or view ${fullName} cannot be found.`,
        "42P01",
      );
    }
    sqlRequire("MODIFY", fullName);
    return table;
  }

  function sqlRequire(privilege: Privilege, on: string): void {
    if (!model.revoked.has(privilege)) return;
    throw new SqlRefused(
      `[INSUFFICIENT_PERMISSIONS] User does not have ${privilege} on ${on}.`,
      "42501",
    );
  }

  /** Those whose event is not there. */
  function mergeInto(fullName: string, parameters: Parameters): readonly Row[] {
    const table = writable(fullName);
    const known = new Set(table.rows.map(({ event_id: eventId }) => eventId));
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
    sqlRequire("WRITE VOLUME", paths[0] ?? "");
    const news = paths.filter((path) => force || !table.loadedPaths.has(path));
    const rows: Row[] = [];
    for (const path of news) {
      const bytes = model.files.get(path);
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
    for (const path of news) table.loadedPaths.add(path);
    return [{ num_affected_rows: rows.length, num_inserted_rows: rows.length }];
  }

  return model;
}

type Parameters = readonly { readonly name: string; readonly value: string }[];

type Statement = {
  readonly id: string;
  run(): Promise<void>;
  cancel(): void;
  describe(): unknown;
};

function createStatement(id: string, execute: () => Promise<readonly Row[]>): Statement {
  let state: unknown = { state: "RUNNING" };
  let isOver = false;
  let result: readonly Row[] | null = null;
  return {
    id,
    async run() {
      if (isOver) return;
      isOver = true;
      try {
        result = await execute();
        state = { state: "SUCCEEDED" };
      } catch (error) {
        if (!(error instanceof SqlRefused)) throw error;
        const { message, sqlState } = error;
        state = {
          state: "FAILED",
          error: { error_code: "BAD_REQUEST", message },
          sql_state: sqlState,
        };
      }
    },
    cancel() {
      if (isOver) return;
      isOver = true;
      state = { state: "CANCELED" };
    },
    describe() {
      if (!result) return { statement_id: id, status: state };
      const columns = Object.keys(result[0] ?? {}).map((name) => ({ name, type_name: "LONG" }));
      const rows = result.map((row) => Object.values(row).map(String));
      return {
        statement_id: id,
        status: state,
        manifest: { schema: { columns }, total_row_count: rows.length },
        result: { chunk_index: 0, data_array: rows },
      };
    },
  };
}

function refusal({ status, code, message }: Refused): ModelAnswer {
  return { status, json: { error_code: code, message } };
}

function jsonOf(body: Uint8Array): Row {
  return JSON.parse(new TextDecoder().decode(body)) as Row;
}

function unquoted(name: string): string {
  return name.replaceAll("`", "");
}
