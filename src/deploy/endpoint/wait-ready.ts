/** Waits until an endpoint serves what it was told to, and says why it does not. */
import {
  getBuildLogs,
  getServingEndpoint,
  getServingLogs,
  type ServedEntity,
  type ServingConfigInput,
  type ServingEndpoint,
} from "../../databricks/serving-endpoints.ts";
import { MonitorError } from "../../monitor-error.ts";
import { foreignLine } from "../../signals/foreign-line.ts";
import { type DeployContext, pauseBetweenPolls } from "../progress.ts";
import { readRecord } from "./deployment-record.ts";
import { isSameConfig, mainEntity } from "./desired-config.ts";
import { explainLogs } from "./log-lines.ts";
import { isGivenUp, isUpdating } from "./update-state.ts";

/** What Databricks shows may lag behind what it was just told. */
const SETTLE_MS = 60_000;
const FAILED_DEPLOYMENTS = ["DEPLOYMENT_FAILED", "DEPLOYMENT_ABORTED"];

/**
 * @throws MonitorError `DEPLOYMENT_FAILED` with the last lines of the build logs,
 * `DEPLOYMENT_CONFLICT` when something else is served in the end, `DEPLOYMENT_TIMED_OUT`.
 */
export async function waitReady(
  context: DeployContext,
  name: string,
  config: ServingConfigInput,
): Promise<ServingEndpoint> {
  const { client, clock, onProgress, readyTimeoutMs } = context;
  const startMs = clock.now();
  let told = "";
  for (let asked = 0; ; asked++) {
    const endpoint = await getServingEndpoint(client, name);
    const waitedMs = clock.now() - startMs;
    const isOver = !isUpdating(endpoint);
    const isServed = isSameConfig(config, endpoint.servedEntities, endpoint.routes, {
      untoldVariables: "same",
    });

    const isReached = isServed && endpoint.ready === "READY";
    if (
      isReached &&
      (isOver || !isSameConfig(config, endpoint.pendingEntities, endpoint.pendingRoutes))
    ) {
      // An update that is on its way then is somebody else's.
      return endpoint;
    }
    const failed = [...endpoint.pendingEntities, ...endpoint.servedEntities].find(
      (entity) => isOurs(entity, config) && FAILED_DEPLOYMENTS.includes(entity.deployment ?? ""),
    );
    if (isOver && (failed || isGivenUp(endpoint))) {
      throw await failure(context, endpoint, config);
    }
    if (isOver && !isServed && waitedMs > SETTLE_MS) throw conflict(endpoint, config);
    if (waitedMs > readyTimeoutMs) throw timedOut(name, readyTimeoutMs);

    const message = messageOf(endpoint, config);
    if (message !== told) onProgress({ step: "wait", state: "waiting", message });
    told = message;
    await pauseBetweenPolls(asked, context);
  }
}

function isOurs({ name }: ServedEntity, { served_entities: entities }: ServingConfigInput) {
  return entities.some((entity) => entity.name === name);
}

function messageOf(endpoint: ServingEndpoint, config: ServingConfigInput): string {
  const entity = [...endpoint.pendingEntities, ...endpoint.servedEntities].find((one) =>
    isOurs(one, config),
  );
  const said = entity?.message ?? entity?.deployment ?? endpoint.configUpdate ?? "starting";
  return foreignLine(said);
}

async function failure(
  { client }: DeployContext,
  endpoint: ServingEndpoint,
  config: ServingConfigInput,
): Promise<MonitorError> {
  const [entity] = config.served_entities;
  const servedEntityName = entity?.name ?? "";
  const logsOf = { endpointName: endpoint.name, servedEntityName };
  // The logs explain; that they can't be read must not hide what failed.
  const build = await getBuildLogs(client, logsOf).catch(() => "");
  const service = await getServingLogs(client, logsOf).catch(() => "");
  const state = [...endpoint.pendingEntities, ...endpoint.servedEntities].find((one) =>
    isOurs(one, config),
  );
  const why = foreignLine(state?.message ?? `its update ended as ${endpoint.configUpdate}`);
  const logs = [...sectionOf("build logs", build), ...sectionOf("service logs", service)];
  const version = `version ${entity?.entity_version} of model "${entity?.entity_name}"`;
  const serving = endpoint.ready === "READY" ? "; the version before goes on serving" : "";
  return new MonitorError(
    "DEPLOYMENT_FAILED",
    `endpoint "${endpoint.name}" does not serve ${version}: ${why}${serving}${logs.map((line) => `\n    ${line}`).join("")}`,
    {
      hint:
        logs.length > 0
          ? "Mend what the logs say, then run the same command again."
          : `Look at the build logs of "${servedEntityName}" in the workspace, then run the same command again.`,
    },
  );
}

function sectionOf(title: string, logs: string): string[] {
  const { causes, lastLines } = explainLogs(logs);
  return [
    ...(causes.length > 0 ? [`${title}, what failed:`, ...causes.map((line) => `  ${line}`)] : []),
    ...(lastLines.length > 0
      ? [`${title}, the last lines:`, ...lastLines.map((line) => `  ${line}`)]
      : []),
  ];
}

function conflict(
  { name, servedEntities, routes }: ServingEndpoint,
  config: ServingConfigInput,
): MonitorError {
  const serves = servedEntities.map(
    ({ entityName, entityVersion }) => `${entityName} version ${entityVersion}`,
  );
  const main = mainEntity(servedEntities, routes);
  const [ours] = config.served_entities;
  const wasServed = (main && readRecord(main)?.previous)?.some(
    ({ name: model, version }) => model === ours?.entity_name && version === ours.entity_version,
  );
  const what = wasServed
    ? `served version ${ours?.entity_version} and was deployed anew by somebody else right after`
    : "was changed by somebody else meanwhile";
  return new MonitorError(
    "DEPLOYMENT_CONFLICT",
    `endpoint "${name}" ${what}: it serves ${serves.join(", ") || "nothing"}`,
    { hint: "Agree on who deploys, then run the same command again." },
  );
}

function timedOut(name: string, timeoutMs: number): MonitorError {
  return new MonitorError(
    "DEPLOYMENT_TIMED_OUT",
    `endpoint "${name}" is not ready after ${Math.round(timeoutMs / 60_000)} min`,
    { hint: "It may still become so; run the same command again, and it goes on waiting." },
  );
}
