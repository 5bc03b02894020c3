/** A catalog in memory for tests of the engine: everybody owns everything but what a test takes away. */
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { SqlCatalog, SqlPrivilege, SqlTable } from "./catalog.ts";
import { permissionDenied } from "./sql-error.ts";

export type TestCatalog = SqlCatalog & {
  /** Takes a privilege on a securable from everybody. */
  deny(privilege: SqlPrivilege, fullName: string): void;
};

export function createTestCatalog(dataDirectory: string): TestCatalog {
  const schemas = new Map<string, Set<string>>([["main", new Set(["default"])]]);
  const tables = new Map<string, SqlTable>();
  const volumes = new Set<string>();
  const denied = new Set<string>();
  const granted = new Map<string, Map<string, Set<string>>>();
  const directory = (kind: string, fullName: string) =>
    join(dataDirectory, kind, ...fullName.split("."));

  return {
    deny: (privilege, fullName) => void denied.add(`${privilege} ${fullName}`),
    require(principal, privilege, { fullName }) {
      if (!denied.has(`${privilege} ${fullName}`)) return;
      throw permissionDenied(`${principal.name} does not have ${privilege} on '${fullName}'.`);
    },
    requireManage() {},
    sees: () => true,
    ownerOf: () => "owner@example.com",
    hasCatalog: (name) => schemas.has(name),
    hasSchema(fullName) {
      const [catalog = "", schema = ""] = fullName.split(".");
      return schemas.get(catalog)?.has(schema) ?? false;
    },
    hasVolume: (fullName) => volumes.has(fullName),
    catalogs: () => [...schemas.keys()],
    schemas: (catalog) => [...(schemas.get(catalog) ?? [])],
    tables: (schema) =>
      Array.from(tables.values()).filter(({ fullName }) => fullName.startsWith(`${schema}.`)),
    volumes: (schema) =>
      Array.from(volumes)
        .filter((name) => name.startsWith(`${schema}.`))
        .map((name) => name.slice(schema.length + 1)),
    table: (fullName) => tables.get(fullName),
    createCatalog: (name) => void schemas.set(name, new Set(["default"])),
    createSchema(fullName) {
      const [catalog = "", schema = ""] = fullName.split(".");
      schemas.get(catalog)?.add(schema);
    },
    async createVolume(fullName) {
      volumes.add(fullName);
      await mkdir(directory("volumes", fullName), { recursive: true });
    },
    putTable: (table) => void tables.set(table.fullName, table),
    async drop({ type, fullName }) {
      const isBelow = (name: string) => name === fullName || name.startsWith(`${fullName}.`);
      for (const name of tables.keys()) if (isBelow(name)) tables.delete(name);
      for (const name of volumes) if (isBelow(name)) volumes.delete(name);
      const [catalog = "", schema = ""] = fullName.split(".");
      if (type === "catalog") schemas.delete(catalog);
      if (type === "schema") schemas.get(catalog)?.delete(schema);
      await rm(directory("tables", fullName), { recursive: true, force: true });
    },
    comment() {},
    tableDirectory: (fullName) => directory("tables", fullName),
    volumePath: (fullName, path) => join(directory("volumes", fullName), path),
    changeGrants({ fullName }, { principal, add, remove }) {
      const grants = granted.get(fullName) ?? new Map<string, Set<string>>();
      const own = new Set([...(grants.get(principal) ?? []), ...add]);
      for (const privilege of remove) own.delete(privilege);
      granted.set(fullName, grants.set(principal, own));
    },
    grants: ({ fullName }) =>
      Array.from(granted.get(fullName) ?? [], ([principal, privileges]) => ({
        principal,
        privileges: [...privileges],
      })),
  };
}
