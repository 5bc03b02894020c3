/**
 * MLflow tracking: experiments, and runs with their parameters, metrics and tags.
 *
 * Source: MLflow 3.17.2, `mlflow/protos/service.proto`, and databricks-sdk-py 0.156.0,
 * `databricks/sdk/service/ml.py`. As there, `log-batch` writes metrics before parameters,
 * so that a parameter which is refused leaves the metrics written.
 */
import type { Context } from "hono";
import { z } from "zod";
import type { WorkspaceApi, WorkspaceEnv } from "../core/context.ts";
import { newHexId, newNumberId } from "../core/ids.ts";
import { pageOf } from "../core/paging.ts";
import { readBody, readQuery } from "../core/request.ts";
import { Refusal } from "../databricks-error.ts";
import { matchesFilter, parseFilter } from "./search-filter.ts";

const BASE = "/api/2.0/mlflow";

/** Limits that MLflow documents for one batch, and for what stands in it. */
const BATCH_MAX = { metrics: 1000, params: 100, tags: 100, all: 1000 } as const;
const PARAM_MAX_CHARS = 6000;
const TAG_MAX_CHARS = 8000;
const KEY_MAX_CHARS = 250;

type Metric = {
  readonly key: string;
  readonly value: number | string;
  readonly timestamp: number;
  readonly step: number;
};
type Texts = Readonly<Record<string, string>>;
type Experiment = {
  readonly experiment_id: string;
  readonly name: string;
  readonly artifact_location: string;
  readonly lifecycle_stage: "active" | "deleted";
  readonly creation_time: number;
  readonly last_update_time: number;
  readonly tags: Texts;
};
type Run = {
  readonly run_id: string;
  readonly experiment_id: string;
  readonly run_name: string;
  readonly user_id: string;
  readonly status: string;
  readonly start_time: number;
  readonly end_time?: number | undefined;
  readonly lifecycle_stage: "active" | "deleted";
  readonly params: Texts;
  readonly tags: Texts;
  /** The last value of each. */
  readonly metrics: Readonly<Record<string, Metric>>;
  /** Of all metrics together; numbers their history. */
  readonly metric_count: number;
};

const text = z.string().optional();
const time = z.coerce.number().optional();
const keyed = z
  .array(z.looseObject({ key: z.string(), value: z.string().default("") }))
  .default([]);
/** What JSON can't say as a number comes as text. */
const number = z.union([z.number(), z.enum(["NaN", "Infinity", "-Infinity"])]);
const metric = z.looseObject({
  key: z.string(),
  value: number.default(0),
  timestamp: z.coerce.number(),
  step: z.coerce.number().default(0),
});
const paging = { max_results: z.coerce.number().optional(), page_token: text };
const LIST_SIZES = { defaultResults: 1000, limit: 50_000 } as const;
const ofRun = z.looseObject({ run_id: text, run_uuid: text });
const ofExperiment = z.looseObject({ experiment_id: z.string() });

type C = Context<WorkspaceEnv>;

