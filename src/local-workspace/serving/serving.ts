/**
 * What is served: starts the entities of a configuration that waits, and puts them in
 * place of those before once all are ready. When one fails, those before stay. After a
 * restart of the workspace, what was served is served again.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { killGroup, startTimeOf } from "../core/bound-process.ts";
import { type BoundedLog, createBoundedLog } from "../core/bounded-log.ts";
import type { WorkspaceContext } from "../core/context.ts";
import { wait } from "../core/wait.ts";
import { Refusal } from "../databricks-error.ts";
import { createOtlpSender, type OtlpSender } from "../otlp-sender.ts";
import { readSecret } from "../secrets/secrets.ts";
import { findVersion, versionPath } from "../unity-catalog/model-registry.ts";
import {
  type Endpoint,
  type Entity,
  type EntityState,
  endpointsOf,
  provisionedConcurrency,
} from "./endpoint.ts";
import { createEndpointMetrics, type EndpointMetrics } from "./endpoint-metrics.ts";
import { exampleOf } from "./example-hash.ts";
import { startModelProcess } from "./model-process.ts";
import { serveRecorded } from "./recorded-entity.ts";
import { scaleToZero } from "./scale-to-zero.ts";
import { type ServedEntity, StartError, serveFailed } from "./served-entity.ts";

export type Serving = {
  /** Begins to count, and starts what waits in the endpoint's pending configuration; the outcome is written to the endpoint. */
  start(endpoint: Endpoint): void;
  /** `undefined` while it starts again after a restart of the workspace. */
  entity(endpoint: string, entity: string): ServedEntity | undefined;
  stateOf(endpoint: string, entity: Entity): EntityState;
  buildLog(endpoint: string, entity: string): string | undefined;
  metricsOf(endpoint: Endpoint): EndpointMetrics;
  remove(endpoint: string): Promise<void>;
};

type Started = { readonly entity: Entity; readonly served: ServedEntity };

