/**
 * Vector search: endpoints, and indexes that are kept and described. Nothing is
 * embedded here, and no index can be queried.
 *
 * Source: databricks-sdk-py 0.156.0, `databricks/sdk/service/vectorsearch.py`; the words
 * of the messages and refusals are assumed. `detailed_state` is left out, as in the
 * SDK's types.
 */
import type { Context } from "hono";
import { z } from "zod";
import type { Principal } from "../access/principals.ts";
import type { WorkspaceApi, WorkspaceContext, WorkspaceEnv } from "../core/context.ts";
import { newId } from "../core/ids.ts";
import { readBody, readQuery } from "../core/request.ts";
import { Refusal } from "../databricks-error.ts";
import { findSchema, schemaSecurable } from "../unity-catalog/catalogs.ts";
import { threeLevelName } from "../unity-catalog/names.ts";
import { tableSecurable } from "../unity-catalog/tables.ts";

const ENDPOINTS = "/api/2.0/vector-search/endpoints";
const INDEXES = "/api/2.0/vector-search/indexes";

type Endpoint = {
  readonly id: string;
  readonly name: string;
  readonly endpoint_type: string;
  readonly creator: string;
  readonly creation_timestamp: number;
};

type Index = {
  readonly name: string;
  readonly endpoint_name: string;
  readonly primary_key: string;
  readonly index_type: string;
  readonly creator: string;
  readonly delta_sync_index_spec?: Readonly<Record<string, unknown>> | undefined;
  readonly direct_access_index_spec?: Readonly<Record<string, unknown>> | undefined;
  /** What it would hold; nothing is really indexed. */
  readonly indexed_row_count: number;
};

const newEndpoint = z.looseObject({
  name: z.string().regex(/^[\w-]{1,63}$/),
  endpoint_type: z.string().default("STANDARD"),
});
const newIndex = z.looseObject({
  name: z.string(),
  endpoint_name: z.string(),
  primary_key: z.string(),
  index_type: z.enum(["DELTA_SYNC", "DIRECT_ACCESS"]),
  delta_sync_index_spec: z.looseObject({ source_table: z.string() }).optional(),
  direct_access_index_spec: z.looseObject({}).optional(),
});

