/**
 * Bugs that are planted on purpose, each by wrapping what is passed to the product: the simulator
 * has to find every one of them, or else it proves little.
 */
import type { DatabricksClient } from "../../src/databricks/client.ts";
import type { exportHistory } from "../../src/export/delta/export-history.ts";
import type { Disk, Files } from "../../src/history/files.ts";
import type { WriterMachine } from "../../src/history/history-writer.ts";
import type { FromWorker, ToWorker } from "../../src/store/journal-file.ts";

export type Plant = {
  readonly disk?: (disk: Disk) => Disk;
  readonly files?: (files: Files) => Files;
  readonly journal?: (
    honest: (message: ToWorker) => FromWorker | null,
  ) => (message: ToWorker) => FromWorker | null;
  readonly writer?: Partial<WriterMachine>;
  readonly client?: (client: DatabricksClient) => DatabricksClient;
  readonly exportHistory?: typeof exportHistory;
};

export const plants: Readonly<Record<string, Plant>> = {};
