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
import { agentAttributes, at } from "./agent-attributes.ts";
import type { Attributes, AttributeValue, OtlpSpan, SpanReader } from "./otlp-span.ts";
import { remembering, rememberingLast } from "./remembering.ts";

/** Longest error message that is kept, in characters. */
export const MESSAGE_LENGTH_MAX = 400;
/** Longest name of anything that is kept, in characters. */
const NAME_LENGTH_MAX = 200;

const OTLP_KIND_SERVER = 2;
const OTLP_STATUS_ERROR = 2;

/** What decoders hand their spans to. */
export const agentSpans: SpanReader<AgentSpan> = { keys: agentAttributes, read: toAgentSpan };

export function toAgentSpan(span: OtlpSpan): AgentSpan {
  const { attributes } = span;
  const resource = resourceOf(span.resource);
  const convention = conventionOf(attributes);
  const failed = span.statusCode === OTLP_STATUS_ERROR;
  const errorClass = toldErrorClass(attributes[at.dspyErrorClass]);
  const told: Told = {
    traceId: span.traceId,
    spanId: span.spanId,
    // What called the agent is of another process, and mostly reports elsewhere.
    parentSpanId: span.parentIsRemote ? null : span.parentSpanId,
    name: line(span.name),
    convention,
    kind: "other",
    startMs: span.startMs,
    endMs: span.endMs,
    endpoint: resource.endpoint,
    modelVersion: resource.modelVersion,
    release: text(attributes[at.dspyRelease]) ?? resource.release,
    predictorHash: text(attributes[at.dspyPredictorHash]),
    path: null,
    program: null,
    model: null,
    provider: null,
    tokens: null,
    totalTokens: null,
    costUsd: null,
    savedCostUsd: null,
    cacheHit: null,
    firstTokenMs: null,
    failed,
    errorClass,
    errorType: failed || errorClass ? errorTypeOf(span) : null,
    errorMessage: failed ? errorMessageOf(span) : null,
    repeatsParent: false,
  };
  readers[convention](told, span);
  return told;
}

/** What all spans of a resource have in common. */
const resourceOf = rememberingLast(
  (resource: Attributes): Pick<AgentSpan, "endpoint" | "modelVersion" | "release"> => ({
    endpoint: text(resource[at.dspyEndpoint]) ?? text(resource[at.serviceName]) ?? "unknown",
    modelVersion: text(resource[at.dspyModelVersion]) ?? text(resource[at.serviceVersion]),
    release: text(resource[at.dspyRelease]),
  }),
);

/** What a convention adds to a span. */
type Told = { -readonly [Field in keyof AgentSpan]: AgentSpan[Field] };

function conventionOf(attributes: Attributes): Convention {
  if (attributes[at.dspyKind] !== undefined) return "callback";
  if (attributes[at.openInferenceKind] !== undefined) return "openinference";
  if (attributes[at.mlflowSpanType] !== undefined) return "mlflow";
  if (attributes[at.genAiOperation] !== undefined) return "genai";
  return "none";
}

