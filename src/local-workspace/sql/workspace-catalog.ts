/** Unity Catalog of the workspace, as the SQL engine sees it. */
import type { WorkspaceContext } from "../core/context.ts";
import { newId } from "../core/ids.ts";
import {
  catalogsOf,
  createCatalog,
  createSchema,
  findSchema,
  removeCatalog,
  removeSchema,
  schemasOf,
} from "../unity-catalog/catalogs.ts";
import { created, updated } from "../unity-catalog/stamps.ts";
import {
  type ColumnInfo,
  dropTable,
  type TableInfo,
  tableDirectory,
  tableSecurable,
  tablesOf,
} from "../unity-catalog/tables.ts";
import { createVolume, removeVolume, volumesOf } from "../unity-catalog/volumes.ts";
import type { SqlCatalog, SqlTable } from "./catalog.ts";
import { type Column, fromDelta, toDelta, typeName, typeText } from "./data-type.ts";

export function workspaceCatalog(context: WorkspaceContext): SqlCatalog {
  const { grants, state, clock } = context;
  const tables = tablesOf(context);

  return {
    // Every privilege and securable of SQL is one of the workspace's.
    require: (principal, privilege, securable) => grants.require(principal, privilege, securable),
    requireManage: (principal, securable) => grants.requireManage(principal, securable),
    sees: (principal, securable) => grants.sees(principal, securable),
    ownerOf: (securable) => grants.ownerOf(securable),
    hasCatalog: (name) => catalogsOf(context).get(name) !== undefined,
    hasSchema: (fullName) => schemasOf(context).get(fullName) !== undefined,
    hasVolume: (fullName) => volumesOf(context).get(fullName) !== undefined,
    catalogs: () =>
      catalogsOf(context)
        .list()
        .map(({ name }) => name)
        .sort(),
    schemas: (catalog) =>
      schemasOf(context)
        .list(`${catalog}.`)
        .map(({ name }) => name)
        .sort(),
    tables: (schema) => tables.list(`${schema}.`).map(asSqlTable),
    volumes: (schema) =>
      volumesOf(context)
        .list(`${schema}.`)
        .map(({ name }) => name)
        .sort(),
    table(fullName) {
      const info = tables.get(fullName);
      return info && asSqlTable(info);
    },
    createCatalog(name, comment, maker) {
      createCatalog(context, { name, ...commented(comment) }, maker);
    },
    createSchema(fullName, comment, maker) {
      const [catalog = "", name = ""] = fullName.split(".");
      createSchema(context, { catalog_name: catalog, name, ...commented(comment) }, maker);
    },
    async createVolume(fullName, comment, maker) {
      const [catalog = "", schema = "", name = ""] = fullName.split(".");
      const place = { catalog_name: catalog, schema_name: schema, name };
      await createVolume(context, { ...place, ...commented(comment) }, maker);
    },
    putTable(table, maker) {
      const known = tables.get(table.fullName);
      state.transaction(() => {
        const stamps = known ? { ...known, ...updated(maker, clock) } : created(maker, clock);
        tables.put(table.fullName, asTableInfo(table, { id: known?.table_id ?? newId(), stamps }));
        if (!known) grants.own(tableSecurable(table.fullName), maker.name);
      });
    },
    async drop({ type, fullName }) {
      if (type === "catalog") await removeCatalog(context, fullName);
      else if (type === "schema") await removeSchema(context, findSchema(context, fullName));
      else if (type === "volume") await removeVolume(context, fullName);
      else await dropTable(context, fullName);
    },
    comment({ type, fullName }, comment) {
      const change = <T extends object>(collection: {
        get(key: string): T | undefined;
        put(key: string, document: T): void;
      }) => {
        const known = collection.get(fullName);
        if (known) collection.put(fullName, { ...known, comment: comment ?? undefined });
      };
      if (type === "catalog") change(catalogsOf(context));
      if (type === "schema") change(schemasOf(context));
      if (type === "volume") change(volumesOf(context));
    },
    tableDirectory: (fullName) => tableDirectory(context, fullName),
    volumePath: (fullName, path) =>
      context.volumes.locate(`${fullName.replaceAll(".", "/")}/${path}`),
    changeGrants: (securable, change) => grants.change(securable, [change]),
    grants: (securable) => grants.assignments(securable),
  };
}

const commented = (comment: string | null) => (comment === null ? {} : { comment });

function asSqlTable(info: TableInfo): SqlTable {
  const partitions = info.columns
    .filter((column) => column.partition_index !== undefined)
    .sort((a, b) => Number(a.partition_index) - Number(b.partition_index));
  return {
    fullName: info.full_name,
    comment: info.comment ?? null,
    columns: info.columns.map(asColumn),
    partitionColumns: partitions.map(({ name }) => name),
    properties: info.properties ?? {},
    view:
      info.view_definition === undefined
        ? null
        : {
            query: info.view_definition,
            catalog: info.view_session?.catalog ?? info.catalog_name,
            schema: info.view_session?.schema ?? info.schema_name,
          },
  };
}

function asColumn({ name, type_json: json, nullable, comment }: ColumnInfo): Column {
  // Written below, as a field of a Delta schema.
  const field = JSON.parse(json ?? "{}") as { readonly type?: unknown };
  const metadata = comment === undefined ? {} : { comment };
  return { name, type: fromDelta(field.type ?? "string"), nullable, metadata };
}

function asTableInfo(
  table: SqlTable,
  { id, stamps }: { readonly id: string; readonly stamps: ReturnType<typeof created> },
): TableInfo {
  const [catalog = "", schema = "", name = ""] = table.fullName.split(".");
  const { created_at, created_by, updated_at, updated_by } = stamps;
  return {
    name,
    catalog_name: catalog,
    schema_name: schema,
    full_name: table.fullName,
    table_id: id,
    table_type: table.view ? "VIEW" : "MANAGED",
    ...(table.view ? {} : { data_source_format: "DELTA" }),
    columns: table.columns.map((column, position) =>
      asColumnInfo(column, { position, partition: table.partitionColumns.indexOf(column.name) }),
    ),
    ...commented(table.comment),
    properties: table.properties,
    ...(table.view
      ? {
          view_definition: table.view.query,
          view_session: { catalog: table.view.catalog, schema: table.view.schema },
        }
      : {}),
    created_at,
    created_by,
    updated_at,
    updated_by,
  };
}

function asColumnInfo(
  { name, type, nullable, metadata }: Column,
  { position, partition }: { readonly position: number; readonly partition: number },
): ColumnInfo {
  return {
    name,
    type_text: typeText(type).toLowerCase(),
    type_name: typeName(type),
    type_json: JSON.stringify({ name, type: toDelta(type), nullable, metadata }),
    position,
    nullable,
    ...(typeof metadata.comment === "string" ? { comment: metadata.comment } : {}),
    ...(partition === -1 ? {} : { partition_index: partition }),
  };
}
