/**
 * Lets those whom `agent.yaml` names as readers read the monitoring tables, and nothing
 * else: neither other tables of the schema nor the files that rows come in.
 */
import {
  changeGrants,
  type Grant,
  type GrantChange,
  getGrants,
  type Securable,
} from "../../databricks/grants.ts";
import { fullTableName, quotedName } from "../../history/databricks-tables.ts";
import { tableNames } from "../../history/tables.ts";
import { MonitorError } from "../../monitor-error.ts";
import { orNull } from "../databricks-says.ts";
import type { MonitoringInput, MonitoringStep } from "./monitoring-step.ts";

/** Whoever may use the catalog is mostly everybody. */
const EVERYBODY = ["account users", "users"];

type Needed = { readonly securable: Securable; readonly changes: readonly GrantChange[] };

export const grantsStep: MonitoringStep = {
  name: "grants",

  async plan(input) {
    const { tables } = input.config.monitoring;
    if (!tables || tables.readers.length === 0) return null;
    const readers = tables.readers.join(", ");
    const lacking = await lackingGrants(input);
    return lacking.length === 0
      ? { outcome: "unchanged", detail: readers }
      : { outcome: "planned", detail: `let ${readers} read the tables in ${schemaOf(input)}` };
  },

  async run(input) {
    const lacking = await lackingGrants(input);
    const warnings = await mayUseCatalog(input);
    if (lacking.length === 0) {
      return { outcome: "unchanged", detail: "the readers may read", warnings };
    }
    for (const { securable, changes } of lacking) {
      await changeGrants(input.context.client, securable, changes);
    }
    const readers = input.config.monitoring.tables?.readers.join(", ");
    const detail = `${readers} may read the tables in ${schemaOf(input)}`;
    return { outcome: "done", detail, warnings };
  },
};

async function lackingGrants(input: MonitoringInput): Promise<readonly Needed[]> {
  const { tables } = input.config.monitoring;
  if (!tables || tables.readers.length === 0) return [];
  const schema = { type: "schema", fullName: schemaOf(input) };
  const onSchema = await grantsOn(input, schema);
  const needed = [neededOn(schema, "USE_SCHEMA", { readers: tables.readers, held: onSchema })];
  for (const name of tableNames) {
    const table = { type: "table", fullName: fullTableName(tables, name) };
    const held = [...onSchema, ...(await grantsOn(input, table))];
    needed.push(neededOn(table, "SELECT", { readers: tables.readers, held }));
  }
  return needed.filter(({ changes }) => changes.length > 0);
}

function neededOn(
  securable: Securable,
  privilege: string,
  { readers, held }: { readonly readers: readonly string[]; readonly held: readonly Grant[] },
): Needed {
  const lacking = readers.filter((reader) => !holds(held, [reader], privilege));
  return {
    securable,
    changes: lacking.map((principal) => ({ principal, add: [privilege] })),
  };
}

/** The catalog belongs to somebody else: what can't be granted there is said. */
async function mayUseCatalog(input: MonitoringInput): Promise<readonly string[]> {
  const { tables } = input.config.monitoring;
  if (!tables || tables.readers.length === 0) return [];
  const catalog = { type: "catalog", fullName: tables.catalog };
  let held: readonly Grant[];
  try {
    held = await grantsOn(input, catalog);
  } catch (error) {
    if (error instanceof MonitorError && error.code === "DATABRICKS_FORBIDDEN") return [];
    throw error;
  }
  const lacking = tables.readers.filter(
    (reader) => !holds(held, [reader, ...EVERYBODY], "USE_CATALOG"),
  );
  if (lacking.length === 0) return [];
  try {
    const changes = lacking.map((principal) => ({ principal, add: ["USE_CATALOG"] }));
    await changeGrants(input.context.client, catalog, changes);
    return [];
  } catch (error) {
    if (!(error instanceof MonitorError) || error.code !== "DATABRICKS_FORBIDDEN") throw error;
    return lacking.map(
      (reader) =>
        `${reader} may read the tables only with USE CATALOG, which this identity can't grant. Its owner can: GRANT USE CATALOG ON CATALOG ${quotedName(tables.catalog)} TO ${quotedName(reader)}`,
    );
  }
}

async function grantsOn(
  { context }: MonitoringInput,
  securable: Securable,
): Promise<readonly Grant[]> {
  return (await orNull(getGrants(context.client, securable))) ?? [];
}

function holds(
  grants: readonly Grant[],
  principals: readonly string[],
  privilege: string,
): boolean {
  const held = grants
    .filter(({ principal }) => principals.includes(principal))
    .flatMap(({ privileges }) => privileges.map((one) => one.replaceAll(" ", "_")));
  return held.includes(privilege) || held.includes("ALL_PRIVILEGES");
}

function schemaOf({ config }: MonitoringInput): string {
  const { tables } = config.monitoring;
  return `${tables?.catalog}.${tables?.schema}`;
}