export const tracking: WorkspaceApi = {
  name: "MLflow: experiments and runs",
  mount(routes, context) {
    const { state, clock, permissions } = context;
    const experiments = state.collection<Experiment>("experiments");
    const runs = state.collection<Run>("runs");
    const histories = state.collection<Metric>("run-metrics");
    const nowMs = () => Math.floor(clock.now());
    const objectOf = (id: string) => ({ type: "experiments", id }) as const;

    /** @throws Refusal when it is not there, or the caller may not do this with it. */
    function findExperiment(c: C, id: string, level: "CAN_READ" | "CAN_EDIT" | "CAN_MANAGE") {
      const experiment = experiments.get(id);
      if (!experiment) {
        throw new Refusal(
          "RESOURCE_DOES_NOT_EXIST",
          `Node ID ${id} does not exist, or is no experiment.`,
        );
      }
      permissions.require(c.get("principal"), level, objectOf(id), `experiment '${id}'`);
      return experiment;
    }

    function findRun(
      c: C,
      { run_id: id, run_uuid: uuid }: z.output<typeof ofRun>,
      level: "CAN_READ" | "CAN_EDIT",
    ) {
      const run = runs.get(id ?? uuid ?? "");
      if (!run) throw new Refusal("RESOURCE_DOES_NOT_EXIST", `Run '${id ?? uuid}' not found.`);
      findExperiment(c, run.experiment_id, level);
      return run;
    }

    function writeMetrics(run: Run, metrics: readonly Metric[]): Run {
      const last: Record<string, Metric> = { ...run.metrics };
      let count = run.metric_count;
      for (const { key, value, timestamp, step } of metrics) {
        requireKey(key);
        const point = { key, value, timestamp, step };
        histories.put(`${run.run_id}/${encodeURIComponent(key)}/${count}`, point);
        count += 1;
        const known = last[key];
        const isNewer =
          !known || step > known.step || (step === known.step && timestamp >= known.timestamp);
        if (isNewer) last[key] = point;
      }
      const after = { ...run, metrics: last, metric_count: count };
      runs.put(run.run_id, after);
      return after;
    }

    function writeParams(run: Run, params: z.output<typeof keyed>): Run {
      const after: Record<string, string> = { ...run.params };
      for (const { key, value } of params) {
        requireKey(key);
        requireLength("Param", key, value, PARAM_MAX_CHARS);
        if (after[key] !== undefined && after[key] !== value) {
          throw new Refusal(
            "INVALID_PARAMETER_VALUE",
            `Changing param values is not allowed. Param with key='${key}' was already logged with value='${after[key]}' for run ID='${run.run_id}'. Attempted logging new value '${value}'.`,
          );
        }
        after[key] = value;
      }
      const changed = { ...run, params: after };
      runs.put(run.run_id, changed);
      return changed;
    }

    function writeTags(run: Run, tags: z.output<typeof keyed>): Run {
      for (const { key, value } of tags) {
        requireKey(key);
        requireLength("Tag", key, value, TAG_MAX_CHARS);
      }
      const changed = { ...run, tags: { ...run.tags, ...asRecord(tags) } };
      runs.put(run.run_id, changed);
      return changed;
    }

    routes.post(`${BASE}/experiments/create`, async (c) => {
      const body = await readBody(
        c,
        z.looseObject({ name: z.string(), artifact_location: text, tags: keyed }),
      );
      if (!/^\/./.test(body.name)) {
        throw new Refusal(
          "INVALID_PARAMETER_VALUE",
          `Got an invalid experiment name '${body.name}'. An experiment name must be an absolute path within the Databricks workspace, e.g. '/Users/<some-username>/my-experiment'.`,
        );
      }
      if (experiments.list().some((each) => each.name === body.name)) {
        throw new Refusal("RESOURCE_ALREADY_EXISTS", `Experiment '${body.name}' already exists.`, {
          status: 400,
        });
      }
      const id = String(newNumberId());
      const atMs = nowMs();
      state.transaction(() => {
        experiments.put(id, {
          experiment_id: id,
          name: body.name,
          artifact_location: body.artifact_location ?? `dbfs:/databricks/mlflow-tracking/${id}`,
          lifecycle_stage: "active",
          creation_time: atMs,
          last_update_time: atMs,
          tags: asRecord(body.tags),
        });
        permissions.own(objectOf(id), c.get("principal").name);
      });
      return c.json({ experiment_id: id });
    });

    routes.get(`${BASE}/experiments/get`, (c) => {
      const { experiment_id: id } = readQuery(c, ofExperiment);
      return c.json({ experiment: describeExperiment(findExperiment(c, id, "CAN_READ")) });
    });

    routes.get(`${BASE}/experiments/get-by-name`, (c) => {
      const { experiment_name: name } = readQuery(
        c,
        z.looseObject({ experiment_name: z.string() }),
      );
      const known = experiments.list().find((each) => each.name === name);
      if (!known) {
        throw new Refusal("RESOURCE_DOES_NOT_EXIST", `Node ${name} does not exist.`);
      }
      const experiment = findExperiment(c, known.experiment_id, "CAN_READ");
      return c.json({ experiment: describeExperiment(experiment) });
    });

    routes.post(`${BASE}/experiments/search`, async (c) => {
      const body = await readBody(c, z.looseObject({ filter: z.string().default(""), ...paging }));
      const conditions = parseFilter(body.filter);
      const seen = experiments
        .list()
        .filter((each) => each.lifecycle_stage === "active")
        .filter((each) =>
          permissions.allows(c.get("principal"), "CAN_READ", objectOf(each.experiment_id)),
        )
        .filter((each) =>
          matchesFilter(conditions, { attributes: { name: each.name }, tags: each.tags }),
        );
      const { items, nextPageToken } = pageOf(seen, {
        ...LIST_SIZES,
        maxResults: body.max_results,
        pageToken: body.page_token,
      });
      return c.json({
        experiments: items.map(describeExperiment),
        next_page_token: nextPageToken,
      });
    });

    routes.post(`${BASE}/experiments/delete`, async (c) => {
      const { experiment_id: id } = await readBody(c, ofExperiment);
      const experiment = findExperiment(c, id, "CAN_MANAGE");
      experiments.put(id, {
        ...experiment,
        // Its name is free again.
        name: `${experiment.name} (deleted ${id})`,
        lifecycle_stage: "deleted",
        last_update_time: nowMs(),
      });
      return c.json({});
    });

    routes.post(`${BASE}/experiments/set-experiment-tag`, async (c) => {
      const body = await readBody(
        c,
        ofExperiment.extend({ key: z.string(), value: z.string().default("") }),
      );
      const experiment = findExperiment(c, body.experiment_id, "CAN_EDIT");
      experiments.put(body.experiment_id, {
        ...experiment,
        tags: { ...experiment.tags, [body.key]: body.value },
      });
      return c.json({});
    });

    routes.post(`${BASE}/runs/create`, async (c) => {
      const body = await readBody(
        c,
        ofExperiment.extend({ user_id: text, run_name: text, start_time: time, tags: keyed }),
      );
      const experiment = findExperiment(c, body.experiment_id, "CAN_EDIT");
      if (experiment.lifecycle_stage === "deleted") {
        throw new Refusal("INVALID_STATE", `Experiment ${body.experiment_id} was deleted.`);
      }
      const id = newHexId();
      const tags = asRecord(body.tags);
      const name = body.run_name ?? tags["mlflow.runName"] ?? `run-${id.slice(0, 8)}`;
      const run: Run = {
        run_id: id,
        experiment_id: body.experiment_id,
        run_name: name,
        user_id: body.user_id ?? c.get("principal").name,
        status: "RUNNING",
        start_time: body.start_time ?? nowMs(),
        lifecycle_stage: "active",
        params: {},
        tags: { ...tags, "mlflow.runName": name },
        metrics: {},
        metric_count: 0,
      };
      runs.put(id, run);
      return c.json({ run: describeRun(run, experiment) });
    });

    routes.post(`${BASE}/runs/update`, async (c) => {
      const body = await readBody(
        c,
        ofRun.extend({ status: text, end_time: time, run_name: text }),
      );
      const run = findRun(c, body, "CAN_EDIT");
      const changed: Run = {
        ...run,
        status: body.status ?? run.status,
        end_time: body.end_time ?? run.end_time,
        run_name: body.run_name ?? run.run_name,
        tags: body.run_name ? { ...run.tags, "mlflow.runName": body.run_name } : run.tags,
      };
      runs.put(run.run_id, changed);
      const experiment = findExperiment(c, run.experiment_id, "CAN_READ");
      return c.json({ run_info: describeRun(changed, experiment).info });
    });

    routes.get(`${BASE}/runs/get`, (c) => {
      const run = findRun(c, readQuery(c, ofRun), "CAN_READ");
      const experiment = findExperiment(c, run.experiment_id, "CAN_READ");
      return c.json({ run: describeRun(run, experiment) });
    });

    for (const [name, stage] of [
      ["delete", "deleted"],
      ["restore", "active"],
    ] as const) {
      routes.post(`${BASE}/runs/${name}`, async (c) => {
        const run = findRun(c, await readBody(c, ofRun), "CAN_EDIT");
        runs.put(run.run_id, { ...run, lifecycle_stage: stage });
        return c.json({});
      });
    }

    routes.post(`${BASE}/runs/search`, async (c) => {
      const body = await readBody(
        c,
        z.looseObject({
          experiment_ids: z.array(z.string()).default([]),
          filter: z.string().default(""),
          order_by: z.array(z.string()).default([]),
          ...paging,
        }),
      );
      const conditions = parseFilter(body.filter);
      const found = body.experiment_ids.flatMap((id) => {
        const experiment = findExperiment(c, id, "CAN_READ");
        return runs
          .list()
          .filter((run) => run.experiment_id === id && run.lifecycle_stage === "active")
          .filter((run) => matchesFilter(conditions, searched(run)))
          .map((run) => describeRun(run, experiment));
      });
      if (
        body.order_by.length > 0 &&
        !/^(attributes?\.)?start_time DESC$/i.test(body.order_by[0] ?? "")
      ) {
        throw new Refusal(
          "NOT_IMPLEMENTED",
          "The local workspace orders runs by start_time DESC alone.",
        );
      }
      const newestFirst = found.toSorted((a, b) => b.info.start_time - a.info.start_time);
      const { items, nextPageToken } = pageOf(newestFirst, {
        ...LIST_SIZES,
        maxResults: body.max_results,
        pageToken: body.page_token,
      });
      return c.json({ runs: items, next_page_token: nextPageToken });
    });

    routes.post(`${BASE}/runs/log-metric`, async (c) => {
      const body = await readBody(c, ofRun.and(metric));
      writeMetrics(findRun(c, body, "CAN_EDIT"), [body]);
      return c.json({});
    });

    routes.post(`${BASE}/runs/log-parameter`, async (c) => {
      const body = await readBody(c, ofRun.extend({ key: z.string(), value: z.string() }));
      writeParams(findRun(c, body, "CAN_EDIT"), [body]);
      return c.json({});
    });

    routes.post(`${BASE}/runs/set-tag`, async (c) => {
      const body = await readBody(c, ofRun.extend({ key: z.string(), value: z.string() }));
      writeTags(findRun(c, body, "CAN_EDIT"), [body]);
      return c.json({});
    });

    routes.post(`${BASE}/runs/delete-tag`, async (c) => {
      const body = await readBody(c, ofRun.extend({ key: z.string() }));
      const run = findRun(c, body, "CAN_EDIT");
      const { [body.key]: _, ...tags } = run.tags;
      runs.put(run.run_id, { ...run, tags });
      return c.json({});
    });

    routes.post(`${BASE}/runs/log-batch`, async (c) => {
      const body = await readBody(
        c,
        ofRun.extend({ metrics: z.array(metric).default([]), params: keyed, tags: keyed }),
      );
      const run = findRun(c, body, "CAN_EDIT");
      const { metrics, params, tags } = body;
      requireFew("metrics", metrics.length, BATCH_MAX.metrics);
      requireFew("params", params.length, BATCH_MAX.params);
      requireFew("tags", tags.length, BATCH_MAX.tags);
      requireFew("entities", metrics.length + params.length + tags.length, BATCH_MAX.all);
      const measured = state.transaction(() => writeMetrics(run, metrics));
      writeTags(writeParams(measured, params), tags);
      return c.json({});
    });

    routes.get(`${BASE}/metrics/get-history`, (c) => {
      const query = readQuery(c, ofRun.extend({ metric_key: z.string(), ...paging }));
      const run = findRun(c, query, "CAN_READ");
      const { items, nextPageToken } = pageOf(
        histories.list(`${run.run_id}/${encodeURIComponent(query.metric_key)}/`),
        {
          ...LIST_SIZES,
          maxResults: query.max_results,
          pageToken: query.page_token,
        },
      );
      return c.json({ metrics: items, next_page_token: nextPageToken });
    });
  },
};

