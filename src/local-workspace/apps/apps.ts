/**
 * Databricks Apps: kept and described, with their compute and their deployments. Nothing
 * runs them here, so each deployment fails and says so.
 *
 * Source: databricks-sdk-py 0.156.0, `databricks/sdk/service/apps.py`; the words of the
 * messages and refusals are assumed.
 */
import type { Context } from "hono";
import { z } from "zod";
import type { WorkspaceApi, WorkspaceEnv } from "../core/context.ts";
import { newHexId, newId } from "../core/ids.ts";
import { pageOf } from "../core/paging.ts";
import { readBody, readQuery } from "../core/request.ts";
import { Refusal } from "../databricks-error.ts";
import { normalPath, requireObject } from "../workspace-files/workspace-objects.ts";

const BASE = "/api/2.0/apps";
const LIST_SIZES = { defaultResults: 20, limit: 100 } as const;

type App = {
  readonly id: string;
  readonly name: string;
  readonly description?: string | undefined;
  readonly resources?: readonly unknown[] | undefined;
  readonly creator: string;
  readonly create_time: string;
  readonly update_time: string;
  readonly service_principal_client_id: string;
  readonly isStopped: boolean;
};
type Deployment = {
  readonly deployment_id: string;
  readonly source_code_path: string;
  readonly mode: string;
  readonly creator: string;
  readonly create_time: string;
};

const described = {
  description: z.string().optional(),
  resources: z.array(z.looseObject({ name: z.string() })).optional(),
};
const newApp = z.looseObject({ name: z.string(), ...described });
const newDeployment = z.looseObject({
  source_code_path: z.string(),
  mode: z.enum(["SNAPSHOT", "AUTO_SYNC"]).default("SNAPSHOT"),
});
const paging = z.looseObject({
  page_size: z.coerce.number().optional(),
  page_token: z.string().optional(),
});

const NOT_RUN = "The local workspace runs no apps: deploy this one to a real workspace.";

export const apps: WorkspaceApi = {
  name: "Apps",
  mount(routes, context) {
    const { state, clock, permissions } = context;
    const all = state.collection<App>("apps");
    const deployments = state.collection<Deployment>("app-deployments");
    const now = () => new Date(clock.now()).toISOString();
    const objectOf = ({ name }: App) => ({ type: "apps", id: name }) as const;

    /** @throws Refusal when it is not there, or the caller may not do this with it. */
    function find(c: Context<WorkspaceEnv>, level: "CAN_USE" | "CAN_MANAGE"): App {
      const name = c.req.param("name") ?? "";
      const app = all.get(name);
      if (!app) {
        throw new Refusal("RESOURCE_DOES_NOT_EXIST", `App with name ${name} does not exist.`);
      }
      permissions.require(c.get("principal"), level, objectOf(app), `app '${name}'`);
      return app;
    }

    function change(app: App, changed: Partial<App>): App {
      const after = { ...app, ...changed, update_time: now() };
      all.put(app.name, after);
      return after;
    }

    routes.post(BASE, async (c) => {
      const body = await readBody(c, newApp);
      if (!/^[a-z0-9-]{2,30}$/.test(body.name)) {
        throw new Refusal(
          "INVALID_PARAMETER_VALUE",
          `App name '${body.name}' is not valid: 2 to 30 lower-case letters, digits and -.`,
        );
      }
      if (all.get(body.name)) {
        throw new Refusal("RESOURCE_ALREADY_EXISTS", `App with name ${body.name} already exists.`);
      }
      const createdAt = now();
      const app: App = {
        id: newId(),
        name: body.name,
        description: body.description,
        resources: body.resources,
        creator: c.get("principal").name,
        create_time: createdAt,
        update_time: createdAt,
        service_principal_client_id: newId(),
        isStopped: c.req.query("no_compute") === "true",
      };
      state.transaction(() => {
        all.put(app.name, app);
        permissions.own(objectOf(app), app.creator);
      });
      return c.json(describe(app));
    });

    routes.get(BASE, (c) => {
      const query = readQuery(c, paging);
      const seen = all
        .list()
        .filter((each) => permissions.allows(c.get("principal"), "CAN_USE", objectOf(each)));
      const { items, nextPageToken } = pageOf(seen, {
        ...LIST_SIZES,
        maxResults: query.page_size,
        pageToken: query.page_token,
      });
      return c.json({ apps: items.map(describe), next_page_token: nextPageToken });
    });

    routes.get(`${BASE}/:name`, (c) => c.json(describe(find(c, "CAN_USE"))));

    routes.patch(`${BASE}/:name`, async (c) => {
      const app = find(c, "CAN_MANAGE");
      const { description, resources } = await readBody(c, z.looseObject(described));
      const changed = change(app, {
        ...(description === undefined ? {} : { description }),
        ...(resources === undefined ? {} : { resources }),
      });
      return c.json(describe(changed));
    });

    routes.delete(`${BASE}/:name`, (c) => {
      const app = find(c, "CAN_MANAGE");
      state.transaction(() => {
        all.delete(app.name);
        permissions.forget(objectOf(app));
        for (const [key] of deployments.entries(`${app.name}/`)) deployments.delete(key);
      });
      return c.json(describe(app));
    });

    for (const [verb, isStopped] of [
      ["start", false],
      ["stop", true],
    ] as const) {
      routes.post(`${BASE}/:name/${verb}`, (c) =>
        c.json(describe(change(find(c, "CAN_MANAGE"), { isStopped }))),
      );
    }

    routes.post(`${BASE}/:name/deployments`, async (c) => {
      const principal = c.get("principal");
      const app = find(c, "CAN_MANAGE");
      const body = await readBody(c, newDeployment);
      requireObject(context, normalPath(body.source_code_path));
      if (app.isStopped) {
        throw new Refusal("INVALID_STATE", `App ${app.name} is stopped: start it first.`);
      }
      const deployment: Deployment = {
        deployment_id: newHexId(),
        source_code_path: body.source_code_path,
        mode: body.mode,
        creator: principal.name,
        create_time: now(),
      };
      deployments.put(`${app.name}/${deployment.deployment_id}`, deployment);
      return c.json(describeDeployment(deployment));
    });

    routes.get(`${BASE}/:name/deployments`, (c) => {
      const query = readQuery(c, paging);
      const { name } = find(c, "CAN_USE");
      const { items, nextPageToken } = pageOf(deployments.list(`${name}/`).reverse(), {
        ...LIST_SIZES,
        maxResults: query.page_size,
        pageToken: query.page_token,
      });
      return c.json({
        app_deployments: items.map(describeDeployment),
        next_page_token: nextPageToken,
      });
    });

    routes.get(`${BASE}/:name/deployments/:id`, (c) => {
      const { name } = find(c, "CAN_USE");
      const id = c.req.param("id");
      const deployment = deployments.get(`${name}/${id}`);
      if (!deployment) {
        throw new Refusal("RESOURCE_DOES_NOT_EXIST", `Deployment ${id} of app ${name} not found.`);
      }
      return c.json(describeDeployment(deployment));
    });
  },
};

function describe({ isStopped, ...app }: App) {
  return {
    ...app,
    compute_status: isStopped
      ? { state: "STOPPED", message: "App compute is stopped." }
      : { state: "ACTIVE", message: "App compute is running.", active_instances: 1 },
    app_status: { state: "UNAVAILABLE", message: NOT_RUN },
  };
}

function describeDeployment(deployment: Deployment) {
  return {
    ...deployment,
    update_time: deployment.create_time,
    status: { state: "FAILED", message: NOT_RUN },
  };
}
