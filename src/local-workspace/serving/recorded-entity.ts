/**
 * An example agent that answers from its recordings: exactly as late as when it was
 * recorded, with what it said then, and with the telemetry of that request. A question
 * that was never recorded is refused: nothing is made up.
 *
 * Source: Databricks, "Query serving endpoints for custom models"; MLflow 3.17.2,
 * `mlflow/types/responses.py`, and `python/serving/python_model.py` for what a
 * ResponsesAgent around a DSPy program says.
 */
import { randomBytes, randomUUID } from "node:crypto";
import type { Clock } from "../clock.ts";
import { databricksError } from "../databricks-error.ts";
import type { AgentRecordings, Recording } from "../recordings.ts";
import { replayBody } from "../replay.ts";
import { type ServedAgent, serveAgent } from "./served-agent.ts";
import type { ServedEntity } from "./served-entity.ts";

export type RecordedEntityOptions = {
  readonly agent: AgentRecordings;
  /** Its telemetry's `service.name`. */
  readonly serviceName: string;
  readonly clock: Clock;
  /** Takes the telemetry of one request. */
  readonly sendTelemetry: (body: Uint8Array) => void;
};

const NS_PER_MS = 1_000_000n;

export function serveRecorded(options: RecordedEntityOptions): ServedEntity {
  const { clock, sendTelemetry, serviceName } = options;
  const agent = serveAgent(options.agent);
  const message = `Recorded: it answers as ${agent.agent} did when it was recorded; no model runs.`;

  return {
    isRecorded: true,
    state: () => ({ deployment: "DEPLOYMENT_READY", message }),
    logs: () => `${message}\n`,
    async invoke({ body, requestId }) {
      const startedMs = clock.now();
      let input: Input | null;
      try {
        input = readInput(JSON.parse(new TextDecoder().decode(body)));
      } catch {
        return databricksError("MALFORMED_REQUEST", "The body is not JSON.", requestId);
      }
      const recording = input && agent.find(input.question);
      if (!input || !recording) {
        const why = input ? unknownQuestion(agent) : INPUT_EXPECTED;
        return databricksError("BAD_REQUEST", why, requestId);
      }
      await new Promise<void>((resolve) => clock.after(recording.latencyMs, resolve));
      agent.remember(recording);
      const startedNs = BigInt(Math.floor(startedMs)) * NS_PER_MS;
      sendTelemetry(replayBody(recording.otlp, { serviceName, startedNs, randomBytes }));
      return input.isStreamed ? streamOf(recording, input.shape) : answerOf(recording, input.shape);
    },
    close: async () => {},
  };
}

type Shape = "inputs" | "input" | "messages";
type Input = { readonly question: string; readonly shape: Shape; readonly isStreamed: boolean };

const INPUT_EXPECTED =
  'The body must be {"inputs": {"question": "…"}}, {"input": [{"role": "user", "content": "…"}]} or {"messages": [{"role": "user", "content": "…"}]}.';

function readInput(body: unknown): Input | null {
  const { inputs, input, messages, stream } = fieldsOf(body);
  const { question } = fieldsOf(Array.isArray(inputs) && inputs.length === 1 ? inputs[0] : inputs);
  if (typeof question === "string") return { question, shape: "inputs", isStreamed: false };

  const said = Array.isArray(input) ? input : messages;
  const last = Array.isArray(said) ? fieldsOf(said.at(-1)) : {};
  const text = textOf(last.content);
  if (last.role !== "user" || text === null) return null;
  const shape = said === input ? "input" : "messages";
  return { question: text, shape, isStreamed: stream === true };
}

/** Text, or the text of parts such as `{"type": "input_text", "text": "…"}`. */
function textOf(content: unknown): string | null {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return null;
  const texts = content.map((part) => fieldsOf(part).text);
  return texts.every((text) => typeof text === "string") ? texts.join("") : null;
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  // Any object may be read by name; what is not there is undefined.
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function unknownQuestion(agent: ServedAgent): string {
  return `${agent.agent} has no recorded answer to this question. It has one to "${agent.recordings[0]?.question}", for example.`;
}

function answerOf({ outcome }: Recording, shape: Shape): Response {
  if (outcome.kind === "failed") {
    return Response.json(outcome.failure.body, { status: outcome.failure.status });
  }
  const { answer } = outcome;
  switch (shape) {
    case "inputs":
      return Response.json({ predictions: answer });
    case "messages": {
      const message = { role: "assistant", content: JSON.stringify(answer) };
      return Response.json({ choices: [{ index: 0, message, finish_reason: "stop" }] });
    }
    case "input":
      return Response.json(responsesAnswer(answer));
  }
}

/**
 * As server-sent events: the text in one piece, since a recording does not tell when it was
 * written, then the whole. What failed has no events.
 */
function streamOf(recording: Recording, shape: Shape): Response {
  const { outcome } = recording;
  if (outcome.kind === "failed") return answerOf(recording, shape);
  const events = shape === "input" ? responseEvents(outcome.answer) : chatChunks(outcome.answer);
  const lines = events.map((event) => `data: ${JSON.stringify(event)}\n\n`);
  return new Response(`${lines.join("")}data: [DONE]\n\n`, {
    headers: { "content-type": "text/event-stream" },
  });
}

function responseEvents(answer: Readonly<Record<string, unknown>>): readonly object[] {
  const response = responsesAnswer(answer);
  const [item] = response.output;
  const delta = item?.content[0]?.text;
  return [
    { type: "response.output_text.delta", item_id: item?.id, delta },
    { type: "response.output_item.done", item, custom_outputs: response.custom_outputs },
    { type: "response.completed", response },
  ];
}

function chatChunks(answer: Readonly<Record<string, unknown>>): readonly object[] {
  const chunk = { id: `chatcmpl-${randomUUID()}`, object: "chat.completion.chunk" };
  const choice = (delta: object, finish_reason: string | null) => ({
    ...chunk,
    choices: [{ index: 0, delta, finish_reason }],
  });
  return [choice({ role: "assistant", content: JSON.stringify(answer) }, null), choice({}, "stop")];
}

/** Of an answer's fields, the text that the caller reads; the first that is there counts. */
const ANSWER_FIELDS = ["answer", "response", "output"];
/** They are for the program, not for its caller. */
const INNER_FIELDS = ["trajectory", "reasoning"];

function responsesAnswer(answer: Readonly<Record<string, unknown>>) {
  const told = Object.keys(answer).filter((name) => !INNER_FIELDS.includes(name));
  const field = ANSWER_FIELDS.find((name) => told.includes(name)) ?? told[0] ?? "";
  const text = answer[field];
  const others = told.filter((name) => name !== field).map((name) => [name, answer[name]]);
  return {
    object: "response",
    id: `resp_${randomUUID().replaceAll("-", "")}`,
    output: [
      {
        type: "message",
        id: `msg_${randomUUID().replaceAll("-", "")}`,
        role: "assistant",
        status: "completed",
        content: [
          { type: "output_text", text: typeof text === "string" ? text : JSON.stringify(text) },
        ],
      },
    ],
    custom_outputs: others.length > 0 ? Object.fromEntries(others) : undefined,
  };
}
