/**
 * Where the endpoints of a workspace log their requests to, and which of those tables
 * can be read. It asks Unity Catalog for the columns, which needs no warehouse.
 */
import type { DatabricksClient } from "../databricks/client.ts";
import { DatabricksError, isNotThere } from "../databricks/databricks-error.ts";
import {
  getServingEndpoint,
  type InferenceTable,
  listServingEndpoints,
  type ServingEndpoint,
} from "../databricks/serving-endpoints.ts";
import { getTable } from "../databricks/tables.ts";
import { findColumns } from "../ingest/inference-table/columns.ts";
import type { LoggingTable } from "../ingest/inference-table/select-rows.ts";
import { MonitorError } from "../monitor-error.ts";
import { forEachBounded } from "./for-each-bounded.ts";
import type { FoundTables } from "./table-source.ts";

/** Endpoints that are looked at; a workspace may hold twice as many. The first by name. */
export const LOGGING_ENDPOINTS_MAX = 500;
const CONCURRENT_CALLS_MAX = 4;

type Path = LoggingTable["path"];

/** @throws DatabricksError when the endpoints can't be listed, or nobody is let in. */
export async function findTables(
  client: DatabricksClient,
  limits: { readonly signal: AbortSignal },
): Promise<FoundTables<LoggingTable>> {
  const { endpoints } = await listServingEndpoints(client, limits);
  const byName = endpoints.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const tables: LoggingTable[] = [];
  const troubles = new Map<string, MonitorError>();
  let notYet = 0;

  await forEachBounded(byName.slice(0, LOGGING_ENDPOINTS_MAX), {
    concurrency: CONCURRENT_CALLS_MAX,
    async work(listed) {
      let told = listed.name;
      try {
        // A list leaves out what only older endpoints have.
        const path = pathOf(listed) ?? pathOf(await getServingEndpoint(client, told, limits));
        if (!path) return;
        told = path.join(".");
        const { columns } = await getTable(client, told, limits);
        const result = findColumns(columns);
        if ("found" in result) {
          tables.push({ endpoint: listed.name, path, columns: result.found });
        } else {
          troubles.set(told, notInferenceTable(told, result.missing));
        }
      } catch (error) {
        if (!(error instanceof DatabricksError)) throw error;
        if (concernsEverything(error)) throw error;
        if (isNotThere(error)) notYet++;
        else troubles.set(told, error);
      }
    },
  });
  return {
    tables: tables.sort((a, b) => (a.endpoint < b.endpoint ? -1 : 1)),
    troubles,
    notYet,
  };
}

function pathOf({ name, inferenceTable, autoCaptureTable, telemetryConfig }: ServingEndpoint) {
  return (
    pathOfTable(inferenceTable, name) ??
    pathOfTelemetry(telemetryConfig) ??
    pathOfTable(autoCaptureTable, name)
  );
}

function pathOfTable(table: InferenceTable | null, endpoint: string): Path | null {
  if (!table?.catalogName || !table.schemaName) return null;
  return [table.catalogName, table.schemaName, `${table.tableNamePrefix || endpoint}_payload`];
}

/** The name of the table, or that of the logs which it stands beside. */
function pathOfTelemetry(config: ServingEndpoint["telemetryConfig"]): Path | null {
  const inference = config?.inference_table_config;
  const names = config?.table_names;
  return (
    splitName(nameIn(inference, "name"), "") ?? splitName(nameIn(names, "logs_table"), "_payload")
  );
}

function nameIn(record: unknown, field: string): string {
  if (typeof record !== "object" || record === null) return "";
  const value = Object.entries(record).find(([key]) => key === field)?.[1];
  return typeof value === "string" ? value : "";
}

function splitName(fullName: string, suffix: string): Path | null {
  const [catalog, schema, name, ...more] = fullName.split(".");
  if (!catalog || !schema || !name || more.length > 0) return null;
  return [catalog, schema, `${name}${suffix}`];
}

function concernsEverything({ code, call: { status } }: DatabricksError): boolean {
  return (
    code === "DATABRICKS_UNAUTHENTICATED" || code === "DATABRICKS_UNREACHABLE" || status === 429
  );
}

function notInferenceTable(name: string, missing: readonly string[]): MonitorError {
  return new MonitorError(
    "DATABRICKS_FAILED",
    `table ${name} has no column ${missing.join(", and none ")} of a type that can be counted`,
    { hint: "Databricks makes inference tables itself, and says never to change them." },
  );
}
