/**
 * Tables and views of Unity Catalog, as far as looking at them goes: they are made by
 * SQL.
 *
 * Source: databricks-sdk-py 0.156.0, `TablesAPI`.
 */
import { apiPath } from "./api-path.ts";
import type { CallLimits, DatabricksClient } from "./client.ts";
import { flagOf, type JsonRecord, recordOf, recordsOf, textMapOf, textOf } from "./json-fields.ts";
import { PAGE_SIZE, readPages } from "./pages.ts";

export type Table = {
  /** With catalog and schema, such as `ml.agents.requests`. */
  readonly fullName: string;
  /** Another one for a table that is made anew under the same name. */
  readonly id: string | null;
  /** Such as `MANAGED`, `EXTERNAL` or `VIEW`. */
  readonly tableType: string | null;
  /** Such as `DELTA`. */
  readonly format: string | null;
  readonly columns: readonly TableColumn[];
  readonly comment: string | null;
  readonly owner: string | null;
  readonly properties: ReadonlyMap<string, string>;
  readonly storageLocation: string | null;
};

export type TableColumn = {
  readonly name: string;
  /** As SQL writes it, such as `map<string,string>`. */
  readonly typeText: string | null;
  readonly isNullable: boolean | null;
};

/** @param fullName with catalog and schema, such as `ml.agents.requests`. */
export async function getTable(
  client: DatabricksClient,
  fullName: string,
  limits: CallLimits = {},
): Promise<Table> {
  const answer = await client.getJson(apiPath`/api/2.1/unity-catalog/tables/${fullName}`, {
    ...limits,
    purpose: `read table "${fullName}"`,
    permission: selectPermission(fullName),
  });
  const record = recordOf(answer.json);
  const table = record && readTable(record);
  if (!table) throw answer.unusable("is not a table");
  return table;
}

export async function tableExists(
  client: DatabricksClient,
  fullName: string,
  limits: CallLimits = {},
): Promise<boolean> {
  const answer = await client.getJson(apiPath`/api/2.1/unity-catalog/tables/${fullName}/exists`, {
    ...limits,
    purpose: `look for table "${fullName}"`,
    permission: selectPermission(fullName),
  });
  // Protobuf's JSON leaves `false` out.
  return recordOf(answer.json)?.table_exists === true;
}

export async function listTables(
  client: DatabricksClient,
  { catalogName, schemaName }: { readonly catalogName: string; readonly schemaName: string },
  limits: CallLimits = {},
): Promise<readonly Table[]> {
  const entries = await readPages("tables", (page) =>
    client.getJson(apiPath`/api/2.1/unity-catalog/tables`, {
      ...limits,
      query: {
        catalog_name: catalogName,
        schema_name: schemaName,
        max_results: PAGE_SIZE,
        ...page,
      },
      purpose: `list the tables of schema "${catalogName}.${schemaName}"`,
      permission: `Give the identity USE SCHEMA on schema "${catalogName}.${schemaName}", and USE CATALOG on what it is in.`,
    }),
  );
  return recordsOf(entries)
    .map(readTable)
    .filter((table) => table !== null);
}

function selectPermission(fullName: string): string {
  return `Give the identity SELECT on table "${fullName}", and USE CATALOG and USE SCHEMA on what it is in.`;
}

function readTable(table: JsonRecord): Table | null {
  const fullName = textOf(table.full_name);
  if (fullName === null) return null;
  return {
    fullName,
    id: textOf(table.table_id),
    tableType: textOf(table.table_type),
    format: textOf(table.data_source_format),
    columns: recordsOf(table.columns).map((column) => ({
      name: textOf(column.name) ?? "",
      typeText: textOf(column.type_text),
      isNullable: flagOf(column.nullable),
    })),
    comment: textOf(table.comment),
    owner: textOf(table.owner),
    properties: textMapOf(table.properties),
    storageLocation: textOf(table.storage_location),
  };
}
