/** What an export to Delta tables brought, whoever made it. */
export type DeltaExport = {
  /** New rows of all tables. */
  readonly rows: number;
  /** By full name. */
  readonly tables: Readonly<Record<string, number>>;
  /** What people should know: rows that were gone before they were loaded, a table made anew. */
  readonly warnings: readonly string[];
};
