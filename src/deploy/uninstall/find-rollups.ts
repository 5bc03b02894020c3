/**
 * What publishing roll-ups made in a workspace, beside the tables that an agent names: the job,
 * its notebook and what runs of it wrote. They are of all agents there, so they go with the
 * tables only. Reads only.
 */
import { deleteJob, missingIsNull } from "../../databricks/jobs.ts";
import { getTable } from "../../databricks/tables.ts";
import {
  deleteWorkspaceObject,
  exportWorkspaceObject,
  listWorkspaceObjects,
} from "../../databricks/workspace-objects.ts";
import { findRollupJobs } from "../../publish/publish-rollups.ts";
import {
  ROLLUP_NOTEBOOK_MARK,
  rollupNotebookPath,
  rollupsFolder,
} from "../../rollups/rollup-job.ts";
import {
  fullRollupName,
  ROLLUP_TABLE_MARK,
  rollupNames,
  rollupTable,
} from "../../rollups/rollup-sql.ts";
import { orNull } from "../databricks-says.ts";
import { dropTable } from "./drop-table.ts";
import { type FindContext, type FoundObject, reasons } from "./found-object.ts";

export async function findRollupJob({
  client,
  config,
  tables,
}: FindContext): Promise<FoundObject[]> {
  const { tables: place } = config.monitoring;
  if (!place) return [];
  return (await findRollupJobs(client, place)).map(({ job: { id, name }, isOurs }) => {
    const remove = async () => {
      await deleteJob(client, id).catch(missingIsNull);
    };
    const fate = fateOf(isOurs, tables, {
      remove,
      other: "it has not the tag of a job that was published",
      kept: "it makes the roll-ups of all agents there; --tables removes it, with them",
    });
    return { kind: "job", name: `${name} (${id})`, fate };
  });
}

export async function findRollupNotebook({
  client,
  config,
  tables,
}: FindContext): Promise<FoundObject[]> {
  const { tables: place } = config.monitoring;
  if (!place) return [];
  const path = rollupNotebookPath(place);
  const bytes = await orNull(exportWorkspaceObject(client, { path, format: "JUPYTER" }));
  if (bytes === null) return [];
  const isOurs = new TextDecoder().decode(bytes).includes(ROLLUP_NOTEBOOK_MARK);
  const fate = fateOf(isOurs, tables, {
    remove: () => deleteWorkspaceObject(client, path),
    other: reasons.otherNotebook,
    kept: "--tables removes it, with the job that runs it",
  });
  return [{ kind: "notebook", name: path, fate }];
}

/** Not while notebooks of other places lie in it, which need it. */
export async function findRollupFolder({
  client,
  config,
  tables,
}: FindContext): Promise<FoundObject[]> {
  const { tables: place } = config.monitoring;
  if (!place || !tables) return [];
  const objects = await orNull(listWorkspaceObjects(client, rollupsFolder));
  const ours = rollupNotebookPath(place);
  const isOurs = objects?.every(({ path }) => path.replace(/^\/Workspace(?=\/)/, "") === ours);
  if (!isOurs) return [];
  const remove = async () => {
    const left = await orNull(listWorkspaceObjects(client, rollupsFolder));
    // Not recursively: what somebody puts there meanwhile stays.
    if (left?.length === 0) await deleteWorkspaceObject(client, rollupsFolder);
  };
  return [{ kind: "folder", name: rollupsFolder, fate: { remove } }];
}

export async function findRollupTables(context: FindContext): Promise<FoundObject[]> {
  const { client, config, tables } = context;
  const { tables: place } = config.monitoring;
  if (!place) return [];
  const found: FoundObject[] = [];
  for (const table of [...rollupNames, "minutes"] as const) {
    const name = fullRollupName(place, table);
    const there = await orNull(getTable(client, name));
    if (!there) continue;
    const isOurs = there.comment?.includes(ROLLUP_TABLE_MARK) ?? false;
    const fate = fateOf(isOurs, tables, {
      remove: () => dropTable(context, rollupTable(place, table)),
      other: reasons.otherTable,
      kept: reasons.kept,
    });
    found.push({ kind: "table", name, fate });
  }
  return found;
}

/** It goes with the tables, if we made it. */
function fateOf(
  isOurs: boolean,
  tables: boolean,
  {
    remove,
    other,
    kept,
  }: { readonly remove: () => Promise<void>; readonly other: string; readonly kept: string },
): FoundObject["fate"] {
  if (!isOurs) return { stays: other };
  return tables ? { remove } : { stays: kept };
}