export const vectorSearch: WorkspaceApi = {
  name: "Vector search",
  mount(routes, context) {
    const { state, grants, permissions, clock } = context;
    const endpoints = endpointsOf(context);
    const indexes = indexesOf(context);
    const objectOf = ({ id }: Endpoint) => ({ type: "vector-search-endpoints", id }) as const;

    const describeEndpoint = (endpoint: Endpoint) => ({
      ...endpoint,
      endpoint_status: { state: "ONLINE" },
      num_indexes: indexes.list().filter((each) => each.endpoint_name === endpoint.name).length,
    });
    const describeIndex = ({ indexed_row_count, ...index }: Index) => ({
      ...index,
      status: {
        ready: true,
        indexed_row_count,
        index_url: `${context.url().replace(/^https?:\/\//, "")}${INDEXES}/${index.name}`,
        message: "Index is ready.",
      },
    });

    /** @throws Refusal when it is not there, or the caller may not do this with it. */
    function findEndpoint(c: Context<WorkspaceEnv>, name: string, level: "CAN_USE" | "CAN_MANAGE") {
      const endpoint = endpoints.get(name);
      if (!endpoint) {
        throw new Refusal(
          "RESOURCE_DOES_NOT_EXIST",
          `Vector search endpoint '${name}' does not exist.`,
        );
      }
      permissions.require(c.get("principal"), level, objectOf(endpoint), `endpoint '${name}'`);
      return endpoint;
    }

    function findIndex(c: Context<WorkspaceEnv>): Index {
      const name = c.req.param("name") ?? "";
      const index = indexes.get(name.toLowerCase());
      if (!index) {
        throw new Refusal(
          "RESOURCE_DOES_NOT_EXIST",
          `Vector search index '${name}' does not exist.`,
        );
      }
      return index;
    }

    routes.post(ENDPOINTS, async (c) => {
      const body = await readBody(c, newEndpoint);
      if (endpoints.get(body.name)) {
        throw new Refusal(
          "RESOURCE_ALREADY_EXISTS",
          `Vector search endpoint '${body.name}' already exists.`,
        );
      }
      const { name: creator } = c.get("principal");
      const endpoint: Endpoint = {
        id: newId(),
        name: body.name,
        endpoint_type: body.endpoint_type,
        creator,
        creation_timestamp: Math.floor(clock.now()),
      };
      state.transaction(() => {
        endpoints.put(body.name, endpoint);
        permissions.own(objectOf(endpoint), creator);
      });
      return c.json(describeEndpoint(endpoint));
    });

    routes.get(ENDPOINTS, (c) =>
      c.json({
        endpoints: endpoints
          .list()
          .filter((each) => permissions.allows(c.get("principal"), "CAN_USE", objectOf(each)))
          .map(describeEndpoint),
      }),
    );

    routes.get(`${ENDPOINTS}/:name`, (c) =>
      c.json(describeEndpoint(findEndpoint(c, c.req.param("name"), "CAN_USE"))),
    );

    routes.delete(`${ENDPOINTS}/:name`, (c) => {
      const endpoint = findEndpoint(c, c.req.param("name"), "CAN_MANAGE");
      if (indexes.list().some((each) => each.endpoint_name === endpoint.name)) {
        throw new Refusal(
          "INVALID_STATE",
          `Vector search endpoint '${endpoint.name}' has indexes: delete them first.`,
        );
      }
      state.transaction(() => {
        endpoints.delete(endpoint.name);
        permissions.forget(objectOf(endpoint));
      });
      return c.json({});
    });

    routes.post(INDEXES, async (c) => {
      const body = await readBody(c, newIndex);
      const { catalog, schema, fullName } = threeLevelName(body.name);
      findEndpoint(c, body.endpoint_name, "CAN_USE");
      const inSchema = findSchema(context, `${catalog}.${schema}`).full_name;
      grants.require(c.get("principal"), "CREATE_TABLE", schemaSecurable(inSchema));
      if (indexes.get(fullName)) {
        throw new Refusal(
          "RESOURCE_ALREADY_EXISTS",
          `Vector search index '${fullName}' already exists.`,
        );
      }
      const index: Index = {
        name: fullName,
        endpoint_name: body.endpoint_name,
        primary_key: body.primary_key,
        index_type: body.index_type,
        creator: c.get("principal").name,
        delta_sync_index_spec: body.delta_sync_index_spec,
        direct_access_index_spec: body.direct_access_index_spec,
        indexed_row_count: 0,
      };
      state.transaction(() => {
        indexes.put(fullName, index);
        grants.own(tableSecurable(fullName), index.creator);
      });
      return c.json(describeIndex(index));
    });

    routes.get(INDEXES, (c) => {
      const query = readQuery(c, z.looseObject({ endpoint_name: z.string() }));
      const { name } = findEndpoint(c, query.endpoint_name, "CAN_USE");
      return c.json({
        vector_indexes: indexes
          .list()
          .filter((each) => each.endpoint_name === name)
          .map(({ name: index, endpoint_name, primary_key, index_type, creator }) => ({
            name: index,
            endpoint_name,
            primary_key,
            index_type,
            creator,
          })),
      });
    });

    routes.get(`${INDEXES}/:name`, (c) => {
      const index = findIndex(c);
      grants.require(c.get("principal"), "SELECT", tableSecurable(index.name));
      return c.json(describeIndex(index));
    });

    routes.delete(`${INDEXES}/:name`, (c) => {
      const { name } = findIndex(c);
      grants.requireManage(c.get("principal"), tableSecurable(name));
      state.transaction(() => {
        indexes.delete(name);
        grants.forget(tableSecurable(name));
      });
      return c.json({});
    });
  },
};

const endpointsOf = ({ state }: WorkspaceContext) =>
  state.collection<Endpoint>("vector-search-endpoints");
const indexesOf = ({ state }: WorkspaceContext) => state.collection<Index>("vector-search-indexes");

/** The index that the examples look things up in: over a table of documents, and ready. */
export function seedVectorSearch(context: WorkspaceContext, admin: Principal): void {
  const endpoint: Endpoint = {
    id: newId(),
    name: "docs-search",
    endpoint_type: "STANDARD",
    creator: admin.name,
    creation_timestamp: Math.floor(context.clock.now()),
  };
  endpointsOf(context).put(endpoint.name, endpoint);
  context.permissions.own({ type: "vector-search-endpoints", id: endpoint.id }, admin.name);
  indexesOf(context).put("ml.docs.index", {
    name: "ml.docs.index",
    endpoint_name: endpoint.name,
    primary_key: "id",
    index_type: "DELTA_SYNC",
    creator: admin.name,
    delta_sync_index_spec: {
      source_table: "ml.docs.pages",
      pipeline_type: "TRIGGERED",
      pipeline_id: newId(),
      embedding_source_columns: [
        { name: "text", embedding_model_endpoint_name: "databricks-gte-large-en" },
      ],
    },
    indexed_row_count: 6,
  });
  context.grants.own(tableSecurable("ml.docs.index"), admin.name);
}
