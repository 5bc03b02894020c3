/**
 * What may stand in `agent.yaml`, key by key, as it is written there. Everything
 * else follows from this one description: the check, the types, the defaults, and
 * the JSON Schema that editors complete from.
 */
import * as z from "zod";
import { isTimezone, parseSchedule, scheduleForms } from "../signals/schedule.ts";

/** A catalog, a schema, a table or a model: one part of `catalog.schema.name`. */
const catalogName = z.string().regex(/^[^\s./`'"\p{Cc}]{1,255}$/u, {
  error: "is not a name of Unity Catalog. Use letters, digits, _ and -, without dots.",
});
const fullName = z.string().regex(/^([^\s./`'"\p{Cc}]{1,255}\.){2}[^\s./`'"\p{Cc}]{1,255}$/u, {
  error: "is not a name with catalog and schema. Write catalog.schema.name.",
});
/** Databricks' own rule for serving endpoints. */
const endpointName = z.string().regex(/^[a-zA-Z0-9][a-zA-Z0-9_-]{0,62}$/, {
  error: "is not a name that an endpoint may have. Use 1 to 63 letters, digits, - and _.",
});
const relativePath = z
  .string()
  .regex(/^(?!\/|~|[a-zA-Z]:|(?:.*\/)?\.\.(?:\/|$))[^\\\p{Cc}]{1,500}$/u, {
    error:
      "is not a path in the folder of agent.yaml. Write it from there, with / between folders.",
  });
const secretReference = /^\{\{secrets\/[^/{}\s]+\/[^/{}\s]+\}\}$/;

const lm = z
  .strictObject({
    model: z
      .string()
      .min(1)
      .describe("As dspy.LM takes it, such as databricks/databricks-claude-sonnet."),
    temperature: z.number().min(0).max(2).optional(),
    max_tokens: z.int().min(1).optional(),
    num_retries: z.int().min(0).max(20).optional(),
    timeout_seconds: z.number().positive().optional().describe("For one call of the model."),
    cache: z.boolean().optional().describe("Whether DSPy's cache answers repeated calls."),
    model_type: z.enum(["chat", "text", "responses"]).optional(),
    api_base: z.url({ protocol: /^https?$/, error: "is not an http or https address" }).optional(),
  })
  .describe("The language model that the program uses, as arguments of dspy.LM.");

