/**
 * What the export asks of a Databricks workspace, in memory: a volume, tables, and the statements
 * that make and load them. `workspace-model.test.ts` asks it and the local workspace the same and
 * compares the answers. What the export does not ask is refused, so that nothing is guessed.
 */
import {
  type Catalog,
  createSql,
  type Parameters,
  type Privilege,
  type Row,
  SqlRefused,
  volumeOf,
} from "./workspace-sql.ts";
import type { World } from "./world.ts";

export type WorkspaceModel = Catalog & {
  /** What somebody does who may do everything. */
  run(sql: string): Promise<void>;
  expireTokens(): void;
  /** Share of the statements that take long. */
  slowShare: number;
  /** Whether the secret by which tokens are got is refused. */
  isSecretExpired: boolean;
  answer(request: ModelRequest): Promise<ModelAnswer>;
};

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

const ok = (json: unknown = {}): ModelAnswer => ({ status: 200, json });

export type ModelOptions = {
  readonly origin: string;
  /** See `WorkspaceModel`. */
  readonly slowShare: number;
};

/** More than some statements are given. */
const SLOW_MAX_MS = 60_000;

export function createWorkspaceModel(
  world: Pick<World, "random" | "after" | "real">,
  { origin, slowShare }: ModelOptions,
): WorkspaceModel {
  const statements = new Map<string, Statement>();
  let ids = 0;
  let token = "token-0";
  let tokens = 0;

  const catalog: Catalog = {
    schemas: new Set(["ml.default"]),
    volumes: new Map(),
    tables: new Map(),
    dropped: new Map(),
    files: new Map(),
    revoked: new Set(),
  };
  const { schemas, volumes, tables, files, revoked } = catalog;
  const beginSql = createSql(catalog, { world, newId: () => `table-${ids++}` });

  const model: WorkspaceModel = {
    ...catalog,
    async run(sql) {
      const lacking = [...revoked];
      revoked.clear();
      const done = beginSql(sql)();
      for (const privilege of lacking) revoked.add(privilege);
      await done;
    },
    slowShare,
    isSecretExpired: false,
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
    if (!revoked.has(privilege)) return;
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
      if (model.isSecretExpired) {
        throw new Refused(401, "invalid_client", "The client secret has expired.");
      }
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
      return ok({ full_name: name, volume_id: volumes.get(name) });
    }
    if (kind === "volumes" && method === "POST") {
      const fullName = made(jsonOf(body));
      if (volumes.has(fullName)) {
        throw new Refused(400, "VOLUME_ALREADY_EXISTS", `Volume '${fullName}' already exists.`);
      }
      requireSchema(fullName.slice(0, fullName.lastIndexOf(".")));
      const id = `volume-${ids++}`;
      volumes.set(fullName, id);
      return ok({ full_name: fullName, volume_id: id });
    }
    if (kind === "tables" && method === "GET" && name === undefined) {
      const schema = `${query.get("catalog_name")}.${query.get("schema_name")}`;
      require("USE SCHEMA", schema);
      requireSchema(schema);
      const found = [...tables].filter(([fullName]) => fullName.startsWith(`${schema}.`));
      return ok({
        tables: found.map(([fullName, { id, columns }]) => ({
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
    const there = files.get(path);
    if (method === "HEAD") {
      require("READ VOLUME", path);
      if (!there) throw new Refused(404, "NOT_FOUND", `The file ${path} does not exist.`);
      return { status: 200, json: null, headers: { "content-length": String(there.length) } };
    }
    if (method === "DELETE") {
      require("WRITE VOLUME", path);
      if (!there) throw new Refused(404, "NOT_FOUND", `The file ${path} does not exist.`);
      files.delete(path);
      return { status: 204, json: null };
    }
    if (method !== "PUT") throw new Error(`the model of the workspace has no ${method} of a file`);
    require("WRITE VOLUME", path);
    const volume = volumeOf(path);
    if (!volumes.has(volume)) {
      throw new Refused(404, "VOLUME_DOES_NOT_EXIST", `Volume '${volume}' does not exist.`);
    }
    if (there && query.get("overwrite") !== "true") {
      throw new Refused(409, "ALREADY_EXISTS", `The file being created already exists: ${path}.`);
    }
    files.set(path, body);
    return { status: 204, json: null };
  }

  function list(path: string): ModelAnswer {
    require("READ VOLUME", path);
    const below = `${path.replace(/\/$/, "")}/`;
    const found = [...files].filter(([name]) => name.startsWith(below));
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
    const { statement: sql, parameters = [], ...asked } = jsonOf(body);
    require("CAN USE", "SQL warehouse");
    const end = beginSql(String(sql), parameters as Parameters);
    const statement = createStatement(`statement-${ids++}`, end);
    statements.set(statement.id, statement);
    const isSlow = !/^SELECT /.test(String(sql)) && world.random.next() < model.slowShare;
    const takesMs = isSlow ? world.random.between(1_000, SLOW_MAX_MS) : 0;
    if (asked.on_wait_timeout === "CANCEL") {
      const limitMs = Number.parseInt(String(asked.wait_timeout), 10) * 1000;
      await passed(Math.min(takesMs, limitMs));
      if (takesMs > limitMs) statement.cancel();
    } else if (isSlow) {
      world.after(takesMs, () => statement.run());
      return ok(statement.describe());
    }
    await statement.run();
    return ok(statement.describe());
  }

  function passed(durationMs: number): Promise<void> {
    if (durationMs === 0) return Promise.resolve();
    return new Promise((resolve) => {
      world.after(durationMs, resolve);
    });
  }

  return model;
}

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
