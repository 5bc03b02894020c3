/** The schema and the volume that the history goes through into Delta tables. */
import type { AgentConfig } from "../../config/agent-config.ts";
import { createSchema, getSchema } from "../../databricks/schemas.ts";
import { createVolume, getVolume } from "../../databricks/volumes.ts";
import { orNull, unlessThere } from "../databricks-says.ts";
import type { MonitoringStep } from "./monitoring-step.ts";

/** Files of rows lie there until they are loaded. */
export function volumeNameOf(tables: NonNullable<AgentConfig["monitoring"]["tables"]>): string {
  return `${tables.catalog}.${tables.schema}.${tables.prefix}_files`;
}

export const schemaStep: MonitoringStep = {
  name: "schema and volume",

  async plan({ config, context }) {
    const { tables } = config.monitoring;
    if (!tables) return null;
    const volume = volumeNameOf(tables);
    const isThere = await orNull(getVolume(context.client, volume));
    return isThere
      ? { outcome: "unchanged", detail: volume }
      : {
          outcome: "planned",
          detail: `create volume ${volume}, and its schema if it is not there`,
        };
  },

  async run({ config, context }) {
    const { client } = context;
    const { tables } = config.monitoring;
    if (!tables) return { outcome: "skipped", detail: "agent.yaml names no tables" };
    const volume = volumeNameOf(tables);
    if (await orNull(getVolume(client, volume))) return { outcome: "unchanged", detail: volume };
    const comment = "What agents did, kept by dspy-databricks-agents";
    const { catalog, schema, prefix } = tables;
    if (!(await orNull(getSchema(client, `${catalog}.${schema}`)))) {
      await unlessThere(createSchema(client, { name: schema, catalog_name: catalog, comment }));
    }
    await unlessThere(
      createVolume(client, {
        catalog_name: catalog,
        schema_name: schema,
        name: `${prefix}_files`,
        volume_type: "MANAGED",
        comment,
      }),
    );
    return { outcome: "done", detail: `created ${volume}` };
  },
};
