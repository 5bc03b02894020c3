/** Lets those whom `agent.yaml` names as readers read the monitoring tables, and nothing else. */
import { changeGrants, type Grant, getGrants } from "../../databricks/grants.ts";
import { orNull } from "../databricks-says.ts";
import type { MonitoringInput, MonitoringStep } from "./monitoring-step.ts";

/** On the schema, so that they hold for tables that come later, too. */
const PRIVILEGES = ["USE_SCHEMA", "SELECT"];

export const grantsStep: MonitoringStep = {
  name: "grants",

  async plan(input) {
    const { tables } = input.config.monitoring;
    if (!tables || tables.readers.length === 0) return null;
    const lacking = await readersWithout(input);
    return lacking.length === 0
      ? { outcome: "unchanged", detail: tables.readers.join(", ") }
      : { outcome: "planned", detail: `let ${lacking.join(", ")} read ${schemaOf(input)}` };
  },

  async run(input) {
    const lacking = await readersWithout(input);
    if (lacking.length === 0) return { outcome: "unchanged", detail: "the readers may read" };
    await changeGrants(
      input.context.client,
      { type: "schema", fullName: schemaOf(input) },
      lacking.map((principal) => ({ principal, add: PRIVILEGES })),
    );
    return { outcome: "done", detail: `${lacking.join(", ")} may read ${schemaOf(input)}` };
  },
};

async function readersWithout(input: MonitoringInput): Promise<readonly string[]> {
  const readers = input.config.monitoring.tables?.readers ?? [];
  const schema = { type: "schema", fullName: schemaOf(input) };
  const grants = (await orNull(getGrants(input.context.client, schema))) ?? [];
  return readers.filter((reader) => !mayRead(grants, reader));
}

function mayRead(grants: readonly Grant[], reader: string): boolean {
  const held = grants
    .filter(({ principal }) => principal === reader)
    .flatMap(({ privileges }) => privileges.map((one) => one.replaceAll(" ", "_")));
  return held.includes("ALL_PRIVILEGES") || PRIVILEGES.every((one) => held.includes(one));
}

function schemaOf({ config }: MonitoringInput): string {
  const { tables } = config.monitoring;
  return `${tables?.catalog}.${tables?.schema}`;
}
