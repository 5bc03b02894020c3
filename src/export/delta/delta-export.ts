/** What an export to Delta tables brought, whoever made it. */
export type DeltaExport = {
  /** New rows of all tables. */
  readonly rows: number;
  /** By full name. */
  readonly tables: Readonly<Record<string, number>>;
};