function requireKey(key: string): void {
  if (key.length <= KEY_MAX_CHARS && /^[\w\-./ :]+$/.test(key)) return;
  throw new Refusal(
    "INVALID_PARAMETER_VALUE",
    `'${key.slice(0, KEY_MAX_CHARS)}' is not a valid name.`,
  );
}

function requireLength(what: string, key: string, value: string, maxChars: number): void {
  if (value.length <= maxChars) return;
  throw new Refusal(
    "INVALID_PARAMETER_VALUE",
    `${what} value of '${key}' has ${value.length} characters, and at most ${maxChars} are allowed.`,
  );
}

function requireFew(what: string, count: number, most: number): void {
  if (count <= most) return;
  throw new Refusal(
    "INVALID_PARAMETER_VALUE",
    `A batch logging request can contain at most ${most} ${what}. Got ${count} ${what}.`,
  );
}

const asRecord = (list: z.output<typeof keyed>) =>
  Object.fromEntries(list.map(({ key, value }) => [key, value]));

const asList = (texts: Texts) => Object.entries(texts).map(([key, value]) => ({ key, value }));

function searched(run: Run) {
  return {
    attributes: { status: run.status, run_name: run.run_name, run_id: run.run_id },
    tags: run.tags,
    params: run.params,
  };
}

function describeExperiment(experiment: Experiment) {
  return { ...experiment, tags: asList(experiment.tags) };
}

function describeRun(run: Run, experiment: Experiment) {
  return {
    info: {
      run_id: run.run_id,
      run_uuid: run.run_id,
      run_name: run.run_name,
      experiment_id: run.experiment_id,
      user_id: run.user_id,
      status: run.status,
      start_time: run.start_time,
      end_time: run.end_time,
      artifact_uri: `${experiment.artifact_location}/${run.run_id}/artifacts`,
      lifecycle_stage: run.lifecycle_stage,
    },
    data: {
      metrics: Object.values(run.metrics),
      params: asList(run.params),
      tags: asList(run.tags),
    },
    inputs: {},
  };
}