export function createServing(context: WorkspaceContext): Serving {
  const { clock, lifetime, behaviour } = context;
  const running = new Map<string, Map<string, Started>>();
  const buildLogs = new Map<string, BoundedLog>();
  const metrics = new Map<string, EndpointMetrics>();
  const senders = new Map<string, OtlpSender>();
  const processes = context.state.collection<{ group: number; startedAt: string | null }>(
    "model-processes",
  );

  // They end with the workspace that started them, but for one that takes its time.
  for (const [key, { group, startedAt }] of processes.entries()) {
    if (startedAt !== null && startTimeOf(group) === startedAt) killGroup(group, "SIGKILL");
    processes.delete(key);
  }
  lifetime.atClose(async () => {
    const all = [...running.values()].flatMap((entities) => [...entities.values()]);
    await Promise.all(all.map(({ served }) => served.close()));
    for (const sender of senders.values()) sender.close();
    for (const [key] of processes.entries()) processes.delete(key);
  });

  /** One that may scale to zero does so from then on. */
  async function startScaling(endpoint: string, entity: Entity): Promise<ServedEntity> {
    const first = await startEntity(endpoint, entity);
    return scaling(endpoint, entity, first);
  }

  function scaling(endpoint: string, entity: Entity, first: ServedEntity): ServedEntity {
    if (!entity.scale_to_zero_enabled) return first;
    return scaleToZero({
      first,
      clock,
      idleMs: () => behaviour.scaleToZeroMs,
      async start() {
        if (!(await wait(clock, behaviour.endpointStartMs, lifetime.signal))) {
          throw new StartError("The workspace is closing.");
        }
        return await startEntity(endpoint, entity);
      },
    });
  }

  /**
   * Recordings are there at once; a process takes its time.
   *
   * @throws StartError, also of the promise.
   */
  function startEntity(endpoint: string, entity: Entity): ServedEntity | Promise<ServedEntity> {
    const buildLog = createBoundedLog();
    buildLogs.set(`${endpoint}/${entity.name}`, buildLog);
    const say = (text: string) => buildLog.add(`[local workspace] ${text}\n`);
    const refuse = (error: unknown): never => {
      if (error instanceof StartError) say(error.message);
      throw error;
    };
    try {
      const served = startKnown(endpoint, entity, buildLog);
      if (!(served instanceof Promise)) {
        say(served.state().message);
        return served;
      }
      return served.then((ready) => {
        say("The container is ready.");
        return ready;
      }, refuse);
    } catch (error) {
      return refuse(error);
    }
  }

  function startKnown(
    endpoint: string,
    entity: Entity,
    buildLog: BoundedLog,
  ): ServedEntity | Promise<ServedEntity> {
    const failure = behaviour.failingStarts.get(endpoint);
    if (failure !== undefined) throw new StartError(failure);
    const environment = resolveEnvironment(context, entity);
    const version = findVersion(context, entity.entity_name, entity.entity_version);
    const modelDirectory = context.models.locate(versionPath(version.full_name, version.version));
    if (context.python !== null && version.recorded_agent === undefined) {
      return startModelProcess({
        python: context.python,
        modelDirectory,
        environment,
        clock,
        signal: lifetime.signal,
        buildLog,
        onStarted: (group) =>
          processes.put(`${endpoint}/${entity.name}/${group}`, {
            group,
            startedAt: startTimeOf(group),
          }),
      });
    }
    const example = version.recorded_agent ?? exampleOf(modelDirectory);
    const agent = context.recordedAgents.find((each) => each.agent === example);
    if (!agent) {
      throw new StartError(
        "The local workspace runs this model only with a Python that has mlflow and dspy: start it with --python PATH. Without one, it answers for the unchanged examples alone, from recordings.",
      );
    }
    return serveRecorded({
      agent,
      serviceName: environment.OTEL_SERVICE_NAME ?? environment.DSPY_ENDPOINT ?? endpoint,
      clock,
      sendTelemetry: telemetryOf(environment),
    });
  }

  /** As the agent itself would find out where to report to. */
  function telemetryOf(environment: Readonly<Record<string, string>>) {
    const url =
      environment.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT ?? environment.OTEL_EXPORTER_OTLP_ENDPOINT;
    if (url === undefined) return context.sendTelemetry;
    const headers = otlpHeaders(environment.OTEL_EXPORTER_OTLP_HEADERS ?? "");
    const key = JSON.stringify([url, headers]);
    const known = senders.get(key) ?? createOtlpSender({ url, headers, clock });
    senders.set(key, known);
    return (body: Uint8Array) => known.send(body);
  }

  async function deploy({ name, id }: Endpoint, configVersion: number): Promise<void> {
    if (!(await wait(clock, behaviour.endpointStartMs, lifetime.signal))) return;
    const pending = endpointsOf(context).get(name)?.pending;
    if (!pending || pending.config_version !== configVersion) return;

    const before = running.get(name) ?? new Map<string, Started>();
    const after = new Map<string, Started>();
    const failures: Record<string, string> = {};
    await Promise.all(
      pending.served_entities.map(async (entity) => {
        const kept = before.get(entity.name);
        if (kept && isSame(kept.entity, entity)) {
          after.set(entity.name, { entity, served: kept.served });
          return;
        }
        try {
          after.set(entity.name, { entity, served: await startScaling(name, entity) });
        } catch (error) {
          failures[entity.name] = error instanceof Error ? error.message : String(error);
        }
      }),
    );
    const isNew = ({ served }: Started) => ![...before.values()].some((o) => o.served === served);
    const current = endpointsOf(context).get(name);
    const isWanted = current?.id === id && current.pending?.config_version === configVersion;
    if (!isWanted || lifetime.signal.aborted || Object.keys(failures).length > 0) {
      await Promise.all([...after.values()].filter(isNew).map(({ served }) => served.close()));
      if (isWanted && !lifetime.signal.aborted) {
        endpointsOf(context).put(name, { ...current, pending: { ...pending, failures } });
      }
      return;
    }
    running.set(name, after);
    const { start_time: _start, failures: _none, ...config } = pending;
    endpointsOf(context).put(name, {
      ...current,
      config,
      pending: null,
      task: taskOf(context, config.served_entities[0]),
    });
    const stillUsed = new Set([...after.values()].map(({ served }) => served));
    await Promise.all(
      [...before.values()]
        .filter(({ served }) => !stillUsed.has(served))
        .map(({ served }) => served.close()),
    );
  }

  /** After a restart of the workspace. */
  function resume({ name, config }: Endpoint): void {
    const entities = new Map<string, Started>();
    running.set(name, entities);
    for (const entity of config?.served_entities ?? []) {
      const served = startAgain(name, entity);
      if (served instanceof Promise) {
        const keep = served.then(
          (ready) => void entities.set(entity.name, { entity, served: ready }),
        );
        lifetime.background(`endpoint ${name}`, keep);
      } else {
        entities.set(entity.name, { entity, served });
      }
    }
  }

  /** What can't be started any more is served as failed. */
  function startAgain(endpoint: string, entity: Entity): ServedEntity | Promise<ServedEntity> {
    const failed = (error: unknown): ServedEntity => {
      if (!(error instanceof StartError) && !(error instanceof Refusal)) throw error;
      return serveFailed(error.message);
    };
    try {
      const served = startEntity(endpoint, entity);
      return served instanceof Promise
        ? served.then((ready) => scaling(endpoint, entity, ready), failed)
        : scaling(endpoint, entity, served);
    } catch (error) {
      return failed(error);
    }
  }

  function isCold(endpoint: string): boolean {
    const all = [...(running.get(endpoint)?.values() ?? [])];
    return all.length > 0 && all.every(({ served }) => served.state().isCold === true);
  }

  const serving: Serving = {
    start(endpoint) {
      const { pending } = endpoint;
      serving.metricsOf(endpoint);
      if (!pending) return;
      lifetime.background(`endpoint ${endpoint.name}`, deploy(endpoint, pending.config_version));
    },
    entity: (endpoint, entity) => running.get(endpoint)?.get(entity)?.served,
    stateOf(endpoint, entity) {
      const served = serving.entity(endpoint, entity.name);
      return (
        served?.state() ?? {
          deployment: "DEPLOYMENT_RECOVERING",
          message: "The workspace was started again.",
        }
      );
    },
    buildLog: (endpoint, entity) => buildLogs.get(`${endpoint}/${entity}`)?.text(),
    metricsOf(endpoint) {
      const known =
        metrics.get(endpoint.id) ??
        createEndpointMetrics({
          clock,
          processUse: context.processUse,
          provisionedConcurrency: () =>
            provisionedConcurrency(endpointsOf(context).get(endpoint.name)?.config ?? null),
          isCold: () => isCold(endpoint.name),
        });
      metrics.set(endpoint.id, known);
      return known;
    },
    async remove(endpoint) {
      const entities = [...(running.get(endpoint)?.values() ?? [])];
      running.delete(endpoint);
      for (const key of buildLogs.keys()) {
        if (key.startsWith(`${endpoint}/`)) buildLogs.delete(key);
      }
      await Promise.all(entities.map(({ served }) => served.close()));
    },
  };

  for (const endpoint of endpointsOf(context).list()) {
    serving.metricsOf(endpoint);
    if (endpoint.config) resume(endpoint);
    const isWaiting = endpoint.pending && Object.keys(endpoint.pending.failures).length === 0;
    if (isWaiting) serving.start(endpoint);
  }
  return serving;
}

