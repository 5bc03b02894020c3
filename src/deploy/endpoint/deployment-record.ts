/**
 * What a deployment leaves for the next one, inside the configuration that is served:
 * what was served before, and whether this is a rollback. It is changed by the same
 * call as the configuration, so the two never disagree, whoever is killed and when.
 */
import type { ServedEntity } from "../../databricks/serving-endpoints.ts";
import { MonitorError } from "../../monitor-error.ts";

export type DeploymentRecord = {
  readonly agent: string;
  /** Of the agent, as `agent.yaml` counts it. */
  readonly agentVersion: string;
  readonly environment: string | null;
  /** Versions served before, the latest first. */
  readonly previous: readonly ModelRef[];
  /** Where a rollback brought this here from. */
  readonly rolledBackFrom: ModelRef | null;
};

/** A version of a model of Unity Catalog. */
export type ModelRef = { readonly name: string; readonly version: string };

/** A variable of the served entity: for us, and harmless for the agent. */
export const RECORD_VARIABLE = "DSPY_DEPLOYMENT";
/** A record of this format names none. */
const RECORD_FORMAT = 1;
/** More are forgotten; the versions themselves stay registered. */
const PREVIOUS_MAX = 10;

export function writeRecord(record: DeploymentRecord): string {
  const { agent, agentVersion, environment, previous, rolledBackFrom } = record;
  return JSON.stringify({
    agent,
    agent_version: agentVersion,
    ...(environment !== null && { environment }),
    ...(previous.length > 0 && { previous: previous.slice(0, PREVIOUS_MAX).map(textOf) }),
    ...(rolledBackFrom && { rolled_back_from: textOf(rolledBackFrom) }),
  });
}

/**
 * `null` where somebody else made the entity.
 *
 * @throws MonitorError `DEPLOYMENT_CONFLICT` when a newer version of ours did: what it keeps in
 * the record would be lost.
 */
export function readRecord({ name, environmentVars }: ServedEntity): DeploymentRecord | null {
  const text = environmentVars.get(RECORD_VARIABLE);
  if (text === undefined) return null;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null) return null;
  const told = new Map(Object.entries(value));
  const format: unknown = told.get("format") ?? RECORD_FORMAT;
  if (format !== RECORD_FORMAT) {
    throw new MonitorError(
      "DEPLOYMENT_CONFLICT",
      `what is served as "${name}" was deployed by a newer version (record of format ${String(format)}; this one knows ${RECORD_FORMAT})`,
      {
        hint: "Update dspy-databricks-agents here to the version that deployed it, or a newer one.",
      },
    );
  }
  const word = (key: string) => {
    const found = told.get(key);
    return typeof found === "string" ? found : null;
  };
  const previous: unknown = told.get("previous");
  return {
    agent: word("agent") ?? "",
    agentVersion: word("agent_version") ?? "",
    environment: word("environment"),
    previous: (Array.isArray(previous) ? previous : []).map(refOf).filter((ref) => ref !== null),
    rolledBackFrom: refOf(told.get("rolled_back_from")),
  };
}

export function refOfEntity({ entityName, entityVersion }: ServedEntity): ModelRef | null {
  return entityName === null || entityVersion === null
    ? null
    : { name: entityName, version: entityVersion };
}

export function isSameModel(one: ModelRef | null, other: ModelRef | null): boolean {
  return one?.name === other?.name && one?.version === other?.version;
}

function textOf({ name, version }: ModelRef): string {
  return `${name}/${version}`;
}

function refOf(value: unknown): ModelRef | null {
  const [, name, version] = typeof value === "string" ? (/^(.+)\/([^/]+)$/.exec(value) ?? []) : [];
  return name === undefined || version === undefined ? null : { name, version };
}
