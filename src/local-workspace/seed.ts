/**
 * What a new workspace begins with: the catalogs `main` and `ml`, and, where the
 * example agents are wanted, a registered model and an endpoint for each, whose answers
 * are recorded.
 */
import type { Principal } from "./access/principals.ts";
import type { WorkspaceContext } from "./core/context.ts";
import { newHexId } from "./core/ids.ts";
import { type Endpoint, endpointsOf, objectOf } from "./serving/endpoint.ts";
import { createCatalog, createSchema } from "./unity-catalog/catalogs.ts";
import {
  createModel,
  createVersion,
  setAlias,
  type VersionInfo,
} from "./unity-catalog/model-registry.ts";
import { seedVectorSearch } from "./vector-search/vector-search.ts";

/** The catalog and schema of the examples' models. */
const EXAMPLES = { catalog: "main", schema: "agents" } as const;

export const exampleModelName = (agent: string) =>
  `${EXAMPLES.catalog}.${EXAMPLES.schema}.${agent.replaceAll("-", "_")}`;

/** Does nothing to a workspace that was there before. */
export function seedWorkspace(
  context: WorkspaceContext,
  { withExamples }: { readonly withExamples: boolean },
): void {
  const { state, principals, recordedAgents } = context;
  const admin = principals.all().find(({ isAdmin }) => isAdmin);
  const isNew = state.collection("catalogs").list().length === 0;
  if (!admin || !isNew) return;
  state.transaction(() => {
    for (const name of ["main", "ml"]) createCatalog(context, { name }, admin);
    if (!withExamples) return;
    createSchema(context, { catalog_name: EXAMPLES.catalog, name: EXAMPLES.schema }, admin);
    createSchema(context, { catalog_name: "ml", name: "docs" }, admin);
    seedVectorSearch(context, admin);
    for (const { agent } of recordedAgents) registerExample(context, agent, admin);
  });
}

function registerExample(context: WorkspaceContext, agent: string, admin: Principal): void {
  const name = agent.replaceAll("-", "_");
  const model = createModel(context, { ...EXAMPLES, name }, admin);
  const version = createVersion(
    context,
    model,
    { source: "recorded", recordedAgent: agent },
    admin,
  );
  setAlias(context, model, { alias: "champion", version: String(version.version) }, admin);
  serveExample(context, agent, version, admin);
}

/** Ready from the start: there is nothing to wait for. */
function serveExample(
  context: WorkspaceContext,
  agent: string,
  version: VersionInfo,
  admin: Principal,
): void {
  const createdMs = Math.floor(context.clock.now());
  const name = `${version.model_name}-${version.version}`;
  const endpoint: Endpoint = {
    id: newHexId(),
    name: agent,
    creator: admin.name,
    creation_timestamp: createdMs,
    last_updated_timestamp: createdMs,
    tags: [{ key: "recorded", value: "true" }],
    route_optimized: false,
    task: "agent/v1/chat",
    config: {
      config_version: 1,
      served_entities: [
        {
          name,
          entity_name: version.full_name,
          entity_version: String(version.version),
          workload_size: "Small",
          workload_type: "CPU",
          scale_to_zero_enabled: false,
          creator: admin.name,
          creation_timestamp: createdMs,
        },
      ],
      routes: [{ served_entity_name: name, traffic_percentage: 100 }],
    },
    pending: null,
    next_config_version: 2,
  };
  endpointsOf(context).put(agent, endpoint);
  context.permissions.own(objectOf(endpoint), admin.name);
}
