/**
 * Where an endpoint's configuration asks for it, what it was asked and answered is written
 * to a Delta table, a while later, as whoever made the endpoint.
 *
 * Source: Databricks, "Monitor served models using AI Gateway-enabled inference tables",
 * and tables that users showed. That it can't be changed to another endpoint's table, and
 * what the served entity's id is, are not looked at here.
 */
import { createHash } from "node:crypto";
import type { Principal } from "../access/principals.ts";
import type { WorkspaceContext } from "../core/context.ts";
import { Refusal } from "../databricks-error.ts";
import { findSchema, schemaSecurable } from "../unity-catalog/catalogs.ts";
import { tablesOf } from "../unity-catalog/tables.ts";
import type { Endpoint, Entity } from "./endpoint.ts";

export type LoggedRequest = {
  readonly requestId: string;
  readonly entity: Entity;
  readonly requester: string;
  readonly startedMs: number;
  readonly durationMs: number;
  readonly status: number;
  readonly request: Uint8Array;
  readonly response: Uint8Array;
};

export type InferenceTables = {
  /** @throws Refusal when the principal may not make the table that the configuration names. */
  check(gateway: unknown, endpointName: string, principal: Principal): void;
  isWanted(endpoint: Endpoint): boolean;
  /** Written a while later, or at the latest when the workspace closes. */
  log(endpoint: Endpoint, request: LoggedRequest): void;
};

/** What is larger is left out, and said to be. Source: as above, for endpoints of CPUs. */
export const LOGGED_MAX_BYTES = 1024 * 1024;
/** At the bound, requests are not logged: it is best effort there, too. */
const WAITING_MAX = 10_000;
const ROWS_PER_INSERT = 100;

const COLUMNS = [
  ["databricks_request_id", "STRING"],
  ["request_date", "DATE"],
  ["client_request_id", "STRING"],
  ["request_time", "TIMESTAMP"],
  ["status_code", "INT"],
  ["sampling_fraction", "DOUBLE"],
  ["execution_duration_ms", "BIGINT"],
  ["request", "STRING"],
  ["response", "STRING"],
  ["logging_error_codes", "ARRAY<STRING>"],
  ["served_entity_id", "STRING"],
  ["requester", "STRING"],
] as const;

type Waiting = { readonly table: string; readonly owner: string; readonly row: Row };
type Row = { readonly values: readonly (string | null)[]; readonly errorCodes: readonly string[] };

