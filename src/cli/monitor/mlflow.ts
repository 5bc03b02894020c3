/** What `--mlflow` and `--experiment` name, found out before anything is started. */
import type { Clock } from "../../clock.ts";
import { createDatabricksClient, type DatabricksClient } from "../../databricks/client.ts";
import type { Credentials } from "../../databricks/credentials.ts";
import { createExternalLinks } from "../../databricks/external-links.ts";
import type { Experiment } from "../../databricks/mlflow-experiments.ts";
import { createMlflowClient } from "../../databricks/mlflow-server.ts";
import { findExperiment, type MlflowServer } from "../../databricks/mlflow-traces.ts";
import { MonitorError } from "../../monitor-error.ts";
import { WIDE_OVERLAP_MS } from "../../sources/mlflow-source.ts";
import type { MlflowOptions } from "./options.ts";

export type Mlflow = { readonly server: MlflowServer; readonly experiments: readonly Experiment[] };

/** How far the first look of all goes back. */
const FIRST_LOOK_BACK_MS = 3_600_000;
/** How far a look after a restart goes back at most: as long as the history is kept. */
const LOOK_BACK_MAX_MS = 24 * 3_600_000;

/** @throws MonitorError when the server can't be asked, or knows no such experiment. */
export async function findMlflow(
  { server: named, experiments: names }: MlflowOptions,
  { credentials, clock }: { readonly credentials: Credentials | null; readonly clock: Clock },
): Promise<Mlflow> {
  const calls = { fetch, clock, random: Math.random };
  const server =
    named === "databricks"
      ? {
          client: databricksClient(credentials, calls),
          download: createExternalLinks(calls).getText,
        }
      : {
          client: createMlflowClient({
            ...calls,
            url: named,
            token: process.env.MLFLOW_TRACKING_TOKEN,
          }),
          download: null,
        };
  const experiments = new Map<string, Experiment>();
  for (const name of names) {
    const experiment = await findExperiment(server, name);
    experiments.set(experiment.id, experiment);
  }
  return { server, experiments: [...experiments.values()] };
}

function databricksClient(
  credentials: Credentials | null,
  calls: { readonly fetch: typeof fetch; readonly clock: Clock; readonly random: () => number },
): DatabricksClient {
  if (credentials) return createDatabricksClient({ credentials, ...calls });
  throw new MonitorError("CREDENTIALS_MISSING", "no credentials for --mlflow databricks", {
    hint: "Set DATABRICKS_HOST and DATABRICKS_TOKEN, or give --profile; for a server of your own give its URL, such as --mlflow http://localhost:5000",
  });
}

/** From when on traces are read: what came before was read by the run before. */
export function readFromMs(lastSpansMs: number | null, nowMs: number): number {
  if (lastSpansMs === null) return nowMs - FIRST_LOOK_BACK_MS;
  return Math.max(nowMs - LOOK_BACK_MAX_MS, lastSpansMs - WIDE_OVERLAP_MS);
}
