/**
 * MLflow's traces: what is known of each over version 3 of the API, and its spans as a
 * file behind a signed address, as Databricks keeps them in the cloud's storage.
 *
 * Source: MLflow 3.17.2, `mlflow/protos/service.proto`, `mlflow/protos/databricks_artifacts.proto`
 * and `mlflow/store/artifact/databricks_artifact_repo.py`.
 */
import { createHmac, randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { Context } from "hono";
import { z } from "zod";
import type { WorkspaceApi, WorkspaceContext, WorkspaceEnv } from "../core/context.ts";
import { pageOf } from "../core/paging.ts";
import { readBody } from "../core/request.ts";
import { Refusal } from "../databricks-error.ts";

const BASE = "/api/3.0/mlflow/traces";
const FILES = "/api/2.0/mlflow/traces";
/** Not Databricks' own: where a signed address leads. */
const SIGNED = "/local/trace-data";

const LIST_SIZES = { defaultResults: 100, limit: 500 } as const;
/** Largest file of spans, in bytes. */
const DATA_MAX_BYTES = 64 * 1024 * 1024;

type Trace = {
  readonly trace_id: string;
  readonly experiment_id: string;
  readonly requestMs: number;
  /** As it was sent, but for the tags. */
  readonly info: Readonly<Record<string, unknown>>;
  readonly tags: Readonly<Record<string, string>>;
};

const location = z.looseObject({
  mlflow_experiment: z.looseObject({ experiment_id: z.string() }),
});
const newTrace = z.looseObject({
  trace: z.looseObject({
    trace_info: z.looseObject({
      trace_id: z.string().regex(/^tr-[0-9a-f]{32}$/),
      trace_location: location,
      request_time: z.string(),
      tags: z.record(z.string(), z.string()).default({}),
    }),
  }),
});
const search = z.looseObject({
  locations: z.array(location).default([]),
  filter: z.string().default(""),
  order_by: z.array(z.string()).default([]),
  max_results: z.coerce.number().optional(),
  page_token: z.string().optional(),
});

const tracesOf = ({ state }: WorkspaceContext) => state.collection<Trace>("traces");

export const traces: WorkspaceApi = {
  name: "MLflow: traces",
  mount(routes, context) {
    const { permissions, state } = context;
    const all = tracesOf(context);

    function requireExperiment(
      c: Context<WorkspaceEnv>,
      id: string,
      level: "CAN_READ" | "CAN_EDIT",
    ): void {
      if (!state.collection("experiments").get(id)) {
        throw new Refusal("RESOURCE_DOES_NOT_EXIST", `Experiment ${id} does not exist.`);
      }
      const experiment = { type: "experiments", id } as const;
      permissions.require(c.get("principal"), level, experiment, `experiment '${id}'`);
    }

    function find(c: Context<WorkspaceEnv>, level: "CAN_READ" | "CAN_EDIT"): Trace {
      const trace = all.get(c.req.param("id") ?? "");
      if (!trace) {
        throw new Refusal("RESOURCE_DOES_NOT_EXIST", `Trace ${c.req.param("id")} does not exist.`);
      }
      requireExperiment(c, trace.experiment_id, level);
      return trace;
    }

    routes.post(BASE, async (c) => {
      const { trace } = await readBody(c, newTrace);
      const { tags, ...info } = trace.trace_info;
      const experimentId = info.trace_location.mlflow_experiment.experiment_id;
      requireExperiment(c, experimentId, "CAN_EDIT");
      const requestMs = Date.parse(info.request_time);
      if (!Number.isFinite(requestMs)) {
        throw new Refusal("INVALID_PARAMETER_VALUE", "request_time is no time.");
      }
      const kept: Trace = {
        trace_id: info.trace_id,
        experiment_id: experimentId,
        requestMs,
        info,
        tags: {
          ...tags,
          // Clients find the spans by it, through the credentials below.
          "mlflow.artifactLocation": `dbfs:/databricks/mlflow-tracking/${experimentId}/${info.trace_id}`,
        },
      };
      all.put(info.trace_id, kept);
      return c.json({ trace: { trace_info: describe(kept) } });
    });

    routes.post(`${BASE}/search`, async (c) => {
      const body = await readBody(c, search);
      const fromMs = readFilter(body.filter);
      const isAscending = readOrder(body.order_by);
      const ids = body.locations.map(({ mlflow_experiment: each }) => each.experiment_id);
      for (const id of ids) requireExperiment(c, id, "CAN_READ");
      const found = all
        .list()
        .filter((each) => ids.includes(each.experiment_id) && each.requestMs >= fromMs)
        .sort((a, b) => (isAscending ? 1 : -1) * (a.requestMs - b.requestMs));
      const { items, nextPageToken } = pageOf(found, {
        ...LIST_SIZES,
        maxResults: body.max_results,
        pageToken: body.page_token,
      });
      return c.json({ traces: items.map(describe), next_page_token: nextPageToken });
    });

    routes.get(`${BASE}/:id`, (c) =>
      c.json({ trace: { trace_info: describe(find(c, "CAN_READ")) } }),
    );

    // MLflow's client writes tags over version 2.0, also of traces that it made over 3.0.
    for (const base of [BASE, FILES]) {
      routes.patch(`${base}/:id/tags`, async (c) => {
        const trace = find(c, "CAN_EDIT");
        const { key, value } = await readBody(
          c,
          z.looseObject({ key: z.string(), value: z.string() }),
        );
        all.put(trace.trace_id, { ...trace, tags: { ...trace.tags, [key]: value } });
        return c.json({});
      });

      routes.delete(`${base}/:id/tags`, async (c) => {
        const trace = find(c, "CAN_EDIT");
        const body = await readBody(c, z.looseObject({ key: z.string().optional() }));
        const { [body.key ?? c.req.query("key") ?? ""]: _, ...tags } = trace.tags;
        all.put(trace.trace_id, { ...trace, tags });
        return c.json({});
      });
    }

    // Clients ask for version 4 first, which is for traces in tables of Unity Catalog, and go on with this one.
    routes.all("/api/4.0/mlflow/traces/*", (c) => {
      throw new Refusal("ENDPOINT_NOT_FOUND", `No API found for '${c.req.method} ${c.req.path}'.`);
    });

    for (const [direction, level] of [
      ["upload", "CAN_EDIT"],
      ["download", "CAN_READ"],
    ] as const) {
      routes.get(`${FILES}/:id/credentials-for-data-${direction}`, (c) => {
        const { trace_id: id } = find(c, level);
        return c.json({
          credential_info: {
            run_id: "",
            path: "traces.json",
            signed_uri: `${context.url()}${SIGNED}/${id}?signature=${signatureOf(context, id, direction)}`,
            headers: [],
            type: "AWS_PRESIGNED_URL",
          },
        });
      });
    }
  },
};

/** Where the signed addresses lead: no token is asked for, as with the cloud's storage. */
export const traceData: WorkspaceApi = {
  name: "MLflow: spans of traces",
  isOpen: true,
  mount(routes, context) {
    const pathOf = (id: string) => `traces/${id}`;

    function requireSignature(c: Context<WorkspaceEnv>, direction: "upload" | "download"): string {
      const id = c.req.param("id") ?? "";
      if (c.req.query("signature") === signatureOf(context, id, direction)) return id;
      throw new Refusal("PERMISSION_DENIED", "The signature does not fit.");
    }

    routes.put(`${SIGNED}/:id`, async (c) => {
      const id = requireSignature(c, "upload");
      const body = new Uint8Array(await c.req.arrayBuffer());
      if (body.length > DATA_MAX_BYTES) {
        throw new Refusal("MAX_REQUEST_SIZE_EXCEEDED", "The spans are too many for one file.");
      }
      await context.workspaceFiles.write(pathOf(id), body, { overwrite: true });
      return c.body(null, 200);
    });

    routes.get(`${SIGNED}/:id`, async (c) => {
      const path = pathOf(requireSignature(c, "download"));
      if (!(await context.workspaceFiles.describe(path))) {
        throw new Refusal("NOT_FOUND", "The spans of this trace were not uploaded.");
      }
      const content = await readFile(context.workspaceFiles.locate(path));
      return new Response(new Uint8Array(content), {
        headers: { "content-type": "application/json" },
      });
    });
  },
};

const KEY_BYTES = 32;

function signatureOf({ state }: WorkspaceContext, id: string, direction: string): string {
  const keys = state.collection<{ hex: string }>("signing-keys");
  const known = keys.get("trace-data") ?? { hex: randomBytes(KEY_BYTES).toString("hex") };
  keys.put("trace-data", known);
  return createHmac("sha256", known.hex).update(`${direction} ${id}`).digest("hex");
}

function describe({ info, tags }: Trace) {
  return { ...info, tags };
}

/** @throws Refusal `NOT_IMPLEMENTED` for any other filter than that of a beginning. */
function readFilter(filter: string): number {
  if (filter.trim() === "") return Number.NEGATIVE_INFINITY;
  const [, from] =
    /^\s*(?:trace\.|attributes\.)?timestamp(?:_ms)?\s*>=\s*(\d{1,16})\s*$/.exec(filter) ?? [];
  if (from !== undefined) return Number(from);
  throw new Refusal(
    "NOT_IMPLEMENTED",
    `The local workspace does not understand the filter "${filter}": it knows trace.timestamp_ms >= N.`,
  );
}

/** @returns whether the oldest come first. */
function readOrder([order = "timestamp_ms DESC"]: readonly string[]): boolean {
  const [isKnown, direction = "ASC"] =
    /^timestamp(?:_ms)?(?:\s+(ASC|DESC))?$/i.exec(order.trim()) ?? [];
  if (isKnown !== undefined) return direction.toUpperCase() === "ASC";
  throw new Refusal("NOT_IMPLEMENTED", "The local workspace orders traces by timestamp_ms alone.");
}
