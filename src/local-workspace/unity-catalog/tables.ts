/**
 * Tables as Unity Catalog describes them. SQL statements make and change them; here
 * they are described, listed and dropped.
 *
 * Source: databricks-sdk-py 0.156.0, `databricks/sdk/service/catalog.py`.
 */
import { pathToFileURL } from "node:url";
import { z } from "zod";
import { METASTORE, type Securable } from "../access/grants.ts";
import type { WorkspaceApi, WorkspaceContext } from "../core/context.ts";
import { pageOf } from "../core/paging.ts";
import { readBody, readQuery } from "../core/request.ts";
import { Refusal } from "../databricks-error.ts";
import { findSchema, LIST_SIZES, schemaSecurable } from "./catalogs.ts";
import { threeLevelName } from "./names.ts";
import type { Stamps } from "./stamps.ts";

export type ColumnInfo = {
  readonly name: string;
  /** As in SQL, such as `map<string,string>`. */
  readonly type_text: string;
  readonly type_name: string;
  readonly type_json?: string;
  readonly position: number;
  readonly nullable: boolean;
  readonly comment?: string;
  readonly partition_index?: number;
};

export type TableInfo = Stamps & {
  readonly name: string;
  readonly catalog_name: string;
  readonly schema_name: string;
  readonly full_name: string;
  readonly table_id: string;
  readonly table_type: "MANAGED" | "VIEW";
  readonly data_source_format?: "DELTA";
  readonly columns: readonly ColumnInfo[];
  readonly comment?: string;
  readonly properties?: Readonly<Record<string, string>>;
  readonly view_definition?: string;
  /** Of a view: what the names in it are relative to. */
  readonly view_session?: { readonly catalog: string; readonly schema: string };
};

const TABLES = "/api/2.1/unity-catalog/tables";
const TEMPORARY_CREDENTIALS = "/api/2.0/unity-catalog/temporary-table-credentials";
const CREDENTIALS_LIFETIME_MS = 60 * 60 * 1000;

const list = z.looseObject({
  catalog_name: z.string(),
  schema_name: z.string(),
  max_results: z.coerce.number().optional(),
  page_token: z.string().optional(),
  omit_columns: z.string().optional(),
});

const credentialsOf = z.looseObject({
  table_id: z.string(),
  operation: z.enum(["READ", "READ_WRITE"]),
});

export const tables: WorkspaceApi = {
  name: "Unity Catalog: tables",
  mount(routes, context) {
    const { grants, clock } = context;
    const all = tablesOf(context);
    const describe = ({ view_session: _, ...table }: TableInfo) => ({
      ...table,
      owner: grants.ownerOf(tableSecurable(table.full_name)),
      metastore_id: METASTORE.fullName,
      ...(table.table_type === "VIEW"
        ? {}
        : { storage_location: tableDirectory(context, table.full_name) }),
    });

    routes.get(TABLES, (c) => {
      const query = readQuery(c, list);
      const schema = findSchema(context, `${query.catalog_name}.${query.schema_name}`);
      grants.require(c.get("principal"), "USE_SCHEMA", schemaSecurable(schema.full_name));
      const seen = all
        .list(`${schema.full_name}.`)
        .filter(({ full_name: name }) => grants.sees(c.get("principal"), tableSecurable(name)));
      const { items, nextPageToken } = pageOf(seen, {
        ...LIST_SIZES,
        maxResults: query.max_results,
        pageToken: query.page_token,
      });
      const { omit_columns: omitColumns } = query;
      return c.json({
        tables: items.map((table) => ({
          ...describe(table),
          ...(omitColumns === "true" ? { columns: undefined } : {}),
        })),
        next_page_token: nextPageToken,
      });
    });

    routes.get(`${TABLES}/:fullName`, (c) => {
      const table = findTable(context, c.req.param("fullName"));
      grants.require(c.get("principal"), "SELECT", tableSecurable(table.full_name));
      return c.json(describe(table));
    });

    routes.get(`${TABLES}/:fullName/exists`, (c) => {
      const { catalog, schema, fullName } = threeLevelName(c.req.param("fullName"));
      findSchema(context, `${catalog}.${schema}`);
      return c.json({ table_exists: all.get(fullName) !== undefined });
    });

    // Where the files are; there is no cloud storage that would take credentials.
    routes.post(TEMPORARY_CREDENTIALS, async (c) => {
      const body = await readBody(c, credentialsOf);
      const table = all.list().find(({ table_id: id }) => id === body.table_id);
      if (!table) {
        throw new Refusal("TABLE_DOES_NOT_EXIST", `Table '${body.table_id}' does not exist.`);
      }
      if (table.table_type === "VIEW") {
        throw new Refusal("INVALID_PARAMETER_VALUE", `'${table.full_name}' is a view.`);
      }
      const securable = tableSecurable(table.full_name);
      grants.require(c.get("principal"), "SELECT", securable);
      if (body.operation === "READ_WRITE") grants.require(c.get("principal"), "MODIFY", securable);
      return c.json({
        url: pathToFileURL(tableDirectory(context, table.full_name)).href,
        expiration_time: Math.floor(clock.now()) + CREDENTIALS_LIFETIME_MS,
      });
    });

    routes.delete(`${TABLES}/:fullName`, async (c) => {
      const { full_name: fullName } = findTable(context, c.req.param("fullName"));
      grants.requireManage(c.get("principal"), tableSecurable(fullName));
      await dropTable(context, fullName);
      return c.json({});
    });
  },
};

export const tableSecurable = (fullName: string): Securable => ({ type: "table", fullName });

/** All tables and views, by full name in lower case. */
export const tablesOf = ({ state }: WorkspaceContext) => state.collection<TableInfo>("tables");

/** Where a table's files are. */
export function tableDirectory({ tables: tree }: WorkspaceContext, fullName: string): string {
  return tree.locate(fullName.replaceAll(".", "/"));
}

/** @throws Refusal `TABLE_DOES_NOT_EXIST`, or of its schema or catalog. */
export function findTable(context: WorkspaceContext, text: string): TableInfo {
  const { catalog, schema, fullName } = threeLevelName(text);
  const table = tablesOf(context).get(fullName);
  if (table) return table;
  findSchema(context, `${catalog}.${schema}`);
  throw new Refusal("TABLE_DOES_NOT_EXIST", `Table '${fullName}' does not exist.`);
}

/** With its files and grants. */
export async function dropTable(context: WorkspaceContext, fullName: string): Promise<void> {
  context.state.transaction(() => {
    tablesOf(context).delete(fullName);
    context.grants.forget(tableSecurable(fullName));
  });
  await context.tables.removeAll(fullName.replaceAll(".", "/"));
}
