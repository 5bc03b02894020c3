/** The official SDK makes catalogs, schemas, volumes and grants in the local workspace. */

import { systemClock } from "../../src/clock.ts";
import { startLocalWorkspace } from "../../src/local-workspace/workspace.ts";
import { testDocumentedRoutes } from "./documented-routes.ts";
import { driveSdk, sdk } from "./drive-sdk.ts";

const workspace = await startLocalWorkspace({
  otlpUrl: null,
  clock: systemClock,
  principals: { ann: "token-of-ann" },
});

const managed = sdk.enum("catalog.VolumeType.MANAGED");
const grant = (
  type: string,
  name: string,
  add: readonly string[],
  remove: readonly string[] = [],
) => ({
  securable_type: type,
  full_name: name,
  changes: [sdk.object("catalog.PermissionsChange", { principal: "ann", add, remove })],
});
const denied = (says: RegExp) => ({ type: "PermissionDenied", code: "PERMISSION_DENIED", says });

await driveSdk({
  url: workspace.url,
  tokens: { admin: workspace.token, ann: "token-of-ann" },
  calls: [
    {
      what: "a catalog is made, and its name is in lower case",
      call: "catalogs.create",
      args: { name: "Sales", comment: "what was sold", properties: { team: "a" } },
      answers: {
        name: "sales",
        comment: "what was sold",
        properties: { team: "a" },
        owner: "local-workspace@example.com",
        created_by: "local-workspace@example.com",
        catalog_type: "MANAGED_CATALOG",
      },
    },
    {
      what: "the same name again is refused",
      call: "catalogs.create",
      args: { name: "sales" },
      refuses: {
        type: "BadRequest",
        code: "CATALOG_ALREADY_EXISTS",
        says: /Catalog 'sales' already exists/,
      },
    },
    {
      what: "what does not exist is not found",
      call: "catalogs.get",
      args: { name: "nothing" },
      refuses: {
        type: "NotFound",
        code: "CATALOG_DOES_NOT_EXIST",
        says: /Catalog 'nothing' does not exist/,
      },
    },
    {
      what: "a comment and an owner are changed",
      call: "catalogs.update",
      args: { name: "sales", comment: "sold", owner: "ann" },
      answers: { comment: "sold", owner: "ann", properties: { team: "a" } },
    },
    {
      what: "back to the admin",
      call: "catalogs.update",
      args: { name: "sales", owner: "local-workspace@example.com" },
      answers: { owner: "local-workspace@example.com" },
    },
    {
      what: "an empty name is refused",
      call: "catalogs.create",
      args: { name: "a.b" },
      refuses: { type: "InvalidParameterValue", says: /"a.b" is not a valid name/ },
    },
    {
      what: "a schema is made",
      call: "schemas.create",
      args: { name: "monitoring", catalog_name: "sales", comment: "c" },
      answers: { full_name: "sales.monitoring", catalog_name: "sales", comment: "c" },
    },
    {
      what: "the same name again is refused",
      call: "schemas.create",
      args: { name: "monitoring", catalog_name: "sales" },
      refuses: { type: "BadRequest", code: "SCHEMA_ALREADY_EXISTS", says: /already exists/ },
    },
    {
      what: "in a catalog that does not exist",
      call: "schemas.create",
      args: { name: "monitoring", catalog_name: "nothing" },
      refuses: { type: "NotFound", code: "CATALOG_DOES_NOT_EXIST", says: /'nothing'/ },
    },
    {
      what: "schemas are listed with the one that each catalog begins with",
      call: "schemas.list",
      args: { catalog_name: "sales" },
      answers: [{ full_name: "sales.default" }, { full_name: "sales.monitoring" }],
    },
    {
      what: "a volume is made",
      call: "volumes.create",
      args: {
        catalog_name: "sales",
        schema_name: "monitoring",
        name: "inbox",
        volume_type: managed,
      },
      answers: { full_name: "sales.monitoring.inbox", volume_type: "MANAGED" },
    },
    {
      what: "it is read",
      call: "volumes.read",
      args: { name: "sales.monitoring.inbox" },
      answers: { name: "inbox", owner: "local-workspace@example.com" },
    },
    {
      what: "another is not found",
      call: "volumes.read",
      args: { name: "sales.monitoring.outbox" },
      refuses: { type: "NotFound", code: "VOLUME_DOES_NOT_EXIST", says: /outbox/ },
    },
    {
      what: "volumes are listed",
      call: "volumes.list",
      args: { catalog_name: "sales", schema_name: "monitoring" },
      answers: [{ name: "inbox" }],
    },
    {
      what: "a table that is not there does not exist",
      call: "tables.exists",
      args: { full_name: "sales.monitoring.metrics" },
      answers: { table_exists: false },
    },
    {
      what: "and is not found",
      call: "tables.get",
      args: { full_name: "sales.monitoring.metrics" },
      refuses: { type: "NotFound", code: "TABLE_DOES_NOT_EXIST", says: /metrics/ },
    },
    {
      what: "another principal sees no catalog",
      call: "catalogs.get",
      args: { name: "sales" },
      as: "ann",
      refuses: denied(/User does not have USE CATALOG on Catalog 'sales'\./),
    },
    { what: "nor in the list", call: "catalogs.list", as: "ann", answers: [] },
    {
      what: "and makes none",
      call: "catalogs.create",
      args: { name: "mine" },
      as: "ann",
      refuses: denied(/CREATE CATALOG on Metastore/),
    },
    {
      what: "use of the catalog is granted",
      call: "grants.update",
      args: grant("catalog", "sales", ["USE_CATALOG"]),
      answers: { privilege_assignments: [{ principal: "ann", privileges: ["USE_CATALOG"] }] },
    },
    {
      what: "which is not yet the use of a schema",
      call: "volumes.list",
      args: { catalog_name: "sales", schema_name: "monitoring" },
      as: "ann",
      refuses: denied(/USE SCHEMA on Schema 'sales.monitoring'\./),
    },
    {
      what: "use of the schema is granted, and reading its volumes",
      call: "grants.update",
      args: grant("SCHEMA", "sales.monitoring", ["USE_SCHEMA", "READ_VOLUME"]),
    },
    {
      what: "a volume is now read, by inheritance",
      call: "volumes.read",
      args: { name: "sales.monitoring.inbox" },
      as: "ann",
      answers: { name: "inbox" },
    },
    {
      what: "but none is made",
      call: "volumes.create",
      args: {
        catalog_name: "sales",
        schema_name: "monitoring",
        name: "mine",
        volume_type: managed,
      },
      as: "ann",
      refuses: denied(/CREATE VOLUME on Schema 'sales.monitoring'\./),
    },
    {
      what: "nor are grants changed",
      call: "grants.update",
      args: grant("schema", "sales.monitoring", ["ALL_PRIVILEGES"]),
      as: "ann",
      refuses: denied(/MANAGE on Schema 'sales.monitoring'\./),
    },
    {
      what: "what is effective on a volume names where it comes from",
      call: "grants.get_effective",
      args: { securable_type: "volume", full_name: "sales.monitoring.inbox", principal: "ann" },
      answers: {
        privilege_assignments: [
          {
            principal: "ann",
            privileges: [
              {
                privilege: "USE_CATALOG",
                inherited_from_type: "CATALOG",
                inherited_from_name: "sales",
              },
              { privilege: "USE_SCHEMA", inherited_from_type: "SCHEMA" },
              { privilege: "READ_VOLUME", inherited_from_name: "sales.monitoring" },
            ],
          },
        ],
      },
    },
    {
      what: "the same privilege added and removed at once is refused",
      call: "grants.update",
      args: grant("catalog", "sales", ["USE_CATALOG"], ["USE_CATALOG"]),
      refuses: { type: "InvalidParameterValue", says: /both added and removed/ },
    },
    {
      what: "a grant is taken back",
      call: "grants.update",
      args: grant("catalog", "sales", [], ["USE_CATALOG"]),
      answers: {},
    },
    {
      what: "and holds no longer",
      call: "volumes.read",
      args: { name: "sales.monitoring.inbox" },
      as: "ann",
      refuses: denied(/USE CATALOG/),
    },
    {
      what: "a schema that is not empty stays",
      call: "schemas.delete",
      args: { full_name: "sales.monitoring" },
      refuses: { type: "BadRequest", says: /is not empty.*1 volume/ },
    },
    {
      what: "grants are told",
      call: "grants.get",
      args: { securable_type: "schema", full_name: "sales.monitoring" },
    },
    {
      what: "a schema is described",
      call: "schemas.get",
      args: { full_name: "sales.monitoring" },
      answers: { name: "monitoring", comment: "c" },
    },
    {
      what: "its comment is changed",
      call: "schemas.update",
      args: { full_name: "sales.monitoring", comment: "d" },
      answers: { comment: "d" },
    },
    {
      what: "so is a volume's",
      call: "volumes.update",
      args: { name: "sales.monitoring.inbox", comment: "what comes in" },
      answers: { comment: "what comes in" },
    },
    {
      what: "a table is made by SQL",
      call: "statement_execution.execute_statement",
      args: {
        warehouse_id: "10ca1de1ce5e0001",
        statement: "CREATE TABLE sales.monitoring.metrics (n BIGINT)",
      },
      answers: { status: { state: "SUCCEEDED" } },
    },
    {
      what: "and listed",
      call: "tables.list",
      args: { catalog_name: "sales", schema_name: "monitoring" },
      answers: [{ name: "metrics", columns: [{ name: "n", type_name: "LONG" }] }],
    },
    {
      what: "a table is deleted",
      call: "tables.delete",
      args: { full_name: "sales.monitoring.metrics" },
    },
    {
      what: "and gone",
      call: "tables.list",
      args: { catalog_name: "sales", schema_name: "monitoring" },
      answers: [],
    },
    {
      what: "a volume is deleted",
      call: "volumes.delete",
      args: { name: "sales.monitoring.inbox" },
    },
    { what: "then the schema", call: "schemas.delete", args: { full_name: "sales.monitoring" } },
    { what: "then the catalog", call: "catalogs.delete", args: { name: "sales" } },
    {
      what: "and what it began with is left",
      call: "catalogs.list",
      answers: [{ name: "main" }, { name: "ml" }],
    },
  ],
});
testDocumentedRoutes(import.meta.url, [workspace]);
await workspace.close();