const readers: Record<Convention, (told: Told, span: OtlpSpan) => void> = {
  callback(told, { attributes }) {
    const kind = text(attributes[at.dspyKind]);
    switch (kind) {
      case "lm":
        told.kind = kind;
        tellModel(told, attributes[at.genAiModel], genAiProvider(attributes));
        told.cacheHit = attributes[at.dspyCacheHit] === true;
        told.firstTokenMs = firstTokenMs(attributes);
        if (told.cacheHit) {
          told.tokens = { input: 0, output: 0 };
          told.costUsd = 0;
          told.savedCostUsd = amount(attributes[at.dspySavedCostUsd]);
        } else {
          told.tokens = genAiTokens(attributes);
          told.costUsd = amount(attributes[at.dspyCostUsd]);
        }
        return;
      case "module":
      case "retriever":
        told.path = text(attributes[at.dspyPath]);
        told.kind = kind;
        told.program = text(attributes[at.dspyProgram]);
        return;
      case "tool":
      case "adapter":
      case "embedding":
        told.kind = kind;
        told.program = text(attributes[at.dspyProgram]);
    }
  },

  openinference(told, { name, attributes }) {
    told.repeatsParent = isPredictAgain(name);
    switch (attributes[at.openInferenceKind]) {
      case "LLM":
        told.kind = "lm";
        tellModel(told, attributes[at.llmModel], attributes[at.llmProvider]);
        told.tokens = tokensOf(
          attributes[at.llmPromptTokens],
          attributes[at.llmCompletionTokens],
          attributes[at.llmCacheRead],
          attributes[at.llmCacheWrite],
        );
        told.costUsd = amount(attributes[at.llmCostUsd]);
        return;
      case "TOOL":
        told.kind = "tool";
        return;
      case "RETRIEVER":
        told.kind = "retriever";
        return;
      case "EMBEDDING":
        told.kind = "embedding";
        return;
      case "CHAIN":
      case "AGENT":
        if (isAdapter(name)) told.kind = "adapter";
        else tellModule(told, name, null);
    }
  },

  mlflow(told, { name, attributes }) {
    const type = unquoted(attributes[at.mlflowSpanType]);
    const totalTokens = mlflowTokens(attributes[at.mlflowTokenUsage]);
    // autolog gives a dspy.Predict the type LLM; a model called by other means has it too.
    if (type === "CHAT_MODEL" || (type === "LLM" && !isModuleMethod(name))) {
      const provider = unquoted(attributes[at.mlflowProvider]);
      told.kind = "lm";
      told.tokens = totalTokens;
      tellModel(told, unquoted(attributes[at.mlflowModel]), provider);
      return;
    }
    const kind = mlflowKinds.get(type);
    if (kind) told.kind = kind;
    else tellModule(told, name, totalTokens);
  },

  genai(told, { name, attributes }) {
    const operation = text(attributes[at.genAiOperation]);
    const tokens = genAiTokens(attributes);
    const isModelCall =
      operation === "chat" ||
      operation === "text_completion" ||
      // MLflow calls a dspy.Predict so, without a model.
      (operation === "generate_content" && text(attributes[at.genAiModel]) !== null);
    if (isModelCall) {
      told.kind = "lm";
      told.tokens = tokens;
      told.firstTokenMs = firstTokenMs(attributes);
      tellModel(told, attributes[at.genAiModel], genAiProvider(attributes));
      return;
    }
    const kind = genAiKinds.get(operation);
    if (kind) told.kind = kind;
    else tellModule(told, text(attributes[at.genAiAgent]) ?? name, tokens);
  },

  none(told, { kind }) {
    if (kind === OTLP_KIND_SERVER) told.kind = "server";
  },
};

type Kinds = ReadonlyMap<string | null, AgentSpan["kind"]>;

export const mlflowKinds: Kinds = new Map([
  ["TOOL", "tool"],
  ["RETRIEVER", "retriever"],
  ["PARSER", "adapter"],
  ["EMBEDDING", "embedding"],
]);

export const genAiKinds: Kinds = new Map([
  ["embeddings", "embedding"],
  ["execute_tool", "tool"],
  ["TOOL", "tool"],
  ["retrieval", "retriever"],
  ["RETRIEVER", "retriever"],
  ["PARSER", "adapter"],
]);

export const MODULE_METHOD = /\.a?forward$/;
export const ADAPTER = /Adapter\.(?:__call__|acall|format|parse)$/;
/** OpenInference shows a Predict twice: `Predict.forward`, and inside it once more with the signature. */
export const PREDICT_AGAIN = /^\w{1,100}\((\w{1,100})\)\.a?forward$/;

const isModuleMethod = remembering((spanName) => MODULE_METHOD.test(spanName));
const isAdapter = remembering((spanName) => ADAPTER.test(spanName));
const isPredictAgain = remembering((spanName) => PREDICT_AGAIN.test(spanName));

/** What DSPy calls a signature that has no name. */
export const UNNAMED_SIGNATURE = "StringSignature";

/** `Triage` of `Predict(Triage).forward`; `null` where the signature has no name of its own. */
export const signatureIn = remembering((spanName): string | null => {
  const signature = PREDICT_AGAIN.exec(spanName)?.[1] ?? null;
  return signature === UNNAMED_SIGNATURE ? null : signature;
});

const className = remembering((spanName) =>
  cut(spanName.replace(MODULE_METHOD, ""), NAME_LENGTH_MAX),
);

function tellModule(told: Told, spanName: string, totalTokens: Tokens | null): void {
  told.kind = "module";
  told.program = className(spanName);
  told.totalTokens = totalTokens;
}

/** One line that may be shown. */
const line = remembering((value) => cut(value, NAME_LENGTH_MAX));

function text(value: AttributeValue | undefined): string | null {
  return typeof value === "string" && value !== "" ? line(value) : null;
}

/** MLflow sends each value as JSON text to OTLP receivers, and typed to its own server. */
function unquoted(value: AttributeValue | undefined): string | null {
  return typeof value === "string" ? unquotedLine(value) : null;
}

const unquotedLine = remembering((value) =>
  text(value.startsWith('"') ? value.slice(1, -1) : value),
);

/**
 * The model without its provider, so that one model has one name in every convention.
 * A provider in front of the name, such as `openai/gpt-4o`, is nearer to what was
 * called than one that an attribute tells.
 */
