/**
 * Reads one OTLP span of any convention into an `AgentSpan`. The only place that
 * knows the attribute names of our DSPy callback, OpenInference, MLflow and
 * OpenTelemetry's GenAI conventions. Prompts, answers and tool arguments are not
 * among the attributes that it asks for.
 */
import type { ErrorClass } from "../../signals/error-class.ts";
import type { Tokens } from "../../signals/request.ts";
import { scrub } from "../../signals/scrub.ts";
import type { AgentSpan, Convention } from "../../signals/span.ts";
import { toldTokens } from "../../signals/tokens.ts";
import type { AttributeValue, OtlpSpan } from "./otlp-span.ts";

/** Longest error message that is kept, in characters. */
const MESSAGE_LENGTH_MAX = 400;
/** Longest name of anything that is kept, in characters. */
const NAME_LENGTH_MAX = 200;

const OTLP_KIND_SERVER = 2;
const OTLP_STATUS_ERROR = 2;

const wanted = new Set([
  "dspy.endpoint",
  "dspy.model.version",
  "service.name",
  "service.version",
  "dspy.kind",
  "dspy.module.path",
  "dspy.module.class",
  "dspy.program.class",
  "dspy.lm.cost_usd",
  "dspy.lm.saved_cost_usd",
  "dspy.lm.cache_hit",
  "dspy.release",
  "dspy.predictor.hash",
  "dspy.error_class",
  "error.type",
  "gen_ai.operation.name",
  "gen_ai.agent.name",
  "gen_ai.request.model",
  "gen_ai.response.model",
  "gen_ai.provider.name",
  "gen_ai.system",
  "gen_ai.usage.input_tokens",
  "gen_ai.usage.output_tokens",
  "gen_ai.usage.prompt_tokens",
  "gen_ai.usage.completion_tokens",
  "gen_ai.usage.cache_read.input_tokens",
  "gen_ai.usage.cache_creation.input_tokens",
  "gen_ai.response.time_to_first_chunk",
  "openinference.span.kind",
  "llm.model_name",
  "llm.provider",
  "llm.token_count.prompt",
  "llm.token_count.completion",
  "llm.token_count.prompt_details.cache_read",
  "llm.token_count.prompt_details.cache_write",
  "llm.cost.total",
  "mlflow.spanType",
  "mlflow.llm.model",
  "mlflow.llm.provider",
  "mlflow.chat.tokenUsage",
]);

/** Whether `toAgentSpan` reads the attribute. Decoders skip the rest unread. */
export function isWanted(key: string): boolean {
  return wanted.has(key);
}

export function toAgentSpan(span: OtlpSpan): AgentSpan {
  const convention = conventionOf(span);
  const told = readers[convention](span);
  const failed = span.statusCode === OTLP_STATUS_ERROR;
  const errorClass = toldErrorClass(span);
  return {
    traceId: span.traceId,
    spanId: span.spanId,
    // What called the agent is of another process, and mostly reports elsewhere.
    parentSpanId: span.parentIsRemote ? null : span.parentSpanId,
    name: cut(span.name, NAME_LENGTH_MAX),
    convention,
    kind: told.kind,
    startMs: span.startMs,
    endMs: span.endMs,
    endpoint:
      text(span.resource.get("dspy.endpoint")) ??
      text(span.resource.get("service.name")) ??
      "unknown",
    modelVersion:
      text(span.resource.get("dspy.model.version")) ?? text(span.resource.get("service.version")),
    release: text(span.attributes.get("dspy.release")) ?? text(span.resource.get("dspy.release")),
    predictorHash: text(span.attributes.get("dspy.predictor.hash")),
    path: told.path ?? null,
    program: told.program ?? null,
    model: told.model ?? null,
    provider: told.provider ?? null,
    tokens: told.tokens ?? null,
    totalTokens: told.totalTokens ?? null,
    costUsd: told.costUsd ?? null,
    savedCostUsd: told.savedCostUsd ?? null,
    cacheHit: told.cacheHit ?? null,
    firstTokenMs: told.firstTokenMs ?? null,
    failed,
    errorClass,
    errorType: failed || errorClass ? errorTypeOf(span) : null,
    errorMessage: failed ? errorMessageOf(span) : null,
    repeatsParent: convention === "openinference" && PREDICT_AGAIN.test(span.name),
  };
}

