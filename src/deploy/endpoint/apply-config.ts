/**
 * Makes an endpoint or changes what it serves, unless another deployment is under way.
 * Databricks takes one update at a time and says 409 to a second: that is the lock. Who
 * comes second waits until the first is finished and looks at the endpoint anew, so
 * nothing is overwritten that was not seen.
 */
import { isAlreadyThere } from "../../databricks/databricks-error.ts";
import {
  createServingEndpoint,
  getServingEndpoint,
  type ServingConfigInput,
  type ServingEndpoint,
  type ServingEndpointInput,
  updateServingConfig,
} from "../../databricks/serving-endpoints.ts";
import { MonitorError } from "../../monitor-error.ts";
import { foreignLine } from "../../signals/foreign-line.ts";
import { isConflict, isQuota, mayHaveHappened, orNull } from "../databricks-says.ts";
import { type DeployContext, pause, pauseBetweenPolls, type StepName } from "../progress.ts";
import { isSameConfig } from "./desired-config.ts";
import { isGivenUp, isUpdating } from "./update-state.ts";

export type EndpointChange = {
  readonly name: string;
  /** What is to be served, given what is; asked again whenever that has changed. */
  readonly desired: (current: ServingEndpoint | null) => ServingConfigInput;
  readonly whenNew: Omit<ServingEndpointInput, "name" | "config">;
};

export type AppliedConfig = {
  readonly kind: "created" | "updated" | "unchanged";
  /** As it was before; `null` where there was no endpoint. */
  readonly before: ServingEndpoint | null;
  readonly config: ServingConfigInput;
};

const ATTEMPTS_MAX = 5;
/** Longest message of a call that failed. */
const MESSAGE_MAX_CHARS = 1_000;

/** @throws MonitorError `DEPLOYMENT_CONFLICT` when another update never ends. */
export async function applyConfig(
  context: DeployContext,
  { name, desired, whenNew }: EndpointChange,
): Promise<AppliedConfig> {
  const { client } = context;
  for (let attempt = 1; ; attempt++) {
    const before = await untilNoOtherUpdate(context, name, desired);
    const config = desired(before);
    if (before && isServedOrComing(before, config)) return { kind: "unchanged", before, config };
    try {
      if (before) {
        await updateServingConfig(client, name, config);
        return { kind: "updated", before, config };
      }
      await createServingEndpoint(client, { ...whenNew, name, config });
      return { kind: "created", before: null, config };
    } catch (error) {
      if (isQuota(error)) throw quota(name, error);
      const isWorthAnotherLook =
        isConflict(error) || isAlreadyThere(error) || mayHaveHappened(error);
      if (!isWorthAnotherLook || attempt === ATTEMPTS_MAX) throw error;
      await pause(context.pollMs, context);
    }
  }
}

/** Whether it serves this, or is about to. */
export function isServedOrComing(endpoint: ServingEndpoint, config: ServingConfigInput): boolean {
  if (isUpdating(endpoint)) {
    return isSameConfig(config, endpoint.pendingEntities, endpoint.pendingRoutes);
  }
  const isServing = isSameConfig(config, endpoint.servedEntities, endpoint.routes);
  // What was given up is to be tried again, also where nothing else was ever served.
  return isServing && !(isGivenUp(endpoint) && endpoint.ready !== "READY");
}

/** The endpoint once nobody else changes it; `null` where there is none. */
async function untilNoOtherUpdate(
  context: DeployContext,
  name: string,
  desired: EndpointChange["desired"],
): Promise<ServingEndpoint | null> {
  const { client, clock, onProgress, readyTimeoutMs } = context;
  const step: StepName = "endpoint";
  const startMs = clock.now();
  for (let asked = 0; ; asked++) {
    const endpoint = await orNull(getServingEndpoint(client, name));
    if (!endpoint || !isUpdating(endpoint)) return endpoint;
    // The update that is under way is ours: of a run that was killed.
    if (isServedOrComing(endpoint, desired(endpoint))) return endpoint;
    if (clock.now() - startMs > readyTimeoutMs) {
      const versions = endpoint.pendingEntities.map(
        ({ entityName, entityVersion }) => `${entityName} version ${entityVersion}`,
      );
      throw new MonitorError(
        "DEPLOYMENT_CONFLICT",
        `endpoint "${name}" is being updated by somebody else, to ${versions.join(", ") || "another configuration"}, for more than ${Math.round(readyTimeoutMs / 60_000)} min`,
        { hint: "Wait until that update is finished, then run the same command again." },
      );
    }
    if (asked === 0) {
      onProgress({
        step,
        state: "waiting",
        message: "another update of the endpoint is under way",
      });
    }
    await pauseBetweenPolls(asked, context);
  }
}

function quota(name: string, cause: unknown): MonitorError {
  const said = cause instanceof Error ? cause.message : "";
  return new MonitorError("QUOTA_EXCEEDED", foreignLine(said, { maxChars: MESSAGE_MAX_CHARS }), {
    hint: `Delete an endpoint that nobody uses, take a smaller compute_size for "${name}", or ask an account admin for more.`,
    cause,
  });
}
