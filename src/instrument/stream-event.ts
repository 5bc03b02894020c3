/**
 * What one event of a streamed answer is: content that the caller waits for, a
 * report of failure, or neither (a role, a status, a ping, usage, the end).
 *
 * Source: OpenAI `chat.completion.chunk` and Responses events; Anthropic Messages
 * events; MLflow ChatAgent and ResponsesAgent; DSPy 3.4 `streaming_response` and
 * MLflow 3.17.2 `mlflow/dspy/wrapper.py`; Databricks §"Query an agent", `error`.
 */
import { fieldsOf } from "./token-use.ts";

export type StreamEvent = {
  /** Server-sent events only: the `event:` field. */
  readonly name?: string | undefined;
  /** The parsed JSON, or the text where it is none. */
  readonly data: unknown;
};

/** Names of events that never carry content, whatever their data. */
const CONTROL_NAMES: ReadonlySet<string> = new Set([
  "ping",
  "heartbeat",
  "keepalive",
  "keep-alive",
  "done",
  "end",
  "metadata",
  "status",
  "error",
]);

/** Fields that say something about an answer, and are none of it. */
const CONTROL_FIELDS: ReadonlySet<string> = new Set([
  "id",
  "object",
  "created",
  "created_at",
  "model",
  "usage",
  "lm_usage",
  "role",
  "type",
  "name",
  "index",
  "status",
  "done",
  "custom_outputs",
  "databricks_output",
  "finish_reason",
  "logprobs",
  "system_fingerprint",
  "predict_name",
  "signature_field_name",
  "is_last_chunk",
  "error",
  "error_code",
  "detail",
  "request_id",
  "client_request_id",
  "trace_id",
]);

/** How deep content is looked for; deeper nesting is taken for content. */
const DEPTH_MAX = 8;

/**
 * Text, a refusal, a picture, sound or a tool call. Reasoning is none: the caller
 * goes on waiting. A field of an unknown shape counts as content when it is not
 * empty, since an agent may answer in any.
 */
export function carriesContent({ name, data }: StreamEvent): boolean {
  if (name !== undefined && CONTROL_NAMES.has(name)) return false;
  return hasContent(data, 0);
}

/** The stream itself says that the agent failed, though its status was 200. */
export function reportsFailure({ name, data }: StreamEvent): boolean {
  const { type, error, error_code: code } = fieldsOf(data);
  if (name === "error" || type === "error" || type === "response.failed") return true;
  return isFilled(error) || isFilled(code);
}

/** Nothing more will come, though the connection may stay open for a moment. */
export function saysDone(data: unknown): boolean {
  const { type } = fieldsOf(data);
  return data === "[DONE]" || type === "response.completed" || type === "message_stop";
}

/** The code of a reported failure, for grouping; never its text, which may quote the question. */
export function failureCode(answer: unknown): string | undefined {
  const { error, error_code: databricks, code, response } = fieldsOf(answer);
  const inner = fieldsOf(error);
  const ofResponse = fieldsOf(fieldsOf(response).error);
  for (const value of [databricks, inner.code, inner.type, ofResponse.code, code]) {
    if (typeof value === "string" && /^[\w.-]{1,64}$/.test(value)) return value;
  }
  return undefined;
}

function hasContent(data: unknown, depth: number): boolean {
  if (depth > DEPTH_MAX) return true;
  if (typeof data === "string") return data !== "" && data !== "[DONE]";
  if (typeof data === "number" || typeof data === "boolean") return true;
  if (Array.isArray(data)) return data.some((item) => hasContent(item, depth + 1));
  if (data === null || data === undefined) return false;

  const fields = fieldsOf(data);
  if (Array.isArray(fields.choices)) return fields.choices.some(choiceHasContent);
  if (typeof fields.type === "string") return typedHasContent(fields.type, fields, depth);
  if (isMessage(fields.delta)) return messageHasContent(fieldsOf(fields.delta));
  if ("chunk" in fields) return hasContent(fields.chunk, depth + 1);
  if ("content" in fields || "tool_calls" in fields) return messageHasContent(fields);
  // DSPy: `{"message": "…"}` alone tells a person what goes on.
  if (typeof fields.message === "string" && Object.keys(fields).length === 1) return false;

  return Object.entries(fields).some(
    ([key, value]) => !CONTROL_FIELDS.has(key) && hasContent(value, depth + 1),
  );
}

function choiceHasContent(choice: unknown): boolean {
  const { delta, message, text } = fieldsOf(choice);
  return isText(text) || messageHasContent(fieldsOf(delta)) || messageHasContent(fieldsOf(message));
}

const isMessage = (value: unknown) => Object.keys(fieldsOf(value)).length > 0;

function messageHasContent(message: Readonly<Record<string, unknown>>): boolean {
  const { content, refusal, tool_calls: calls, function_call: call, audio } = message;
  return partsHaveContent(content) || [refusal, calls, call, audio].some(isFilled);
}

/** Content is text, or parts of which reasoning is none. */
function partsHaveContent(content: unknown): boolean {
  if (!Array.isArray(content)) return isFilled(content);
  return content.some((part) => {
    const { type, text, refusal, ...rest } = fieldsOf(part);
    if (typeof part === "string") return part !== "";
    if (typeof type === "string" && /reasoning|thinking|summary/.test(type)) return false;
    if (text !== undefined || refusal !== undefined) return isText(text) || isText(refusal);
    return Object.values(rest).some(isFilled);
  });
}

/** Events that say what they are, of OpenAI's Responses and Anthropic's Messages. */
function typedHasContent(
  type: string,
  fields: Readonly<Record<string, unknown>>,
  depth: number,
): boolean {
  if (/reasoning|thinking/.test(type)) return false;
  if (type === "content_block_delta") {
    const { text, partial_json: json } = fieldsOf(fields.delta);
    return isText(text) || isText(json);
  }
  if (type.endsWith(".delta")) return isFilled(fields.delta);
  if (type === "response.output_text.done") return isText(fields.text);
  if (type === "response.function_call_arguments.done") return isText(fields.arguments);
  if (type === "response.output_item.done") return itemHasContent(fields.item);
  if (type === "response.completed" || type === "response.incomplete") {
    const { output } = fieldsOf(fields.response);
    return Array.isArray(output) && output.some(itemHasContent);
  }
  if (/^(?:response\.|message_|content_block_|ping$|error$|status$|heartbeat$)/.test(type)) {
    return false;
  }
  if (type === "message" || type === "text" || type === "function_call") {
    return itemHasContent(fields) || isText(fields.text);
  }
  const { type: _type, ...rest } = fields;
  return hasContent(rest, depth + 1);
}

/** An output item: a message, or a tool call. */
function itemHasContent(item: unknown): boolean {
  const { type, content, name, arguments: args } = fieldsOf(item);
  if (type === "reasoning") return false;
  if (type === "message" || content !== undefined) return partsHaveContent(content);
  return isText(name) || isText(args);
}

const isText = (value: unknown) => typeof value === "string" && value !== "";

/** Not null, not an empty string, array or object. */
function isFilled(value: unknown): boolean {
  if (value === null || value === undefined || value === false || value === "") return false;
  if (Array.isArray(value)) return value.length > 0;
  return typeof value !== "object" || Object.keys(value).length > 0;
}