/** What a convention tells of a span. */
type Told = {
  kind: AgentSpan["kind"];
  path?: string | null;
  program?: string | null;
  model?: string | null;
  provider?: string | null;
  tokens?: Tokens | null;
  totalTokens?: Tokens | null;
  costUsd?: number | null;
  savedCostUsd?: number | null;
  cacheHit?: boolean | null;
  firstTokenMs?: number | null;
};

function conventionOf(span: OtlpSpan): Convention {
  const { attributes } = span;
  if (attributes.has("dspy.kind")) return "callback";
  if (attributes.has("openinference.span.kind")) return "openinference";
  if (attributes.has("mlflow.spanType")) return "mlflow";
  if (attributes.has("gen_ai.operation.name")) return "genai";
  return "none";
}

const readers: Record<Convention, (span: OtlpSpan) => Told> = {
  callback({ attributes }) {
    const kind = text(attributes.get("dspy.kind"));
    const program = text(attributes.get("dspy.program.class"));
    switch (kind) {
      case "module":
        return { kind, program, path: text(attributes.get("dspy.module.path")) };
      case "lm": {
        const cacheHit = attributes.get("dspy.lm.cache_hit") === true;
        return {
          kind,
          ...genAiModel(attributes),
          tokens: cacheHit ? { input: 0, output: 0 } : genAiTokens(attributes),
          costUsd: cacheHit ? 0 : amount(attributes.get("dspy.lm.cost_usd")),
          savedCostUsd: cacheHit ? amount(attributes.get("dspy.lm.saved_cost_usd")) : null,
          cacheHit,
          firstTokenMs: firstTokenMs(attributes),
        };
      }
      case "retriever":
        return { kind, program, path: text(attributes.get("dspy.module.path")) };
      case "tool":
      case "adapter":
      case "embedding":
        return { kind, program };
      default:
        return { kind: "other" };
    }
  },

  openinference({ name, attributes }) {
    switch (text(attributes.get("openinference.span.kind"))) {
      case "LLM":
        return {
          kind: "lm",
          ...modelOf(attributes.get("llm.model_name"), attributes.get("llm.provider")),
          tokens: tokensOf({
            input: attributes.get("llm.token_count.prompt"),
            output: attributes.get("llm.token_count.completion"),
            cacheRead: attributes.get("llm.token_count.prompt_details.cache_read"),
            cacheWrite: attributes.get("llm.token_count.prompt_details.cache_write"),
          }),
          costUsd: amount(attributes.get("llm.cost.total")),
        };
      case "TOOL":
        return { kind: "tool" };
      case "RETRIEVER":
        return { kind: "retriever" };
      case "EMBEDDING":
        return { kind: "embedding" };
      case "CHAIN":
      case "AGENT":
        return ADAPTER.test(name)
          ? { kind: "adapter" }
          : { kind: "module", program: className(name) };
      default:
        return { kind: "other" };
    }
  },

  mlflow({ name, attributes }) {
    const totalTokens = mlflowTokens(attributes.get("mlflow.chat.tokenUsage"));
    const named = modelOf(
      unquoted(attributes.get("mlflow.llm.model")),
      unquoted(attributes.get("mlflow.llm.provider")),
    );
    const lm: Told = { kind: "lm", ...named, tokens: totalTokens };
    switch (unquoted(attributes.get("mlflow.spanType"))) {
      case "CHAT_MODEL":
        return lm;
      case "LLM":
        // autolog gives a dspy.Predict the type LLM; a model called by other means has it too.
        return MODULE_METHOD.test(name)
          ? { kind: "module", program: className(name), totalTokens }
          : lm;
      case "TOOL":
        return { kind: "tool" };
      case "RETRIEVER":
        return { kind: "retriever" };
      case "PARSER":
        return { kind: "adapter" };
      case "EMBEDDING":
        return { kind: "embedding" };
      default:
        return { kind: "module", program: className(name), totalTokens };
    }
  },

  genai({ name, attributes }) {
    const tokens = genAiTokens(attributes);
    const named = genAiModel(attributes);
    const program = className(text(attributes.get("gen_ai.agent.name")) ?? name);
    switch (text(attributes.get("gen_ai.operation.name"))) {
      case "generate_content":
        // MLflow calls a dspy.Predict so, without a model.
        if (named.model === null) return { kind: "module", program, totalTokens: tokens };
        return { kind: "lm", ...named, tokens, firstTokenMs: firstTokenMs(attributes) };
      case "chat":
      case "text_completion":
        return { kind: "lm", ...named, tokens, firstTokenMs: firstTokenMs(attributes) };
      case "embeddings":
        return { kind: "embedding" };
      case "execute_tool":
      case "TOOL":
        return { kind: "tool" };
      case "retrieval":
      case "RETRIEVER":
        return { kind: "retriever" };
      case "PARSER":
        return { kind: "adapter" };
      default:
        return { kind: "module", program, totalTokens: tokens };
    }
  },

  none({ kind }) {
    return { kind: kind === OTLP_KIND_SERVER ? "server" : "other" };
  },
};

