/** Where Databricks keeps the requests and answers of an endpoint, where that is asked for. */
import type { AgentConfig } from "../../config/agent-config.ts";
import type { DatabricksClient } from "../../databricks/client.ts";
import { createSchema, getSchema } from "../../databricks/schemas.ts";
import type { AiGatewayInput, ServingEndpoint } from "../../databricks/serving-endpoints.ts";
import { orNull, unlessThere } from "../databricks-says.ts";

export type WantedTable = {
  readonly catalog: string;
  readonly schema: string;
  readonly prefix: string;
};

/** `null` where `agent.yaml` asks for none. One that is there already then stays. */
export function wantedTable({ deployment }: AgentConfig): WantedTable | null {
  const { inferenceTable: table, servingEndpoint } = deployment;
  return table ? { ...table, prefix: table.prefix ?? servingEndpoint.replaceAll("-", "_") } : null;
}

/** As Databricks names it. */
export function tableNameOf({ catalog, schema, prefix }: WantedTable): string {
  return `${catalog}.${schema}.${prefix}_payload`;
}

export function hasTable({ inferenceTable: told }: ServingEndpoint, wanted: WantedTable): boolean {
  return (
    told?.catalogName === wanted.catalog &&
    told.schemaName === wanted.schema &&
    told.tableNamePrefix === wanted.prefix
  );
}

/** All that the gateway does already stays: a change replaces it as a whole. */
export function gatewayWith(
  endpoint: ServingEndpoint | null,
  { catalog, schema, prefix }: WantedTable,
): AiGatewayInput {
  return {
    // As Databricks sent it, so it is as Databricks takes it.
    ...(endpoint?.aiGateway as AiGatewayInput | null | undefined),
    inference_table_config: {
      enabled: true,
      catalog_name: catalog,
      schema_name: schema,
      table_name_prefix: prefix,
    },
  };
}

/** Databricks makes the table, and refuses a schema that is not there. */
export async function ensureSchema(
  client: DatabricksClient,
  { catalog, schema }: WantedTable,
): Promise<void> {
  if (await orNull(getSchema(client, `${catalog}.${schema}`))) return;
  await unlessThere(createSchema(client, { name: schema, catalog_name: catalog }));
}
