/** Puts the job that makes roll-ups into the workspace, with its notebook, and finds it again. */
import type { DatabricksClient } from "../databricks/client.ts";
import { createJob, type Job, listJobs, resetJob } from "../databricks/jobs.ts";
import {
  importWorkspaceObject,
  makeWorkspaceDirectories,
} from "../databricks/workspace-objects.ts";
import type { TablePlace } from "../history/databricks-tables.ts";
import {
  type RollupOptions,
  rollupJob,
  rollupNotebook,
  rollupNotebookPath,
  rollupsFolder,
  rollupTag,
} from "../rollups/rollup-job.ts";

export type FoundRollupJob = {
  readonly job: Job;
  /** Whether it has the tag that only publishing gives. */
  readonly isOurs: boolean;
};

/** All of the name that the job of this place has: Databricks lets several have it. */
export async function findRollupJobs(
  client: DatabricksClient,
  place: TablePlace,
): Promise<FoundRollupJob[]> {
  const jobs = await listJobs(client, { name: rollupJob(place).name });
  return jobs.map((job) => ({ job, isOurs: job.tags.get(rollupTag.key) === rollupTag.value }));
}

/** Over those that are there. Returns the id of the job. */
export async function publishRollups(
  client: DatabricksClient,
  options: RollupOptions,
): Promise<string> {
  const path = rollupNotebookPath(options.place);
  await makeWorkspaceDirectories(client, rollupsFolder);
  const content = JSON.stringify(rollupNotebook(options));
  await importWorkspaceObject(client, { path, content, format: "JUPYTER", overwrite: true });
  const settings = rollupJob(options.place);
  const known = (await findRollupJobs(client, options.place)).find(({ isOurs }) => isOurs);
  if (!known) return await createJob(client, settings);
  await resetJob(client, known.job.id, settings);
  return known.job.id;
}