export function createInferenceTables(context: WorkspaceContext): InferenceTables {
  const { clock, lifetime, behaviour, grants, principals } = context;
  let waiting: Waiting[] = [];
  let isPlanned = false;
  let writing: Promise<void> = Promise.resolve();

  lifetime.atClose(async () => {
    await writing;
    await write();
  });

  function plan(): void {
    if (isPlanned) return;
    isPlanned = true;
    clock.after(behaviour.inferenceTableDelayMs, () => {
      isPlanned = false;
      writing = writing.then(write);
      lifetime.background("inference tables", writing);
    });
  }

  async function write(): Promise<void> {
    const all = waiting;
    waiting = [];
    for (const [table, ofTable] of Map.groupBy(all, (each) => each.table)) {
      const name = ofTable[0]?.owner ?? "";
      const principal = principals.named(name) ?? { name, isAdmin: false };
      try {
        await writeTable(
          table,
          principal,
          ofTable.map(({ row }) => row),
        );
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        process.stderr.write(
          `local workspace: ${ofTable.length} requests were not logged to ${table}: ${why}\n`,
        );
      }
    }
  }

  async function writeTable(table: string, principal: Principal, rows: readonly Row[]) {
    const session = { principal, catalog: "main", schema: "default" };
    const columns = COLUMNS.map(([name, type]) => `${name} ${type}`).join(", ");
    await context.sql.execute({
      sql: `CREATE TABLE IF NOT EXISTS ${table} (${columns}) CLUSTER BY (request_date)`,
      session,
    });
    for (let at = 0; at < rows.length; at += ROWS_PER_INSERT) {
      await context.sql.execute({
        ...insertOf(table, rows.slice(at, at + ROWS_PER_INSERT)),
        session,
      });
    }
  }

  return {
    check(gateway, endpointName, principal) {
      const path = pathOf(gateway, endpointName);
      if (!path) return;
      const [catalog, schema] = path;
      const { full_name: fullName } = findSchema(context, `${catalog}.${schema}`);
      if (tablesOf(context).get(path.join(".").toLowerCase())) return;
      grants.require(principal, "CREATE_TABLE", schemaSecurable(fullName));
    },
    isWanted: (endpoint) => pathOf(endpoint.ai_gateway, endpoint.name) !== null,
    log(endpoint, request) {
      const path = pathOf(endpoint.ai_gateway, endpoint.name);
      if (!path || waiting.length >= WAITING_MAX) return;
      const table = path.map((part) => `\`${part.replaceAll("`", "``")}\``).join(".");
      waiting.push({ table, owner: endpoint.creator, row: rowOf(endpoint, request) });
      plan();
    },
  };
}

/** What the workspace itself reads of a request, and does not hand on to the model. */
export function clientRequestId(request: Uint8Array): string | null {
  if (!Buffer.from(request).includes("client_request_id")) return null;
  const { client_request_id: id } = fieldsOf(jsonOf(request));
  return typeof id === "string" ? id : null;
}

type Path = readonly [catalog: string, schema: string, table: string];

/** @throws Refusal for a configuration that names no place. */
function pathOf(gateway: unknown, endpointName: string): Path | null {
  const config = fieldsOf(fieldsOf(gateway).inference_table_config);
  const { enabled, catalog_name: catalog, schema_name: schema, table_name_prefix: prefix } = config;
  if (enabled !== true) return null;
  if (typeof catalog !== "string" || typeof schema !== "string") {
    throw new Refusal(
      "INVALID_PARAMETER_VALUE",
      "An inference table needs catalog_name and schema_name.",
    );
  }
  const begins = typeof prefix === "string" && prefix !== "" ? prefix : endpointName;
  return [catalog, schema, `${begins}_payload`];
}

function rowOf(endpoint: Endpoint, logged: LoggedRequest): Row {
  const { entity } = logged;
  const request = loggedText(logged.request);
  const response = loggedText(logged.response);
  const time = new Date(logged.startedMs).toISOString();
  const entityId = createHash("sha256")
    .update(`${endpoint.id}/${entity.entity_name}/${entity.entity_version}/${entity.name}`)
    .digest("hex");
  return {
    values: [
      logged.requestId,
      time.slice(0, 10),
      clientRequestId(logged.request),
      time,
      String(logged.status),
      "1.0",
      String(Math.round(logged.durationMs)),
      request,
      response,
      entityId.slice(0, 32),
      endpoint.route_optimized ? null : logged.requester,
    ],
    errorCodes: [
      ...(request === null ? ["MAX_REQUEST_SIZE_EXCEEDED"] : []),
      ...(response === null ? ["MAX_RESPONSE_SIZE_EXCEEDED"] : []),
    ],
  };
}

function loggedText(bytes: Uint8Array): string | null {
  return bytes.length > LOGGED_MAX_BYTES ? null : new TextDecoder().decode(bytes);
}

function insertOf(table: string, rows: readonly Row[]) {
  const simple = COLUMNS.filter(([, type]) => !type.startsWith("ARRAY"));
  const parameters = rows.flatMap(({ values }, row) =>
    values.map((value, i) => ({ name: `v${row}_${i}`, value, type: simple[i]?.[1] })),
  );
  const tuples = rows.map(({ values, errorCodes }, row) => {
    const markers = values.map((_, i) => `:v${row}_${i}`);
    const codes = errorCodes.map((code) => `'${code}'`).join(", ");
    return `(${markers.join(", ")}, ${codes === "" ? "NULL" : `array(${codes})`})`;
  });
  const names = [...simple.map(([name]) => name), "logging_error_codes"];
  return {
    sql: `INSERT INTO ${table} (${names.join(", ")}) VALUES ${tuples.join(", ")}`,
    parameters,
  };
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return null;
  }
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  // Any object may be read by name; what is not there is undefined.
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