/** What runs may run on: the same model with the same environment, and as long as before. */
function isSame(one: Entity, other: Entity): boolean {
  const shown = ({ entity_name, entity_version, environment_vars, ...others }: Entity) =>
    JSON.stringify([
      entity_name,
      entity_version,
      environment_vars ?? {},
      others.scale_to_zero_enabled,
    ]);
  return shown(one) === shown(other);
}

const SECRET = /^\{\{secrets\/([^/]+)\/([^/}]+)\}\}$/;

/** @throws StartError that names the variable, never a value. */
function resolveEnvironment(context: WorkspaceContext, entity: Entity): Record<string, string> {
  const reader = context.principals.named(entity.creator);
  return Object.fromEntries(
    Object.entries(entity.environment_vars ?? {}).map(([name, value]) => {
      const [, scope, key] = SECRET.exec(value.trim()) ?? [];
      if (scope === undefined || key === undefined) return [name, value];
      try {
        if (!reader) throw new Error(`${entity.creator} is unknown`);
        return [name, readSecret(context, reader, { scope, key })];
      } catch (error) {
        const why = error instanceof Error ? error.message : "unknown";
        throw new StartError(`Environment variable ${name} can't be resolved: ${why}`);
      }
    }),
  );
}

/** `key=value,key=value`, as OpenTelemetry has it. */
function otlpHeaders(text: string): Record<string, string> {
  const pairs = text.split(",").map((pair) => pair.split("="));
  return Object.fromEntries(
    pairs
      .map(([key = "", ...value]) => [key.trim(), decodeURIComponent(value.join("=").trim())])
      .filter(([key]) => key !== ""),
  );
}

/** As the model's own description says; of a recorded one without files that of the examples. */
function taskOf(context: WorkspaceContext, entity: Entity | undefined): string | undefined {
  if (!entity) return undefined;
  const version = findVersion(context, entity.entity_name, entity.entity_version);
  if (version.recorded_agent !== undefined) return "agent/v1/chat";
  const path = versionPath(version.full_name, version.version);
  try {
    const text = readFileSync(join(context.models.locate(path), "MLmodel"), "utf8");
    return /^\s+task:\s*["']?([\w/.-]+)/m.exec(text)?.[1];
  } catch {
    return undefined;
  }
}
