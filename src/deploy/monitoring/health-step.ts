/** Says on the endpoint what belongs to the agent's health, and checks it once. */
import { updateServingTags } from "../../databricks/serving-endpoints.ts";
import { runChecks, VECTOR_INDEX_TAG } from "../agent-health.ts";
import type { MonitoringStep } from "./monitoring-step.ts";

export const healthStep: MonitoringStep = {
  name: "health checks",

  async plan({ config }) {
    const { vectorIndex } = config.monitoring;
    const index = vectorIndex === undefined ? "" : `, index ${vectorIndex}`;
    return { outcome: "unchanged", detail: `endpoint, model${index}` };
  },

  async run({ config, context, endpoint }) {
    const { vectorIndex } = config.monitoring;
    const told = endpoint.tags.get(VECTOR_INDEX_TAG);
    const isNew = vectorIndex !== undefined && told !== vectorIndex;
    const isGone = vectorIndex === undefined && told !== undefined;
    if (isNew || isGone) {
      await updateServingTags(context.client, endpoint.name, {
        ...(vectorIndex === undefined
          ? { remove: [VECTOR_INDEX_TAG] }
          : { add: [{ key: VECTOR_INDEX_TAG, value: vectorIndex }] }),
      });
    }
    const tags = new Map(endpoint.tags);
    if (vectorIndex === undefined) tags.delete(VECTOR_INDEX_TAG);
    else tags.set(VECTOR_INDEX_TAG, vectorIndex);
    const { components } = await runChecks(context, { ...endpoint, tags });
    return {
      outcome: isNew || isGone ? "done" : "unchanged",
      detail: components.map(({ name, status }) => `${name} ${status}`).join(", "),
      warnings: components
        .filter(({ status }) => status !== "healthy")
        .map(({ name, message }) => `${name}: ${message}`),
    };
  },
};
