/** Puts a notebook into the workspace, where everybody who works there can open it. */
import type { Notebook } from "../dashboards/notebook/notebook.ts";
import type { DatabricksClient } from "../databricks/client.ts";
import { isNotThere } from "../databricks/databricks-error.ts";
import {
  exportWorkspaceObject,
  importWorkspaceObject,
  makeWorkspaceDirectories,
} from "../databricks/workspace-objects.ts";

/** Of one agent: its notebook and its alerts. */
export function workspaceFolder(endpointName: string): string {
  return `/Shared/dspy-databricks/${endpointName.replace(/[^\w.-]/g, "_")}`;
}

export function notebookPath(endpointName: string): string {
  return `${workspaceFolder(endpointName)}/monitoring`;
}

/** Whether what stands there already has the same cells. Reads only. */
export async function isNotebookThere(
  client: DatabricksClient,
  path: string,
  notebook: Notebook,
): Promise<boolean> {
  try {
    const bytes = await exportWorkspaceObject(client, { path, format: "JUPYTER" });
    return sourcesIn(JSON.parse(new TextDecoder().decode(bytes))) === sourcesIn(notebook);
  } catch (error) {
    if (isNotThere(error) || error instanceof SyntaxError) return false;
    throw error;
  }
}

/** Over the one that stands there: it is made, not written by hand. */
export async function publishNotebook(
  client: DatabricksClient,
  path: string,
  notebook: Notebook,
): Promise<void> {
  await makeWorkspaceDirectories(client, path.slice(0, path.lastIndexOf("/")));
  const content = JSON.stringify(notebook);
  await importWorkspaceObject(client, { path, content, format: "JUPYTER", overwrite: true });
}

/** Databricks writes a notebook anew; what its cells say stays. */
function sourcesIn(notebook: unknown): string {
  const cells: unknown = Reflect.get(Object(notebook), "cells");
  if (!Array.isArray(cells)) return "";
  return JSON.stringify(
    cells.map((cell: unknown) => {
      const source: unknown = Reflect.get(Object(cell), "source");
      return Array.isArray(source) ? source.join("") : source;
    }),
  );
}
