/**
 * SQL over HTTP: the Statement Execution API and the warehouse that it names. A
 * statement that fails is answered with status 200 and state FAILED.
 *
 * Source: databricks-sdk-py 0.156.0, `databricks/sdk/service/sql.py`. The words of the
 * refusals are assumed.
 */
import { randomBytes } from "node:crypto";
import { z } from "zod";
import type { Principal } from "../access/principals.ts";
import type { WorkspaceApi, WorkspaceContext } from "../core/context.ts";
import { readBody } from "../core/request.ts";
import { Refusal } from "../databricks-error.ts";
import { typeName, typeText } from "./data-type.ts";
import type { SqlResult } from "./run.ts";
import { SqlError } from "./sql-error.ts";
import { createStatementStore, type KeptStatement } from "./statement-store.ts";
import {
  AUTO_STOP_MINUTES,
  createWarehouse,
  WAREHOUSE_ID,
  WAREHOUSE_NAME,
  type Warehouse,
} from "./warehouse.ts";

const STATEMENTS = "/api/2.0/sql/statements";
const WAREHOUSES = "/api/2.0/sql/warehouses";
/** Open to whoever has the link, as cloud storage is. */
const LINKS = "/local-workspace/statement-results";

const STATEMENT_MAX_CHARS = 16 * 1024 * 1024;
const INLINE_MAX_BYTES = 25 * 1024 * 1024;
const CHUNK_MAX_BYTES = 4 * 1024 * 1024;
const LINK_LIFETIME_MS = 15 * 60 * 1000;
const WAIT_DEFAULT_S = 10;

const execute = z.looseObject({
  statement: z.string().min(1).max(STATEMENT_MAX_CHARS),
  warehouse_id: z.string(),
  catalog: z.string().optional(),
  schema: z.string().optional(),
  parameters: z
    .array(
      z.looseObject({
        name: z.string(),
        value: z.string().nullish(),
        type: z.string().optional(),
      }),
    )
    .optional(),
  wait_timeout: z.string().optional(),
  on_wait_timeout: z.enum(["CONTINUE", "CANCEL"]).default("CONTINUE"),
  disposition: z.enum(["INLINE", "EXTERNAL_LINKS"]).default("INLINE"),
  format: z.enum(["JSON_ARRAY", "ARROW_STREAM", "CSV"]).default("JSON_ARRAY"),
  row_limit: z.number().int().positive().optional(),
  byte_limit: z.number().int().positive().optional(),
});

type Disposition = z.output<typeof execute>["disposition"];

type Answered = {
  readonly statement: KeptStatement;
  readonly disposition: Disposition;
  chunks: readonly Chunk[] | null;
};

type Chunk = {
  readonly index: number;
  readonly rowOffset: number;
  readonly rows: SqlResult["rows"];
  readonly bytes: number;
};

