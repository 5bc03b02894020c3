/**
 * The attributes that are read of spans and resources, and the place of each in a row of
 * attributes. Prompts, answers and tool arguments are not among them.
 */
import { attributeKeys } from "./attribute-keys.ts";

const keys: string[] = [];

function place(key: string): number {
  return keys.push(key) - 1;
}

/** By convention: DSPy callback, error, GenAI, OpenInference, MLflow. */
export const at = {
  serviceName: place("service.name"),
  serviceVersion: place("service.version"),

  dspyEndpoint: place("dspy.endpoint"),
  dspyModelVersion: place("dspy.model.version"),
  dspyKind: place("dspy.kind"),
  dspyPath: place("dspy.module.path"),
  dspyProgram: place("dspy.program.class"),
  dspyCostUsd: place("dspy.lm.cost_usd"),
  dspySavedCostUsd: place("dspy.lm.saved_cost_usd"),
  dspyCacheHit: place("dspy.lm.cache_hit"),
  dspyRelease: place("dspy.release"),
  dspyPredictorHash: place("dspy.predictor.hash"),
  dspyErrorClass: place("dspy.error_class"),

  errorType: place("error.type"),

  genAiOperation: place("gen_ai.operation.name"),
  genAiAgent: place("gen_ai.agent.name"),
  genAiModel: place("gen_ai.request.model"),
  genAiProvider: place("gen_ai.provider.name"),
  genAiSystem: place("gen_ai.system"),
  genAiInputTokens: place("gen_ai.usage.input_tokens"),
  genAiOutputTokens: place("gen_ai.usage.output_tokens"),
  genAiPromptTokens: place("gen_ai.usage.prompt_tokens"),
  genAiCompletionTokens: place("gen_ai.usage.completion_tokens"),
  genAiCacheRead: place("gen_ai.usage.cache_read.input_tokens"),
  genAiCacheWrite: place("gen_ai.usage.cache_creation.input_tokens"),
  genAiFirstChunk: place("gen_ai.response.time_to_first_chunk"),

  openInferenceKind: place("openinference.span.kind"),
  llmModel: place("llm.model_name"),
  llmProvider: place("llm.provider"),
  llmPromptTokens: place("llm.token_count.prompt"),
  llmCompletionTokens: place("llm.token_count.completion"),
  llmCacheRead: place("llm.token_count.prompt_details.cache_read"),
  llmCacheWrite: place("llm.token_count.prompt_details.cache_write"),
  llmCostUsd: place("llm.cost.total"),

  mlflowSpanType: place("mlflow.spanType"),
  mlflowModel: place("mlflow.llm.model"),
  mlflowProvider: place("mlflow.llm.provider"),
  mlflowTokenUsage: place("mlflow.chat.tokenUsage"),
};

export const agentAttributes = attributeKeys(keys);
