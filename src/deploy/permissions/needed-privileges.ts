/**
 * What the deploying identity needs in Unity Catalog, from the plan. Pure. The same
 * table for people stands in `docs/permissions.md`.
 */
import type { AgentConfig } from "../../config/agent-config.ts";
import type { Securable } from "../../databricks/grants.ts";
import { tableNames } from "../../history/tables.ts";

export type NeededPrivilege = {
  /** As Unity Catalog's API writes it, such as `USE_SCHEMA`. */
  readonly privilege: string;
  readonly on: Securable;
  /** What it is needed for. */
  readonly purpose: string;
};

export type WhatIsThere = {
  readonly isModelThere: boolean;
  readonly isModelSchemaThere: boolean;
  readonly isMonitoringSchemaThere: boolean;
  /** Those of the history that are there, and who owns them. */
  readonly monitoringTables: readonly OwnedObject[];
  readonly monitoringVolume: OwnedObject | null;
  /** The schema of the inference table, where one is to be made. */
  readonly inferenceSchema: (SchemaName & { readonly isThere: boolean }) | null;
};

type SchemaName = { readonly catalog: string; readonly schema: string };

export type OwnedObject = { readonly fullName: string; readonly owner: string | null };

export function neededPrivileges(
  config: AgentConfig,
  modelName: string,
  there: WhatIsThere & { readonly enableMonitoring: boolean },
): readonly NeededPrivilege[] {
  const [catalog = "", schema = ""] = modelName.split(".");
  const model = { type: "function", fullName: modelName };
  const needed = [
    need("USE_CATALOG", catalogOf(catalog), "reach the model"),
    ...(there.isModelSchemaThere
      ? [need("USE_SCHEMA", schemaOf(catalog, schema), "reach the model")]
      : [need("CREATE_SCHEMA", catalogOf(catalog), `create schema ${catalog}.${schema}`)]),
    ...("name" in config.model || !there.isModelSchemaThere
      ? []
      : there.isModelThere
        ? [need("CREATE_MODEL_VERSION", model, "register a version of the model")]
        : [need("CREATE_MODEL", schemaOf(catalog, schema), "register the model")]),
    ...(there.isModelThere ? [need("EXECUTE", model, "serve the model")] : []),
    ...(there.inferenceSchema ? forInferenceTable(there.inferenceSchema) : []),
  ];
  const { tables } = config.monitoring;
  if (!there.enableMonitoring || !tables) return needed;
  const monitoring = schemaOf(tables.catalog, tables.schema);
  return [
    ...needed,
    need("USE_CATALOG", catalogOf(tables.catalog), "reach the monitoring tables"),
    ...(there.isMonitoringSchemaThere
      ? [
          need("USE_SCHEMA", monitoring, "reach the monitoring tables"),
          ...(there.monitoringTables.length < tableNames.length
            ? [need("CREATE_TABLE", monitoring, "create the monitoring tables")]
            : []),
          ...there.monitoringTables.flatMap(({ fullName }) => {
            const table = { type: "table", fullName };
            return [
              need("MODIFY", table, "load rows into the tables"),
              need("SELECT", table, "evaluate the SQL alerts"),
            ];
          }),
          ...(there.monitoringVolume
            ? ["READ_VOLUME", "WRITE_VOLUME"].map((privilege) =>
                need(
                  privilege,
                  { type: "volume", fullName: there.monitoringVolume?.fullName ?? "" },
                  "bring rows to the tables",
                ),
              )
            : [need("CREATE_VOLUME", monitoring, "create the volume that rows go through")]),
          ...(tables.readers.length > 0
            ? [need("MANAGE", monitoring, "let the readers read the tables")]
            : []),
        ]
      : [
          need(
            "CREATE_SCHEMA",
            catalogOf(tables.catalog),
            `create schema ${tables.catalog}.${tables.schema}`,
          ),
        ]),
  ];
}

function need(privilege: string, on: Securable, purpose: string): NeededPrivilege {
  return { privilege, on, purpose };
}

function forInferenceTable({
  catalog,
  schema,
  isThere,
}: SchemaName & { readonly isThere: boolean }) {
  const purpose = "keep requests in the inference table";
  return [
    need("USE_CATALOG", catalogOf(catalog), purpose),
    ...(isThere
      ? [
          need("USE_SCHEMA", schemaOf(catalog, schema), purpose),
          need("CREATE_TABLE", schemaOf(catalog, schema), purpose),
        ]
      : [need("CREATE_SCHEMA", catalogOf(catalog), `create schema ${catalog}.${schema}`)]),
  ];
}

const catalogOf = (fullName: string): Securable => ({ type: "catalog", fullName });
const schemaOf = (catalog: string, schema: string): Securable => ({
  type: "schema",
  fullName: `${catalog}.${schema}`,
});