const MODULE_METHOD = /\.a?forward$/;
const ADAPTER = /Adapter\.(?:__call__|acall|format|parse)$/;
/** OpenInference shows a Predict twice: `Predict.forward`, and inside it once more with the signature. */
const PREDICT_AGAIN = /^\w{1,100}\((\w{1,100})\)\.a?forward$/;

/** `Triage` of `Predict(Triage).forward`; `null` where the signature has no name of its own. */
export function signatureIn(spanName: string): string | null {
  const signature = PREDICT_AGAIN.exec(spanName)?.[1] ?? null;
  return signature === "StringSignature" ? null : signature;
}

function className(spanName: string): string {
  return cut(spanName.replace(MODULE_METHOD, ""), NAME_LENGTH_MAX);
}

function text(value: AttributeValue | undefined): string | null {
  return typeof value === "string" && value !== "" ? cut(value, NAME_LENGTH_MAX) : null;
}

/** MLflow sends each value as JSON text to OTLP receivers, and typed to its own server. */
function unquoted(value: AttributeValue | undefined): string | null {
  return text(typeof value === "string" && value.startsWith('"') ? value.slice(1, -1) : value);
}

/**
 * The model without its provider, so that one model has one name in every convention.
 * A provider in front of the name, such as `openai/gpt-4o`, is nearer to what was
 * called than one that an attribute tells.
 */
function modelOf(
  name: AttributeValue | undefined,
  provider: AttributeValue | undefined,
): Pick<AgentSpan, "model" | "provider"> {
  const model = text(name);
  const end = model?.lastIndexOf("/") ?? -1;
  const toldProvider = text(provider);
  return {
    model: model?.slice(end + 1) ?? null,
    provider:
      model !== null && end > 0
        ? model.slice(0, end)
        : toldProvider === "unknown"
          ? null
          : toldProvider,
  };
}

function genAiModel(attributes: OtlpSpan["attributes"]): Pick<AgentSpan, "model" | "provider"> {
  return modelOf(
    attributes.get("gen_ai.request.model"),
    attributes.get("gen_ai.provider.name") ?? attributes.get("gen_ai.system"),
  );
}

function amount(value: AttributeValue | undefined): number | null {
  return typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : null;
}

type ToldTokens = {
  readonly input: AttributeValue | undefined;
  readonly output: AttributeValue | undefined;
  readonly cacheRead: AttributeValue | undefined;
  readonly cacheWrite: AttributeValue | undefined;
};

/**
 * What the provider's prompt cache served or took is part of the input. Where it is
 * more than the input, as some clients of Anthropic tell it, it was counted beside it.
 */
function tokensOf(told: ToldTokens): Tokens | null {
  const [input, output] = [amount(told.input), amount(told.output)];
  if (input === null && output === null) return null;
  const cacheRead = amount(told.cacheRead) ?? undefined;
  const cacheWrite = amount(told.cacheWrite) ?? undefined;
  const cached = (cacheRead ?? 0) + (cacheWrite ?? 0);
  const whole = cached > (input ?? 0) ? (input ?? 0) + cached : (input ?? 0);
  return toldTokens({ input: whole, output: output ?? 0, cacheRead, cacheWrite });
}

