/**
 * Which attributes hold what people asked and models answered, by convention: prompts,
 * answers, arguments and results of tools, documents that were found. Such an attribute leaves
 * the machine only when somebody asked for it.
 *
 * Sources: OpenTelemetry's GenAI conventions, OpenInference, MLflow, OpenLLMetry.
 */
import { remembering } from "./remembering.ts";

const keys: ReadonlySet<string> = new Set([
  "input.value",
  "output.value",
  "llm.prompts",
  "llm.function_call",
  "llm.tools",
  "tool.parameters",
  "tool.json_schema",
  "embedding.text",
  "embedding.vector",
  "reranker.query",
  "gen_ai.prompt",
  "gen_ai.completion",
  "gen_ai.input.messages",
  "gen_ai.output.messages",
  "gen_ai.system_instructions",
  "gen_ai.tool.definitions",
  "gen_ai.tool.call.arguments",
  "gen_ai.tool.call.result",
  "gen_ai.event.content",
  "gen_ai.evaluation.explanation",
  "mlflow.spanInputs",
  "mlflow.spanOutputs",
  "mlflow.chat.messages",
  "mlflow.chat.tools",
  "mlflow.traceRequestPreview",
  "mlflow.traceResponsePreview",
  "mlflow.trace.request_preview",
  "mlflow.trace.response_preview",
  "traceloop.entity.input",
  "traceloop.entity.output",
  "content",
  "message.content",
]);

const beginnings = [
  "llm.input_messages.",
  "llm.output_messages.",
  "llm.prompts.",
  "llm.choices.",
  "llm.tools.",
  "llm.prompt_template.",
  "retrieval.documents",
  "reranker.input_documents",
  "reranker.output_documents",
  "embedding.embeddings",
  "gen_ai.prompt.",
  "gen_ai.completion.",
  "gen_ai.retrieval.",
];

/** Longest value, in bytes, of an attribute that is not known: names and settings are shorter. */
export const PLAIN_VALUE_BYTES_MAX = 1_024;

export const isContentKey = remembering(
  (key) => keys.has(key) || beginnings.some((beginning) => key.startsWith(beginning)),
);
