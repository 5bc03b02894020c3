/**
 * Deploys one agent: a list of steps, each of which looks first whether it is done
 * already. So the same command can be run again after any failure, and after being
 * killed at any point; what is done stays done, and the rest is done then.
 */
import type { AgentConfig } from "../config/agent-config.ts";
import {
  putAiGateway,
  type ServingEndpoint,
  updateServingTags,
} from "../databricks/serving-endpoints.ts";
import { MonitorError } from "../monitor-error.ts";
import type { DeploymentResult, DeployOptions } from "./deployment-result.ts";
import { type AppliedConfig, applyConfig } from "./endpoint/apply-config.ts";
import { type ModelRef, readRecord, refOfEntity } from "./endpoint/deployment-record.ts";
import { desiredConfig, mainEntity } from "./endpoint/desired-config.ts";
import {
  ensureSchema,
  gatewayWith,
  hasTable,
  tableNameOf,
  wantedTable,
} from "./endpoint/inference-table.ts";
import { returnToBefore } from "./endpoint/return-to-before.ts";
import { sendSmokeRequest } from "./endpoint/smoke-request.ts";
import { isUpdating } from "./endpoint/update-state.ts";
import { isVerified, verifiedTags } from "./endpoint/verified.ts";
import { waitReady } from "./endpoint/wait-ready.ts";
import type { ModelDirectory } from "./model-directory/model-directory.ts";
import { ensureVersion, finalizeVersion, uploadFiles } from "./model-version/register-version.ts";
import type { MonitoringStep } from "./monitoring/monitoring-step.ts";
import { planMonitoring, setUpMonitoring } from "./monitoring/set-up-monitoring.ts";
import { checkOwner, observe, type Seen } from "./observe.ts";
import { missingPermissions } from "./permissions/missing-permissions.ts";
import { planSteps } from "./plan.ts";
import type { DeployContext, StepName, StepOutcome, StepResult } from "./progress.ts";
import { missingSecrets, refuseMissingSecrets } from "./secret-references.ts";

type Deployment = {
  readonly config: AgentConfig;
  readonly context: DeployContext;
  readonly seen: Seen;
  readonly run: RunStep;
  readonly warn: (warning: string) => void;
};

/** @throws MonitorError, whose codes are those in `docs/deployment.md`. */
export async function deploy(
  config: AgentConfig,
  { environment, enableMonitoring = true, dryRun = false }: DeployOptions,
  context: DeployContext,
  monitoringSteps: readonly MonitoringStep[],
): Promise<DeploymentResult> {
  checkEnvironment(config, environment);
  const steps: StepResult[] = [];
  const warnings: string[] = [];
  const run = stepRunner(context, steps);
  const seen = await run("validate", async () => {
    const found = await observe(context, config);
    const missing = await missingSecrets(context.client, config);
    if (!dryRun) refuseMissingSecrets(config, missing);
    warnings.push(...missing);
    return { ...done(describe(config, found)), value: found };
  });
  warnings.push(...seen.warnings);
  const head = headOf(config, context, seen);

  if (dryRun) {
    const { servingEndpoint: endpointName } = config.deployment;
    const asked = enableMonitoring ? monitoringSteps : [];
    return {
      ...head("planned", seen.version && String(seen.version.number)),
      steps: [
        ...planSteps(config, seen),
        ...(await planMonitoring(asked, { config, context, endpointName })),
      ],
      missingPermissions: await missingPermissions(context, config, { seen, enableMonitoring }),
      warnings,
    };
  }

  const deployment = { config, context, seen, run, warn: (text: string) => warnings.push(text) };
  const version = seen.directory
    ? await registerModel(deployment, seen.directory)
    : (seen.version?.number ?? 0);
  const model = { name: seen.modelName, version: String(version) };
  const endpoint = await serveModel(deployment, model);
  const monitoring = enableMonitoring
    ? await setUpMonitoring(monitoringSteps, {
        config,
        context,
        endpoint,
        model,
        onResult: (result) => steps.push(result),
        onWarning: deployment.warn,
      })
    : null;
  const isUnchanged = steps.every(
    ({ name, outcome }) => name === "validate" || outcome === "unchanged" || outcome === "skipped",
  );
  return {
    ...head(isUnchanged ? "unchanged" : "success", model.version),
    steps,
    ...(monitoring && { monitoring }),
    warnings,
  };
}

async function registerModel(
  { config, context, seen, run }: Deployment,
  directory: ModelDirectory,
): Promise<number> {
  const { modelName, version: found } = seen;
  const version = await run("model version", async () => {
    if (found) {
      return {
        ...unchanged(`version ${found.number} of ${modelName} has this content`),
        value: found.number,
      };
    }
    const description = `${config.name} ${config.version}`;
    const { contentHash } = directory;
    const made = await ensureVersion(context, { modelName, contentHash, description }, seen);
    return { ...done(`version ${made.version} of ${modelName}`), value: made.version };
  });
  const name = { modelName, version };
  const files = `${directory.files.size} files, ${directory.sizeBytes} bytes`;
  await run("upload", async () => {
    if (found?.isReady) return { ...unchanged(files), value: null };
    await uploadFiles(context, name, directory);
    return { ...done(files), value: null };
  });
  await run("finalize", async () => {
    if (found?.isReady) return { ...unchanged("the version is ready"), value: null };
    await finalizeVersion(context, name);
    return { ...done("the version is ready"), value: null };
  });
  return version;
}

