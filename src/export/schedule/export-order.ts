/** What an exporting process is told, and what it answers: plain data, and no secret in it. */
import type { TablePlace } from "../../history/databricks-tables.ts";
import type { DirectoryTarget } from "../delta/directory-target.ts";
import type { ExportFailure } from "./export-failure.ts";

export type ExportOrder = {
  /** Of the history. */
  readonly directory: string;
  readonly target: OrderedTarget;
};

export type OrderedTarget =
  | {
      readonly kind: "databricks";
      readonly place: TablePlace;
      /** `null`: one that runs, else any. */
      readonly warehouseId: string | null;
      readonly way: "volume" | "merge";
      /** Of `~/.databrickscfg`; `null`: the credentials of the environment. */
      readonly profile: string | null;
    }
  | ({ readonly kind: "directory" } & DirectoryTarget);

export type ExportAnswer =
  | { readonly kind: "exported"; readonly rows: number; readonly warnings: readonly string[] }
  | { readonly kind: "failed"; readonly failure: ExportFailure };
