/**
 * What SQL needs of Unity Catalog: which catalogs, schemas, tables and volumes there
 * are, where their files lie, and who may do what. Names are in lower case.
 */
import type { Column } from "./data-type.ts";

export type SqlPrincipal = { readonly name: string; readonly isAdmin: boolean };

export type SqlTable = {
  /** `catalog.schema.table` */
  readonly fullName: string;
  readonly comment: string | null;
  readonly columns: readonly Column[];
  readonly partitionColumns: readonly string[];
  readonly properties: Readonly<Record<string, string>>;
  /** Of a view: its query, and what its names are relative to. */
  readonly view: {
    readonly query: string;
    readonly catalog: string;
    readonly schema: string;
  } | null;
};

export type SqlSecurable = {
  readonly type: "metastore" | "catalog" | "schema" | "table" | "volume" | "function";
  readonly fullName: string;
};

export type SqlPrivilege =
  | "SELECT"
  | "MODIFY"
  | "READ_VOLUME"
  | "USE_CATALOG"
  | "USE_SCHEMA"
  | "CREATE_TABLE"
  | "CREATE_SCHEMA"
  | "CREATE_CATALOG"
  | "CREATE_VOLUME";

export type SqlCatalog = {
  /** @throws when the principal may not, naming what is missing. */
  require(principal: SqlPrincipal, privilege: SqlPrivilege, securable: SqlSecurable): void;
  /** @throws when the principal neither owns it nor manages it. */
  requireManage(principal: SqlPrincipal, securable: SqlSecurable): void;
  sees(principal: SqlPrincipal, securable: SqlSecurable): boolean;
  ownerOf(securable: SqlSecurable): string;
  hasCatalog(name: string): boolean;
  hasSchema(fullName: string): boolean;
  hasVolume(fullName: string): boolean;
  catalogs(): readonly string[];
  /** Their own names, without the catalog's. */
  schemas(catalog: string): readonly string[];
  tables(schema: string): readonly SqlTable[];
  volumes(schema: string): readonly string[];
  table(fullName: string): SqlTable | undefined;
  createCatalog(name: string, comment: string | null, maker: SqlPrincipal): void;
  createSchema(fullName: string, comment: string | null, maker: SqlPrincipal): void;
  createVolume(fullName: string, comment: string | null, maker: SqlPrincipal): Promise<void>;
  /** Makes it, or changes what is known of it. */
  putTable(table: SqlTable, maker: SqlPrincipal): void;
  drop(securable: SqlSecurable): Promise<void>;
  comment(securable: SqlSecurable, comment: string | null): void;
  tableDirectory(fullName: string): string;
  /** Where `/Volumes/catalog/schema/volume/…` lies. */
  volumePath(fullName: string, path: string): string;
  /** @throws when a privilege does not exist there. */
  changeGrants(
    securable: SqlSecurable,
    change: {
      readonly principal: string;
      readonly add: readonly string[];
      readonly remove: readonly string[];
    },
  ): void;
  grants(
    securable: SqlSecurable,
  ): readonly { readonly principal: string; readonly privileges: readonly string[] }[];
};
