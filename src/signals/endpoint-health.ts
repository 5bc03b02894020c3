/**
 * Decides how a serving endpoint is, from what Databricks reports of it. Pure. An
 * endpoint that is scaled to zero is cold, not down; one that serves its old
 * version while the new one fails is degraded, since its callers see no failure.
 * One decision for all who ask: what polls a workspace, and the health checks.
 */
import { foreignLine } from "./foreign-line.ts";
import type { HealthStatus } from "./health-result.ts";

/** The part of a serving endpoint that is looked at. */
export type EndpointState = {
  readonly name: string;
  readonly ready: string | null;
  readonly configUpdate: string | null;
  readonly servedEntities: readonly EntityState[];
  /** Those of a configuration that waits to be served. */
  readonly pendingEntities: readonly EntityState[];
};

export type EntityState = {
  readonly name: string;
  readonly entityName: string | null;
  readonly entityVersion: string | null;
  readonly deployment: string | null;
  readonly message: string | null;
};

export type EndpointVerdict = {
  readonly status: HealthStatus;
  readonly state: string;
  readonly message: string;
};

export function judgeEndpoint(endpoint: EndpointState): EndpointVerdict {
  const { ready, configUpdate, servedEntities, pendingEntities } = endpoint;
  const broken = [...servedEntities, ...pendingEntities].filter(isBroken);
  const evidence = broken.map(entitySentence).join("; ");
  const because = evidence === "" ? "" : `: ${evidence}`;

  if (servedEntities.length > 0 && servedEntities.every(isScaledToZero)) {
    return {
      status: "healthy",
      state: "cold",
      message: "Scaled to zero; the next request starts it and waits for that.",
    };
  }
  if (ready === "NOT_READY") {
    const cause = because || waitingEvidence([...pendingEntities, ...servedEntities]);
    const update = configUpdate === "IN_PROGRESS" ? " while an update is in progress" : "";
    return {
      status: "unhealthy",
      state: "not_ready",
      message: `Not ready to serve${update}${cause}.`,
    };
  }
  if (ready !== "READY") {
    return {
      status: "unknown",
      state: "unknown",
      message: ready
        ? `Databricks reports the state ${plain(ready)}, which is not known here.`
        : "Databricks reports no state.",
    };
  }
  if (configUpdate === "UPDATE_FAILED") {
    return {
      status: "degraded",
      state: "update_failed",
      message: `Serves its previous configuration, because the last update failed${because}.`,
    };
  }
  if (configUpdate === "IN_PROGRESS") {
    return {
      status: "healthy",
      state: "updating",
      message: "Serves its current configuration while an update is in progress.",
    };
  }
  if (servedEntities.some(isBroken)) {
    return {
      status: "degraded",
      state: "entity_not_ready",
      message: `Ready, but not with all that it serves${because}.`,
    };
  }
  return { status: "healthy", state: "ready", message: "Ready to serve." };
}

/** Databricks says so in the message of an entity that is `DEPLOYMENT_READY`, in these words. */
function isScaledToZero({ deployment, message }: EntityState): boolean {
  return /scaled[ _-]to[ _-]zero/i.test(`${deployment ?? ""} ${message ?? ""}`);
}

function isBroken({ deployment }: EntityState): boolean {
  return (
    deployment === "DEPLOYMENT_FAILED" ||
    deployment === "DEPLOYMENT_ABORTED" ||
    deployment === "DEPLOYMENT_RECOVERING"
  );
}

/** Why it is not ready, when nothing failed: what is still being made. */
function waitingEvidence(entities: readonly EntityState[]): string {
  const waiting = entities.find((entity) => entity.deployment === "DEPLOYMENT_CREATING");
  return waiting ? `: ${entitySentence(waiting)}` : "";
}

/** `support-3 (ml.agents.support version 3) is DEPLOYMENT_FAILED, "Container crashed"` */
function entitySentence(entity: EntityState): string {
  const version = entity.entityVersion ? ` version ${plain(entity.entityVersion)}` : "";
  const model = entity.entityName ? ` (${plain(entity.entityName)}${version})` : "";
  const said = entity.message ? `, "${plain(entity.message)}"` : "";
  return `${plain(entity.name)}${model} is ${plain(entity.deployment ?? "unknown")}${said}`;
}

/** Databricks' words as part of a sentence, so without a final stop. */
function plain(text: string): string {
  return foreignLine(text).replace(/\.$/, "");
}