function genAiTokens(attributes: OtlpSpan["attributes"]): Tokens | null {
  return tokensOf({
    input:
      attributes.get("gen_ai.usage.input_tokens") ?? attributes.get("gen_ai.usage.prompt_tokens"),
    output:
      attributes.get("gen_ai.usage.output_tokens") ??
      attributes.get("gen_ai.usage.completion_tokens"),
    cacheRead: attributes.get("gen_ai.usage.cache_read.input_tokens"),
    cacheWrite: attributes.get("gen_ai.usage.cache_creation.input_tokens"),
  });
}

function mlflowTokens(value: AttributeValue | undefined): Tokens | null {
  const usage = typeof value === "string" ? parsed(value) : value;
  if (typeof usage !== "object" || usage === null || Array.isArray(usage)) return null;
  const told = usage as Record<string, AttributeValue>;
  return tokensOf({
    input: told.input_tokens,
    output: told.output_tokens,
    cacheRead: told.cache_read_input_tokens,
    cacheWrite: told.cache_creation_input_tokens,
  });
}

function parsed(json: string): AttributeValue {
  try {
    return JSON.parse(json);
  } catch {
    return null;
  }
}

function firstTokenMs(attributes: OtlpSpan["attributes"]): number | null {
  const seconds = amount(attributes.get("gen_ai.response.time_to_first_chunk"));
  return seconds === null ? null : seconds * 1000;
}

/** What an agent can tell of itself. The other classes come from the HTTP status of its endpoint. */
const classesOfAgents: readonly ErrorClass[] = [
  "timeout",
  "lm_provider",
  "lm_context",
  "adapter_parse",
  "tool",
  "retriever",
  "max_iterations",
  "unknown",
];

function toldErrorClass({ attributes }: OtlpSpan): ErrorClass | null {
  const told = attributes.get("dspy.error_class");
  return classesOfAgents.find((errorClass) => errorClass === told) ?? null;
}

function errorTypeOf({ attributes, exceptions, statusMessage }: OtlpSpan): string {
  const type =
    exceptions.at(-1)?.type ||
    text(attributes.get("error.type")) ||
    /^\w+(?=:|$)/.exec(statusMessage)?.[0];
  return cut((type || "unknown").replace(/^.*\./, ""), NAME_LENGTH_MAX);
}

/**
 * The first paragraph only: what follows is advice of the library. Adapter errors
 * quote the model's answer, of which nothing is kept.
 */
function errorMessageOf({ exceptions, statusMessage }: OtlpSpan): string | null {
  const exception = exceptions.at(-1);
  const message = exception ? exception.message : statusMessage.replace(/^\w+(?:: |$)/, "");
  const [paragraph = ""] = message.split(/\n\s*\n/, 1);
  const withoutAnswer = exception?.type.endsWith("AdapterParseError")
    ? paragraph.replace(/(?: with value |: |\. )[\s\S]*$/, "")
    : paragraph;
  const clean = cut(scrub(withoutAnswer).replace(/\s+/g, " ").trim(), MESSAGE_LENGTH_MAX);
  return clean === "" ? null : clean;
}

/** What would move the cursor of a terminal, or turn the direction of the text that follows. */
const CONTROLS = /[\p{Cc}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]+/gu;

/** Nearly all names are: a look at them takes a tenth of the time of making them so. */
const PLAIN = /^[!-~](?:[ -~]*[!-~])?$/;

/**
 * One line of bounded length, without control characters and without halves of
 * characters, which would not come back from the journal as they are.
 */
function cut(value: string, length: number): string {
  if (value.length <= length && PLAIN.test(value)) return value;
  const line = value
    .slice(0, 2 * length)
    .replace(CONTROLS, " ")
    .trim();
  const kept = line.length <= length ? line : `${line.slice(0, length - 1)}…`;
  return kept.toWellFormed();
}
