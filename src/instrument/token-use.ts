/**
 * Tokens that an answer says it used. It reads the conventions that agents on
 * Databricks answer in; what an answer does not tell stays unknown.
 *
 * Source: OpenAI Chat Completions and Responses, Anthropic Messages (`usage`);
 * MLflow 3.17.2 `mlflow.trace.tokenUsage`; DSPy 3.4 `get_lm_usage()`; Databricks
 * `databricks_options.return_trace` for `databricks_output`.
 */

/** At least one of the two counts is known. */
export type TokenUse = {
  readonly input: number | undefined;
  readonly output: number | undefined;
  readonly model: string | undefined;
};

/** Longest model name that becomes a label, in UTF-16 units. A longer one is unknown. */
const MODEL_CHARS_MAX = 128;

/** Most models of one answer, and most predictions of a batch, that are looked at. */
const PARTS_MAX = 64;

/** Empty when the answer does not tell. */
export function readTokens(answer: unknown): readonly TokenUse[] {
  const own = readOwnTokens(answer);
  if (own.length > 0) return own;

  const fields = fieldsOf(answer);
  const predictions = fields.predictions ?? fields.prediction ?? fields.outputs;
  const ofPredictions = Array.isArray(predictions)
    ? readBatch(predictions)
    : readOwnTokens(predictions);
  return ofPredictions.length > 0
    ? ofPredictions
    : readTrace(fields.databricks_output, readModel(answer));
}

/** Of the answer itself, or the response or message that an event holds. */
function readOwnTokens(answer: unknown): readonly TokenUse[] {
  const fields = fieldsOf(answer);
  const model = readModel(answer);
  const places = [
    fields.usage,
    fieldsOf(fields.response).usage,
    fieldsOf(fields.message).usage,
    fields.lm_usage,
  ];
  for (const usage of places) {
    const uses = readUsage(usage, model);
    if (uses.length > 0) return uses;
  }
  return [];
}

/** The model that answered, where it is told. */
export function readModel(answer: unknown): string | undefined {
  const { model, response, message } = fieldsOf(answer);
  for (const name of [model, fieldsOf(response).model, fieldsOf(message).model]) {
    if (typeof name === "string" && name !== "" && name.length <= MODEL_CHARS_MAX) return name;
  }
  return undefined;
}

/** Later counts replace earlier ones of the same model: streams report a running total. */
export function mergeTokens(
  earlier: readonly TokenUse[],
  later: readonly TokenUse[],
): readonly TokenUse[] {
  if (later.length === 0) return earlier;
  const [before] = earlier;
  const [after] = later;
  if (earlier.length !== 1 || later.length !== 1 || !before || !after) return later;
  return [
    {
      input: after.input ?? before.input,
      output: after.output ?? before.output,
      model: after.model ?? before.model,
    },
  ];
}

/** Any object may be read by name; what is not there is undefined. */
export function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  // Narrowed above to an object that is no array; its values stay unknown.
  return isObject ? (value as Record<string, unknown>) : {};
}

function readUsage(usage: unknown, model: string | undefined): readonly TokenUse[] {
  const fields = fieldsOf(usage);
  const input = tokenCount(fields.input_tokens) ?? tokenCount(fields.prompt_tokens);
  const output = tokenCount(fields.output_tokens) ?? tokenCount(fields.completion_tokens);
  if (input !== undefined || output !== undefined) return [{ input, output, model }];

  // DSPy: one usage for each model, by name.
  return Object.entries(fields)
    .slice(0, PARTS_MAX)
    .flatMap(([name, ofModel]) => {
      const inner = fieldsOf(ofModel);
      const known =
        "prompt_tokens" in inner || "input_tokens" in inner || "completion_tokens" in inner;
      return known && name.length <= MODEL_CHARS_MAX ? readUsage(withoutModels(inner), name) : [];
    });
}

/** Keeps a hostile answer from nesting models in models. */
function withoutModels(usage: Readonly<Record<string, unknown>>) {
  const { input_tokens, output_tokens, prompt_tokens, completion_tokens } = usage;
  return { input_tokens, output_tokens, prompt_tokens, completion_tokens };
}

/** The sum over a batch; unknown unless every row tells, since a part would look like the whole. */
function readBatch(predictions: readonly unknown[]): readonly TokenUse[] {
  if (predictions.length === 0 || predictions.length > PARTS_MAX) return [];
  const rows = predictions.map(readOwnTokens);
  if (rows.some((uses) => uses.length === 0)) return [];

  const byModel = new Map<string | undefined, TokenUse>();
  for (const use of rows.flat()) {
    const sum = byModel.get(use.model);
    byModel.set(use.model, {
      input: sum ? addKnown(sum.input, use.input) : use.input,
      output: sum ? addKnown(sum.output, use.output) : use.output,
      model: use.model,
    });
  }
  return [...byModel.values()].filter((use) => use.input !== undefined || use.output !== undefined);
}

const addKnown = (a: number | undefined, b: number | undefined) =>
  a === undefined || b === undefined ? undefined : a + b;

/** MLflow sums the tokens of a trace into its metadata, as JSON text. */
function readTrace(databricksOutput: unknown, model: string | undefined): readonly TokenUse[] {
  const info = fieldsOf(fieldsOf(fieldsOf(databricksOutput).trace).info);
  for (const holder of [info.trace_metadata, info.request_metadata, info.tags]) {
    const total = fieldsOf(holder)["mlflow.trace.tokenUsage"];
    const uses = readUsage(withoutModels(fieldsOf(parseText(total))), model);
    if (uses.length > 0) return uses;
  }
  return [];
}

function parseText(value: unknown): unknown {
  if (typeof value !== "string") return value;
  try {
    return JSON.parse(value);
  } catch {
    return undefined;
  }
}

function tokenCount(value: unknown): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}
