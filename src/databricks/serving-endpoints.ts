/**
 * The Model Serving API, as far as watching needs it. Reads only. Fields that it
 * does not know are ignored, and states stay open strings: Databricks adds both.
 */
import { apiPath } from "./api-path.ts";
import type { DatabricksClient } from "./client.ts";
import { type JsonRecord, recordOf, textOf } from "./json-fields.ts";

export type ServingEndpoint = {
  readonly name: string;
  /** Not the name: permissions are granted by this id. */
  readonly id: string | null;
  /** `READY` or `NOT_READY`; `null` when Databricks does not say. */
  readonly ready: string | null;
  /** `NOT_UPDATING`, `IN_PROGRESS`, `UPDATE_FAILED` or `UPDATE_CANCELED`. */
  readonly configUpdate: string | null;
  /** Whether another configuration waits to be served. */
  readonly hasPendingConfig: boolean;
  readonly servedEntities: readonly ServedEntity[];
  /** Those of the configuration that waits: they say why an update fails. */
  readonly pendingEntities: readonly ServedEntity[];
  /** Such as `agent/v1/responses` or `llm/v1/chat`; `null` for other models. */
  readonly task: string | null;
  readonly creator: string | null;
};

export type ServedEntity = {
  readonly name: string;
  /** The model, such as `ml.agents.support`. */
  readonly entityName: string | null;
  readonly entityVersion: string | null;
  readonly scaleToZero: boolean | null;
  /** Such as `DEPLOYMENT_READY`; `null` in a list, which leaves it out. */
  readonly deployment: string | null;
  /** Databricks' own words, such as `Scaled to zero`. */
  readonly message: string | null;
};

export type ServingEndpointList = {
  readonly endpoints: readonly ServingEndpoint[];
  /** Entries without a name that can be asked about. */
  readonly unreadable: number;
};

/** Databricks allows 63; more than that is shown, but no page or path should burst. */
const NAME_MAX_CHARS = 200;
/** Pages of one list. Databricks documents one; where it names another, it is read. */
const PAGES_MAX = 100;

type Options = { readonly signal?: AbortSignal | undefined };

/** All endpoints that the identity may see. Entities are without state here. */
export async function listServingEndpoints(
  client: DatabricksClient,
  { signal }: Options = {},
): Promise<ServingEndpointList> {
  const endpoints: ServingEndpoint[] = [];
  let unreadable = 0;
  let pageToken: string | null = null;
  for (let page = 1; ; page++) {
    const answer = await client.getJson(apiPath`/api/2.0/serving-endpoints`, {
      purpose: "list the serving endpoints",
      permission:
        "Give the identity access to the workspace and CAN VIEW on its serving endpoints.",
      ...(pageToken !== null && { query: { page_token: pageToken } }),
      signal,
    });
    const list = recordOf(answer.json);
    const entries = list?.endpoints ?? [];
    if (!list || !Array.isArray(entries)) throw answer.unusable("holds no list of endpoints");
    for (const entry of entries) {
      const endpoint = readEndpoint(entry);
      if (endpoint && isUsableName(endpoint.name)) endpoints.push(endpoint);
      else unreadable++;
    }
    pageToken = textOf(list.next_page_token);
    if (pageToken === null) return { endpoints, unreadable };
    if (page === PAGES_MAX) throw answer.unusable(`has more than ${PAGES_MAX} pages`);
  }
}

/** Whether a path, a line of text and a page can hold it, so that one strange name spoils no other. */
function isUsableName(name: string): boolean {
  const isPlain = name.isWellFormed() && !/[\p{Cc}\p{Cf}]/u.test(name);
  return isPlain && name.length <= NAME_MAX_CHARS && name !== "." && name !== "..";
}

export async function getServingEndpoint(
  client: DatabricksClient,
  name: string,
  { signal }: Options = {},
): Promise<ServingEndpoint> {
  const answer = await client.getJson(apiPath`/api/2.0/serving-endpoints/${name}`, {
    purpose: `read serving endpoint "${name}"`,
    permission: viewPermission(name),
    signal,
  });
  const endpoint = readEndpoint(answer.json);
  if (!endpoint) throw answer.unusable("is not a serving endpoint");
  return endpoint;
}

/** The endpoint's own metrics, in Prometheus or OpenMetrics text. */
export function exportServingEndpointMetrics(
  client: DatabricksClient,
  name: string,
  { signal }: Options = {},
): Promise<string> {
  return client.getText(apiPath`/api/2.0/serving-endpoints/${name}/metrics`, {
    purpose: `read the metrics of serving endpoint "${name}"`,
    permission: viewPermission(name),
    signal,
  });
}

function viewPermission(name: string): string {
  return `Give the identity CAN VIEW on serving endpoint "${name}".`;
}

function readEndpoint(value: unknown): ServingEndpoint | null {
  const endpoint = recordOf(value);
  const name = textOf(endpoint?.name);
  if (!endpoint || !name) return null;

  const state = recordOf(endpoint.state);
  const pending = recordOf(endpoint.pending_config);
  return {
    name,
    id: textOf(endpoint.id),
    ready: textOf(state?.ready),
    configUpdate: textOf(state?.config_update),
    hasPendingConfig: pending !== null,
    servedEntities: readEntities(recordOf(endpoint.config)),
    pendingEntities: readEntities(pending),
    task: textOf(endpoint.task),
    creator: textOf(endpoint.creator),
  };
}

/** `served_models` is the deprecated name of the same; it counts only where the new one is missing. */
function readEntities(config: JsonRecord | null): readonly ServedEntity[] {
  const entries = config?.served_entities ?? config?.served_models;
  return Array.isArray(entries)
    ? entries
        .map(recordOf)
        .filter((e) => e !== null)
        .map(readEntity)
    : [];
}

function readEntity(entity: JsonRecord): ServedEntity {
  const state = recordOf(entity.state);
  const entityName =
    textOf(entity.entity_name) ??
    textOf(entity.model_name) ??
    textOf(recordOf(entity.external_model)?.name) ??
    textOf(recordOf(entity.foundation_model)?.name);
  const scaleToZero = entity.scale_to_zero_enabled;
  return {
    name: textOf(entity.name) ?? entityName ?? "unnamed",
    entityName,
    entityVersion: textOf(entity.entity_version) ?? textOf(entity.model_version),
    // Old answers say it as text.
    scaleToZero: scaleToZero === undefined ? null : scaleToZero === true || scaleToZero === "true",
    deployment: textOf(state?.deployment),
    message: textOf(state?.deployment_state_message),
  };
}