function tellModel(
  told: Told,
  name: AttributeValue | undefined,
  provider: AttributeValue | undefined,
): void {
  const named = typeof name === "string" && name !== "" ? modelNamed(name) : null;
  const toldProvider = text(provider);
  told.model = named?.model ?? null;
  told.provider = named?.provider ?? (toldProvider === "unknown" ? null : toldProvider);
}

const modelNamed = remembering((name): Pick<AgentSpan, "model" | "provider"> => {
  const whole = line(name);
  const end = whole.lastIndexOf("/");
  return { model: whole.slice(end + 1), provider: end > 0 ? whole.slice(0, end) : null };
});

function genAiProvider(attributes: Attributes): AttributeValue | undefined {
  return attributes[at.genAiProvider] ?? attributes[at.genAiSystem];
}

function amount(value: AttributeValue | undefined): number | null {
  return typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : null;
}

/**
 * What the provider's prompt cache served or took is part of the input. Where it is
 * more than the input, as some clients of Anthropic tell it, it was counted beside it.
 */
function tokensOf(
  toldInput: AttributeValue | undefined,
  toldOutput: AttributeValue | undefined,
  toldCacheRead: AttributeValue | undefined,
  toldCacheWrite: AttributeValue | undefined,
): Tokens | null {
  const input = amount(toldInput);
  const output = amount(toldOutput);
  if (input === null && output === null) return null;
  const cacheRead = amount(toldCacheRead) ?? undefined;
  const cacheWrite = amount(toldCacheWrite) ?? undefined;
  const cached = (cacheRead ?? 0) + (cacheWrite ?? 0);
  const whole = cached > (input ?? 0) ? (input ?? 0) + cached : (input ?? 0);
  return toldTokens({ input: whole, output: output ?? 0, cacheRead, cacheWrite });
}

function genAiTokens(attributes: Attributes): Tokens | null {
  return tokensOf(
    attributes[at.genAiInputTokens] ?? attributes[at.genAiPromptTokens],
    attributes[at.genAiOutputTokens] ?? attributes[at.genAiCompletionTokens],
    attributes[at.genAiCacheRead],
    attributes[at.genAiCacheWrite],
  );
}

function mlflowTokens(value: AttributeValue | undefined): Tokens | null {
  const usage = typeof value === "string" ? parsed(value) : value;
  if (typeof usage !== "object" || usage === null || Array.isArray(usage)) return null;
  const told = usage as Record<string, AttributeValue>;
  return tokensOf(
    told.input_tokens,
    told.output_tokens,
    told.cache_read_input_tokens,
    told.cache_creation_input_tokens,
  );
}

function parsed(json: string): AttributeValue {
  try {
    return JSON.parse(json);
  } catch {
    return null;
  }
}

function firstTokenMs(attributes: Attributes): number | null {
  const seconds = amount(attributes[at.genAiFirstChunk]);
  return seconds === null ? null : seconds * 1000;
}

/** What an agent can tell of itself. The other classes come from the HTTP status of its endpoint. */
export const classesOfAgents: readonly ErrorClass[] = [
  "client",
  "timeout",
  "lm_provider",
  "lm_context",
  "adapter_parse",
  "tool",
  "retriever",
  "max_iterations",
  "unknown",
];

function toldErrorClass(told: AttributeValue | undefined): ErrorClass | null {
  if (told === undefined) return null;
  return classesOfAgents.find((errorClass) => errorClass === told) ?? null;
}

function errorTypeOf({ attributes, exceptions, statusMessage }: OtlpSpan): string {
  const type =
    exceptions.at(-1)?.type ||
    text(attributes[at.errorType]) ||
    /^\w+(?=:|$)/.exec(statusMessage)?.[0];
  return withoutModule(type || "unknown");
}

const withoutModule = remembering((type) => cut(type.replace(/^.*\./, ""), NAME_LENGTH_MAX));

function errorMessageOf({ exceptions, statusMessage }: OtlpSpan): string | null {
  const exception = exceptions.at(-1);
  const isParsing = exception?.type.endsWith("AdapterParseError");
  const message = exception ? exception.message : statusMessage.replace(/^\w+(?:: |$)/, "");
  return isParsing ? withoutAnswer(message) : shownMessage(message);
}

// One failure passes through all its callers, mostly one after the other.
const shownMessage = rememberingLast((message: string) => cleanMessage(firstParagraph(message)));

/** Adapter errors quote the model's answer, of which nothing is kept. */
const withoutAnswer = rememberingLast((message: string) =>
  cleanMessage(firstParagraph(message).replace(/(?: with value |: |\. )[\s\S]*$/, "")),
);

/** What follows is advice of the library. */
function firstParagraph(message: string): string {
  return message.split(/\n\s*\n/, 1)[0] ?? "";
}

function cleanMessage(message: string): string | null {
  const clean = cut(scrub(message).replace(/\s+/g, " ").trim(), MESSAGE_LENGTH_MAX);
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
