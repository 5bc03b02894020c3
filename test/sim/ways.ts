/** How rows go to Databricks, or to a directory that Spark mounts. */
export type Way = "volume" | "merge" | "directory";

/** In front of the names of the directory's tables. */
export const LAKE_PREFIX = "agents";