export const sqlStatements: WorkspaceApi = {
  name: "SQL statements",
  mount(routes, context) {
    const { clock, permissions, behaviour } = context;
    const warehouse = createWarehouse(clock, () => behaviour.warehouseStartMs);
    const store = createStatementStore({ engine: context.sql, clock });
    const answered = new WeakMap<KeptStatement, Answered>();
    const resource = { type: "warehouses", id: WAREHOUSE_ID } as const;
    // As the warehouse that a new Databricks workspace has: for everybody.
    if (permissions.entries(resource).length === 0) {
      permissions.merge(resource, [{ principal: "users", level: "CAN_USE" }]);
    }
    const links = createLinks(context);

    routes.post(STATEMENTS, async (c) => {
      const body = await readBody(c, execute);
      const principal = c.get("principal");
      requireWarehouse(body.warehouse_id);
      permissions.require(principal, "CAN_USE", resource, `SQL warehouse '${WAREHOUSE_ID}'`);
      const waitMs = waitTimeoutMs(body.wait_timeout);
      refuseCombination(body);
      const limits = { rowLimit: body.row_limit, byteLimit: body.byte_limit };
      const statement = store.start(
        {
          sql: body.statement,
          parameters: body.parameters,
          session: {
            principal,
            catalog: (body.catalog ?? "main").toLowerCase(),
            schema: (body.schema ?? "default").toLowerCase(),
          },
          limits,
        },
        {
          warehouse: warehouse.start(),
          check: (result) => refuseLargeInline(result, body.disposition),
        },
      );
      answered.set(statement, { statement, disposition: body.disposition, chunks: null });
      const isEnded = await endsWithin(context, statement, waitMs);
      if (!isEnded && waitMs > 0 && body.on_wait_timeout === "CANCEL") statement.cancel();
      return c.json(describe(find(statement.id, principal)));
    });

    routes.get(`${STATEMENTS}/:statementId`, (c) =>
      c.json(describe(find(c.req.param("statementId"), c.get("principal")))),
    );

    routes.get(`${STATEMENTS}/:statementId/result/chunks/:chunkIndex`, (c) => {
      const found = find(c.req.param("statementId"), c.get("principal"));
      if (found.statement.state !== "SUCCEEDED") {
        throw new Refusal(
          "BAD_REQUEST",
          `Statement ${found.statement.id} is ${found.statement.state}: it has no result.`,
        );
      }
      const chunk = chunksOf(found)[Number(c.req.param("chunkIndex"))];
      if (!chunk) {
        throw new Refusal(
          "INVALID_PARAMETER_VALUE",
          `The result has no chunk ${c.req.param("chunkIndex")}.`,
        );
      }
      return c.json(resultData(found, chunk));
    });

    routes.post(`${STATEMENTS}/:statementId/cancel`, (c) => {
      find(c.req.param("statementId"), c.get("principal")).statement.cancel();
      return c.json({});
    });

    routes.get(WAREHOUSES, (c) => c.json({ warehouses: [describeWarehouse(warehouse, context)] }));
    routes.get(`${WAREHOUSES}/:id`, (c) => {
      requireWarehouse(c.req.param("id"));
      return c.json(describeWarehouse(warehouse, context));
    });
    routes.post(`${WAREHOUSES}/:id/start`, (c) => {
      requireWarehouse(c.req.param("id"));
      void warehouse.start();
      return c.json({});
    });
    routes.post(`${WAREHOUSES}/:id/stop`, (c) => {
      requireWarehouse(c.req.param("id"));
      warehouse.stop();
      return c.json({});
    });

    function find(id: string, { name, isAdmin }: Principal): Answered {
      const statement = store.find(id);
      const known = statement && answered.get(statement);
      if (!known || (known.statement.owner !== name && !isAdmin)) {
        throw new Refusal("RESOURCE_DOES_NOT_EXIST", `Statement ${id} does not exist.`, {
          status: 404,
        });
      }
      return known;
    }

    function describe(found: Answered) {
      const { statement } = found;
      const { id, state, error, result } = statement;
      const status = {
        state,
        ...(error ? { error: { error_code: error.errorCode, message: error.message } } : {}),
        ...(error?.sqlState ? { sql_state: error.sqlState } : {}),
      };
      if (state !== "SUCCEEDED" || !result) return { statement_id: id, status };
      const chunks = chunksOf(found);
      const [first] = chunks;
      return {
        statement_id: id,
        status,
        manifest: manifest(result, chunks),
        result: first ? resultData(found, first) : {},
      };
    }

    function resultData(found: Answered, chunk: Chunk) {
      const next = chunksOf(found)[chunk.index + 1];
      const place = {
        chunk_index: chunk.index,
        row_offset: chunk.rowOffset,
        row_count: chunk.rows.length,
        ...(next
          ? {
              next_chunk_index: next.index,
              next_chunk_internal_link: `${STATEMENTS}/${found.statement.id}/result/chunks/${next.index}?row_offset=${next.rowOffset}`,
            }
          : {}),
      };
      if (found.disposition === "INLINE") return { ...place, data_array: chunk.rows };
      const { url, expiresMs } = links.make(chunk);
      return {
        external_links: [
          {
            ...place,
            byte_count: chunk.bytes,
            external_link: url,
            expiration: new Date(expiresMs).toISOString(),
          },
        ],
      };
    }
  },
};

/** The links to results, which answer without a token. */
export const sqlResultLinks: WorkspaceApi = {
  name: "Results of SQL statements",
  isOpen: true,
  mount(routes, context) {
    routes.get(`${LINKS}/:key`, (c) => {
      // Cloud storage takes one way of signing in: a token beside the signature is refused.
      if (c.req.header("authorization")) {
        throw new Refusal("BAD_REQUEST", "A presigned URL takes no Authorization header.");
      }
      const link = linksOf(context).get(c.req.param("key"));
      if (!link || link.expiresMs <= context.clock.now()) {
        throw new Refusal("PERMISSION_DENIED", "The link has expired.");
      }
      return c.body(link.text, 200, { "content-type": "application/json" });
    });
  },
};

type Link = { readonly text: string; readonly expiresMs: number };

const linksOf = ({ state }: WorkspaceContext) => state.collection<Link>("statement-result-links");

const LINKS_MAX = 100;

function createLinks(context: WorkspaceContext) {
  const links = linksOf(context);
  return {
    make(chunk: Chunk): { readonly url: string; readonly expiresMs: number } {
      const known = links.entries();
      known.forEach(([key, { expiresMs }], index) => {
        const isOver = known.length - index > LINKS_MAX;
        if (expiresMs <= context.clock.now() || isOver) links.delete(key);
      });
      const key = randomBytes(24).toString("base64url");
      const expiresMs = context.clock.now() + LINK_LIFETIME_MS;
      links.put(key, { text: JSON.stringify(chunk.rows), expiresMs });
      return { url: `${context.url()}${LINKS}/${key}`, expiresMs };
    },
  };
}

