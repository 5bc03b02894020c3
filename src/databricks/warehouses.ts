/**
 * SQL warehouses. A statement starts a stopped one by itself; from then on it costs.
 *
 * Source: databricks-sdk-py 0.156.0, `WarehousesAPI`.
 */
import { apiPath } from "./api-path.ts";
import type { CallLimits, DatabricksClient } from "./client.ts";
import { flagOf, integerOf, type JsonRecord, recordOf, recordsOf, textOf } from "./json-fields.ts";
import { readPages } from "./pages.ts";

export type Warehouse = {
  readonly id: string;
  readonly name: string | null;
  /** `RUNNING`, `STARTING`, `STOPPED`, `STOPPING`, `DELETED` or `DELETING`. */
  readonly state: string | null;
  /** Such as `2X-Small`. */
  readonly size: string | null;
  readonly isServerless: boolean | null;
  /** Stops by itself after this time without statements; 0 is never. */
  readonly autoStopMinutes: number | null;
};

export async function listWarehouses(
  client: DatabricksClient,
  limits: CallLimits = {},
): Promise<readonly Warehouse[]> {
  const entries = await readPages("warehouses", (page) =>
    client.getJson(apiPath`/api/2.0/sql/warehouses`, {
      ...limits,
      query: page,
      purpose: "list the SQL warehouses",
      permission: "Give the identity the entitlement to use Databricks SQL.",
    }),
  );
  return recordsOf(entries)
    .map(readWarehouse)
    .filter((warehouse) => warehouse !== null);
}

export async function getWarehouse(
  client: DatabricksClient,
  id: string,
  limits: CallLimits = {},
): Promise<Warehouse> {
  const answer = await client.getJson(apiPath`/api/2.0/sql/warehouses/${id}`, {
    ...limits,
    purpose: `read SQL warehouse ${id}`,
    permission: usePermission(id),
  });
  const record = recordOf(answer.json);
  const warehouse = record && readWarehouse(record);
  if (!warehouse) throw answer.unusable("is not a SQL warehouse");
  return warehouse;
}

/** Resolves once it is told to, which is before it runs. */
export async function startWarehouse(
  client: DatabricksClient,
  id: string,
  limits: CallLimits = {},
): Promise<void> {
  await client.post(apiPath`/api/2.0/sql/warehouses/${id}/start`, {
    ...limits,
    purpose: `start SQL warehouse ${id}`,
    permission: usePermission(id),
    isIdempotent: true,
  });
}

export function usePermission(id: string): string {
  return `Give the identity CAN USE on SQL warehouse ${id}.`;
}

function readWarehouse(warehouse: JsonRecord): Warehouse | null {
  const id = textOf(warehouse.id);
  if (id === null) return null;
  return {
    id,
    name: textOf(warehouse.name),
    state: textOf(warehouse.state),
    size: textOf(warehouse.cluster_size),
    isServerless: flagOf(warehouse.enable_serverless_compute),
    autoStopMinutes: integerOf(warehouse.auto_stop_mins),
  };
}
