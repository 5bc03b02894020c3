/**
 * What a new workspace begins with: the catalogs `main` and `ml`, and, where the
 * example agents are wanted, a registered model for each, whose answers are recorded.
 */
import type { Principal } from "./access/principals.ts";
import type { WorkspaceContext } from "./core/context.ts";
import { createCatalog, createSchema } from "./unity-catalog/catalogs.ts";
import { createModel, createVersion, setAlias } from "./unity-catalog/model-registry.ts";

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
}