function requireWarehouse(id: string): void {
  if (id === WAREHOUSE_ID) return;
  throw new Refusal(
    "RESOURCE_DOES_NOT_EXIST",
    `SQL warehouse ${id} does not exist; the local workspace has ${WAREHOUSE_ID}.`,
  );
}

/** `0s`, or 5 to 50 seconds. */
function waitTimeoutMs(text = `${WAIT_DEFAULT_S}s`): number {
  const seconds = Number(/^(\d+)s$/.exec(text)?.[1] ?? Number.NaN);
  if (seconds === 0 || (seconds >= 5 && seconds <= 50)) return seconds * 1000;
  throw new Refusal(
    "INVALID_PARAMETER_VALUE",
    `wait_timeout must be 0s or between 5s and 50s, and is '${text}'.`,
  );
}

function refuseCombination({
  format,
  disposition,
}: Pick<z.output<typeof execute>, "format" | "disposition">): void {
  if (format === "JSON_ARRAY") return;
  throw disposition === "INLINE"
    ? new Refusal("INVALID_PARAMETER_VALUE", `The format ${format} needs EXTERNAL_LINKS.`)
    : new Refusal("NOT_IMPLEMENTED", `The local workspace has no results in the format ${format}.`);
}

/** Texts and separators, as JSON writes them. */
function rowBytes(row: readonly (string | null)[]): number {
  return Buffer.byteLength(JSON.stringify(row)) + 1;
}

function refuseLargeInline({ rows }: SqlResult, disposition: Disposition): void {
  if (disposition !== "INLINE") return;
  let bytes = 0;
  for (const row of rows) bytes += rowBytes(row);
  if (bytes <= INLINE_MAX_BYTES) return;
  throw new SqlError(
    "RESULT_TOO_LARGE",
    `Inline results may have ${INLINE_MAX_BYTES} bytes. Use the disposition EXTERNAL_LINKS.`,
    { sqlState: "54000" },
  );
}

/** @returns whether it has. */
function endsWithin(
  { clock }: WorkspaceContext,
  { ended }: KeptStatement,
  waitMs: number,
): Promise<boolean> {
  if (waitMs === 0) return Promise.resolve(false);
  return new Promise((resolve) => {
    const cancel = clock.after(waitMs, () => resolve(false));
    void ended.then(() => {
      cancel();
      resolve(true);
    });
  });
}

function chunksOf(found: Answered): readonly Chunk[] {
  found.chunks ??= cut(found.statement.result?.rows ?? []);
  return found.chunks;
}

function cut(rows: SqlResult["rows"]): Chunk[] {
  const chunks: Chunk[] = [];
  let start = 0;
  let bytes = 0;
  rows.forEach((row, index) => {
    const size = rowBytes(row);
    if (bytes > 0 && bytes + size > CHUNK_MAX_BYTES) {
      chunks.push({
        index: chunks.length,
        rowOffset: start,
        rows: rows.slice(start, index),
        bytes,
      });
      start = index;
      bytes = 0;
    }
    bytes += size;
  });
  if (start < rows.length) {
    chunks.push({ index: chunks.length, rowOffset: start, rows: rows.slice(start), bytes });
  }
  return chunks;
}

function manifest({ columns, rows, isTruncated }: SqlResult, chunks: readonly Chunk[]) {
  return {
    format: "JSON_ARRAY",
    schema: {
      column_count: columns.length,
      columns: columns.map(({ name, type }, position) => ({
        name,
        position,
        type_name: typeName(type),
        type_text: typeText(type),
        ...(type.kind === "decimal"
          ? { type_precision: type.precision, type_scale: type.scale }
          : {}),
      })),
    },
    total_chunk_count: chunks.length,
    total_row_count: rows.length,
    total_byte_count: chunks.reduce((sum, { bytes }) => sum + bytes, 0),
    truncated: isTruncated,
    chunks: chunks.map(({ index, rowOffset, rows: own, bytes }) => ({
      chunk_index: index,
      row_offset: rowOffset,
      row_count: own.length,
      byte_count: bytes,
    })),
  };
}

function describeWarehouse(warehouse: Warehouse, { url, principals }: WorkspaceContext) {
  const host = url().replace(/^https?:\/\//, "");
  return {
    id: WAREHOUSE_ID,
    name: WAREHOUSE_NAME,
    state: warehouse.state(),
    cluster_size: "2X-Small",
    auto_stop_mins: AUTO_STOP_MINUTES,
    min_num_clusters: 1,
    max_num_clusters: 1,
    num_clusters: warehouse.state() === "RUNNING" ? 1 : 0,
    warehouse_type: "PRO",
    enable_serverless_compute: true,
    enable_photon: false,
    creator_name: principals.all().find(({ isAdmin }) => isAdmin)?.name ?? "",
    health: { status: "HEALTHY" },
    odbc_params: { hostname: host.split(":")[0], path: `/sql/1.0/warehouses/${WAREHOUSE_ID}` },
  };
}