async function serveModel(deployment: Deployment, model: ModelRef): Promise<ServingEndpoint> {
  const { config, context, seen, run } = deployment;
  const { servingEndpoint: name } = config.deployment;
  const table = wantedTable(config);
  const change = await run("endpoint", async () => {
    const isLogged = table !== null && seen.endpoint !== null && hasTable(seen.endpoint, table);
    if (table && !isLogged) await ensureSchema(context.client, table);
    const applied = await applyConfig(context, {
      name,
      desired(current) {
        // Somebody else may have made it since it was looked at.
        if (current) checkOwner(config, current, model.name);
        return desiredConfig(config, model, current);
      },
      whenNew: {
        tags: tagsOf(config),
        ...(config.description !== undefined && { description: config.description }),
        ...(table && { ai_gateway: gatewayWith(null, table) }),
      },
    });
    const serves = `${name} serves ${model.name} version ${model.version}`;
    const told = applied.kind === "unchanged" ? unchanged(serves) : done(serves);
    return { ...told, value: applied };
  });
  const endpoint = await run("wait", async () => {
    const ready = await waitReady(context, name, change.config);
    const wasReady =
      change.kind === "unchanged" && seen.endpoint !== null && !isUpdating(seen.endpoint);
    return { ...(wasReady ? unchanged("ready") : done("ready")), value: ready };
  });
  await run("inference table", async () => {
    if (!table) return { ...skipped("agent.yaml asks for none"), value: null };
    if (hasTable(endpoint, table)) return { ...unchanged(tableNameOf(table)), value: null };
    await putAiGateway(context.client, name, gatewayWith(endpoint, table));
    return { ...done(tableNameOf(table)), value: null };
  });
  await run("smoke request", () => askOnce(deployment, endpoint, change));
  return endpoint;
}

async function askOnce(
  { config, context, warn }: Deployment,
  endpoint: ServingEndpoint,
  change: AppliedConfig,
): Promise<Stepped<null>> {
  const question = config.deployment.smokeRequest;
  if (question === false) return { ...skipped("agent.yaml asks for none"), value: null };
  if (isVerified(endpoint)) {
    return { ...unchanged("this configuration has answered before"), value: null };
  }
  try {
    const outcome = await sendSmokeRequest(context, endpoint, question);
    if (outcome.kind === "not-asked") {
      warn(`${endpoint.name} was not asked: ${outcome.reason}`);
      return { ...skipped(outcome.reason), value: null };
    }
  } catch (error) {
    if (!(error instanceof MonitorError) || error.code !== "SMOKE_REQUEST_FAILED") throw error;
    throw await returnToBefore(context, { endpoint, change, cause: error });
  }
  const add = [...tagsOf(config), ...verifiedTags(endpoint)];
  await updateServingTags(context.client, endpoint.name, { add });
  return { ...done("it answered"), value: null };
}

function checkEnvironment(config: AgentConfig, environment: string | undefined): void {
  if (environment === undefined || environment === config.environment) return;
  const read =
    config.environment === null ? "no environment" : `the environment "${config.environment}"`;
  throw new MonitorError(
    "USAGE_INVALID",
    `${config.file} was read for ${read}, but is to be deployed to "${environment}"`,
    { hint: `Read it with loadAgentConfig(path, { environment: "${environment}" }).` },
  );
}

function describe(config: AgentConfig, { directory, modelName, endpoint }: Seen): string {
  const what = directory ? `${directory.files.size} files for ${modelName}` : modelName;
  return `${config.name} ${config.version}: ${what}; the endpoint is ${endpoint ? "there" : "new"}`;
}

function tagsOf({ name, version, environment }: AgentConfig) {
  return [
    { key: "dspy_agent", value: name },
    { key: "dspy_agent_version", value: version },
    ...(environment === null ? [] : [{ key: "dspy_environment", value: environment }]),
  ];
}

function headOf(config: AgentConfig, { client }: DeployContext, { endpoint, modelName }: Seen) {
  const { servingEndpoint: endpointName } = config.deployment;
  const main = endpoint && mainEntity(endpoint.servedEntities, endpoint.routes);
  const served = main && refOfEntity(main);
  return (status: DeploymentResult["status"], modelVersion: string | null) => {
    const isOther = served !== null && served.version !== modelVersion;
    const before = isOther ? served : main && readRecord(main)?.previous[0];
    return {
      status,
      agentName: config.name,
      agentVersion: config.version,
      environment: config.environment,
      endpointName,
      endpointUrl: `${client.host}/serving-endpoints/${encodeURIComponent(endpointName)}/invocations`,
      modelName,
      modelVersion,
      ...(before && { previousVersion: before.version }),
    };
  };
}

// ─── Steps ──────────────────────────────────────────────────────────────────

type Stepped<T> = { readonly outcome: StepOutcome; readonly detail: string; readonly value: T };
type RunStep = <T>(name: StepName, step: () => Promise<Stepped<T>>) => Promise<T>;

const done = (detail: string) => ({ outcome: "done" as const, detail });
const unchanged = (detail: string) => ({ outcome: "unchanged" as const, detail });
const skipped = (detail: string) => ({ outcome: "skipped" as const, detail });

function stepRunner({ clock, onProgress, signal }: DeployContext, results: StepResult[]): RunStep {
  return async (name, step) => {
    signal?.throwIfAborted();
    const startMs = clock.now();
    onProgress({ step: name, state: "started", message: "" });
    try {
      const { outcome, detail, value } = await step();
      results.push({ name, outcome, durationMs: clock.now() - startMs, detail });
      onProgress({ step: name, state: outcome, message: detail });
      return value;
    } catch (error) {
      onProgress({ step: name, state: "failed", message: "" });
      throw error;
    }
  };
}
