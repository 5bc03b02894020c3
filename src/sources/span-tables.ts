/** Which of the named tables of spans can be read, and what their columns are. It needs no warehouse. */
import type { DatabricksClient } from "../databricks/client.ts";
import { DatabricksError, isNotThere } from "../databricks/databricks-error.ts";
import { getTable } from "../databricks/tables.ts";
import { findSpanColumns } from "../ingest/span-table/columns.ts";
import type { SpanTable } from "../ingest/span-table/select-spans.ts";
import { MonitorError } from "../monitor-error.ts";
import type { FoundTables } from "./table-source.ts";

/** @throws DatabricksError when nothing of the workspace can be asked. */
export async function findSpanTables(
  client: DatabricksClient,
  paths: readonly SpanTable["path"][],
  limits: { readonly signal: AbortSignal },
): Promise<FoundTables<SpanTable>> {
  const tables: SpanTable[] = [];
  const troubles = new Map<string, MonitorError>();
  for (const path of paths) {
    const name = path.join(".");
    try {
      const { columns } = await getTable(client, name, limits);
      const result = findSpanColumns(columns);
      if ("found" in result) tables.push({ path, columns: result.found });
      else troubles.set(name, notSpanTable(name, result.missing));
    } catch (error) {
      if (!(error instanceof DatabricksError) || concernsEverything(error)) throw error;
      troubles.set(name, isNotThere(error) ? notThere(name) : error);
    }
  }
  return { tables, troubles, notYet: 0 };
}

function concernsEverything({ code, call: { status } }: DatabricksError): boolean {
  return (
    code === "DATABRICKS_UNAUTHENTICATED" || code === "DATABRICKS_UNREACHABLE" || status === 429
  );
}

function notSpanTable(name: string, missing: readonly string[]): MonitorError {
  return new MonitorError(
    "DATABRICKS_FAILED",
    `table ${name} has no column ${missing.join(", and none ")} of a type that can be read`,
    { hint: "Name the table of the spans, such as main.agents.support_otel_spans." },
  );
}

function notThere(name: string): MonitorError {
  return new MonitorError("DATABRICKS_FAILED", `table ${name} is not there, or not shown`, {
    hint: `Check its name, or give the identity SELECT on table "${name}", and USE CATALOG and USE SCHEMA on what it is in.`,
  });
}
