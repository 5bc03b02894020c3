/** Puts the agent's notebook into the workspace, over the one that stands there. */

import { monitoringNotebook, type Notebook } from "../../dashboards/notebook/notebook.ts";
import { isNotebookThere, notebookPath, publishNotebook } from "../../publish/publish-notebook.ts";
import { readAlertThresholds } from "../../rules/alert-thresholds.ts";
import type { MonitoringInput, MonitoringStep } from "./monitoring-step.ts";

export const notebookStep: MonitoringStep = {
  name: "notebook",

  async plan(input) {
    const notebook = notebookOf(input);
    if (!notebook) return null;
    const path = notebookPath(input.endpointName);
    const isThere = await isNotebookThere(input.context.client, path, notebook);
    return { outcome: isThere ? "unchanged" : "planned", detail: path };
  },

  async run(input) {
    const notebook = notebookOf(input);
    if (!notebook) return { outcome: "skipped", detail: "agent.yaml names no tables" };
    const path = notebookPath(input.endpointName);
    const { client } = input.context;
    const result = { notebookPath: path };
    if (await isNotebookThere(client, path, notebook)) {
      return { outcome: "unchanged", detail: path, result };
    }
    await publishNotebook(client, path, notebook);
    return { outcome: "done", detail: path, result };
  },
};

/** Without tables it would show nothing. */
function notebookOf({ config, endpointName }: MonitoringInput): Notebook | null {
  const { tables: place, alerts } = config.monitoring;
  if (!place) return null;
  const thresholds = readAlertThresholds(alerts?.thresholds ?? {});
  return monitoringNotebook({ agentName: config.name, endpointName, place, thresholds });
}