const codeModel = z.strictObject({
  code: relativePath.describe("A Python file that assigns a dspy.Module to `program`."),
  requirements: z
    .array(
      z
        .string()
        .regex(/^[^\s#-][^\r\n]{0,300}$/, { error: "is not a requirement as pip reads it" }),
    )
    .max(200)
    .default([])
    .describe("What pip installs where the agent is served."),
  files: z
    .array(relativePath)
    .max(200)
    .default([])
    .describe("Files and folders that the code reads; Python files that it imports come along."),
  program: relativePath
    .regex(/\.json$/, { error: "is not a .json file. Pickles run code as they are read." })
    .optional()
    .describe("Compiled state, as `program.save` writes it to JSON."),
  lm: lm.optional(),
});
const versionModel = z.strictObject({
  name: fullName.describe("A model that is registered already."),
  version: z.int().min(1),
});
const aliasModel = z.strictObject({
  name: fullName.describe("A model that is registered already."),
  alias: z.string().min(1).describe("The version that has this alias when it is deployed."),
});

const deployment = z.strictObject({
  catalog: catalogName.describe("Where the model is registered."),
  schema: catalogName,
  model_name: catalogName,
  serving_endpoint: endpointName,
  compute_size: z.enum(["Small", "Medium", "Large"]).default("Small"),
  compute_type: z
    .enum(["CPU", "GPU_SMALL", "GPU_MEDIUM", "GPU_LARGE", "MULTIGPU_MEDIUM"])
    .default("CPU"),
  scale_to_zero: z.boolean().default(true),
  traffic_percentage: z
    .int()
    .min(1)
    .max(100)
    .default(100)
    .describe("What part of the requests a new version gets; the rest stays with the one before."),
  smoke_request: z
    .union([z.string().min(1).max(10_000), z.literal(false)])
    .default("Hello!")
    .describe(
      "What a new version is asked before its deployment counts as done; false asks nothing.",
    ),
  environment_vars: z
    .record(
      z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, {
        error: "is not a name that a variable may have",
      }),
      z.string(),
    )
    .default({})
    .describe("For the served agent. Secrets only as {{secrets/scope/key}}."),
  inference_table: z
    .strictObject({
      catalog: catalogName,
      schema: catalogName,
      prefix: catalogName.optional().describe("The name of the endpoint when it is left out."),
    })
    .optional()
    .describe("Where Databricks keeps requests and answers. They hold what users wrote."),
});

const percent = z.number().min(0).max(100);
const thresholds = z.strictObject({
  latency_p99_threshold_ms: z.number().positive().optional(),
  error_rate_threshold_percent: percent.optional(),
  latency_threshold_count: z.int().min(1).optional(),
  latency_window_seconds: z.int().min(10).max(86_400).optional(),
  error_threshold_count: z.int().min(1).optional(),
  error_window_seconds: z.int().min(10).max(86_400).optional(),
});

const monitoring = z.strictObject({
  tables: z
    .strictObject({
      catalog: catalogName.default("ml"),
      schema: catalogName.default("monitoring"),
      prefix: catalogName.default("agent_monitoring"),
      readers: z.array(z.string().min(1)).max(100).default([]).describe("Who may read the tables."),
    })
    .optional()
    .describe("Delta tables that the history goes to."),
  warehouse_id: z
    .string()
    .min(1)
    .optional()
    .describe("The SQL warehouse that writes and asks them."),
  alerts: z
    .strictObject({
      thresholds: thresholds.default({}),
      webhook: z
        .string()
        .regex(/^env:[A-Za-z_]\w*$|^file:.+$|^\{\{secrets\/[^/{}\s]+\/[^/{}\s]+\}\}$/, {
          error:
            "is not a reference. Write env:NAME, file:PATH or {{secrets/scope/key}}, never the URL.",
        })
        .optional(),
    })
    .optional(),
  export: z
    .strictObject({
      every: z
        .string()
        .regex(/^([1-9]\d{0,4} )?(second|minute|hour|day)s?( at \d{2}:\d{2})?$/, {
          error: `is not a schedule; write it as ${scheduleForms}`,
          abort: true,
        })
        .refine((every) => parseSchedule(every, "UTC") !== null, {
          error: `is not a schedule that can be kept; write it as ${scheduleForms}`,
        })
        .default("1 minute"),
      timezone: z
        .string()
        .refine(isTimezone, { error: "is not a time zone. Write it as Europe/Berlin or UTC." })
        .default("UTC")
        .describe("Whose day it is in: day at 02:00."),
    })
    .optional()
    .describe("How often a monitor loads the history into the tables."),
  telemetry: z
    .strictObject({
      endpoint: z
        .url({ protocol: /^https?$/, error: "is not an http or https address" })
        .describe("A monitor or OTLP receiver that the served agent can reach."),
      headers: z
        .string()
        .regex(secretReference, { error: "is not a reference. Write {{secrets/scope/key}}." })
        .optional()
        .describe("OTEL_EXPORTER_OTLP_HEADERS, from a secret."),
    })
    .optional()
    .describe("Where the agent sends its telemetry. Without it the agent sends none."),
  vector_index: fullName.optional().describe("An index whose health is checked with the agent's."),
});

const agentShape = {
  name: endpointName,
  version: z.string().min(1).max(100).default("0.0.0").describe("Of the agent, as you count it."),
  description: z.string().max(1000).optional(),
  model: z.union([codeModel, versionModel, aliasModel]),
  deployment,
  monitoring: monitoring.default({}),
};

/** One agent, without its environments or with one of them put over it. */
export const agentSchema = z.strictObject(agentShape);

export const ENVIRONMENT_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_-]{0,62}$/;

/** The whole file. What an environment holds is checked after it was put over the rest. */
export const agentFileSchema = z.strictObject({
  agent: z.strictObject({
    ...agentShape,
    environments: z
      .record(
        z.string().regex(ENVIRONMENT_NAME, { error: "is not a name that an environment may have" }),
        z.looseObject({}),
      )
      .optional()
      .describe(
        "By name, what differs there. Maps are merged, all else is replaced; null takes away.",
      ),
  }),
});

/** In `agent.yaml` with underscores. */
export type AgentYaml = z.output<typeof agentSchema>;
