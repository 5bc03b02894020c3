/**
 * `POST /serving-endpoints/{name}/invocations`: a served agent answers. It takes
 * exactly as long as when it was recorded, says what it said then, and sends
 * the telemetry of that request to the monitor.
 *
 * A question that was never recorded is refused: nothing is made up.
 *
 * Source: Databricks, "Query serving endpoints for custom models"; MLflow 3.17.2,
 * `mlflow/dspy/wrapper.py` for the shape of a DSPy program's answers.
 */
import { randomBytes, randomUUID } from "node:crypto";
import type { Clock } from "./clock.ts";
import { databricksError } from "./databricks-error.ts";
import type { EndpointMetrics } from "./endpoint-metrics.ts";
import type { Recording } from "./recordings.ts";
import { replayBody } from "./replay.ts";
import type { ServedAgent } from "./served-agent.ts";

export type InvocationOptions = {
  readonly agent: ServedAgent;
  readonly servedEntity: string;
  readonly metrics: EndpointMetrics;
  readonly clock: Clock;
  /** Takes the telemetry of one request. */
  readonly sendTelemetry: (body: Uint8Array) => void;
};

const NS_PER_MS = 1_000_000n;

/** Answers one request; `body` is what was posted. */
export async function invoke(body: unknown, options: InvocationOptions): Promise<Response> {
  const { agent, servedEntity, metrics, clock, sendTelemetry } = options;
  const startedMs = clock.now();
  const requestId = randomUUID();
  const input = readInput(body);
  const recording = input && agent.find(input.question);

  if (!input || !recording) {
    const refusal = databricksError(
      "BAD_REQUEST",
      input ? unknownQuestion(agent) : INPUT_EXPECTED,
      requestId,
    );
    metrics.count({ status: refusal.status, latencyMs: clock.now() - startedMs });
    return refusal;
  }

  await new Promise<void>((resolve) => clock.after(recording.latencyMs, resolve));
  agent.remember(recording);
  const response = answerOf(recording, { servedEntity, shape: input.shape, requestId });
  metrics.count({ status: response.status, latencyMs: clock.now() - startedMs });
  const startedNs = BigInt(Math.floor(startedMs)) * NS_PER_MS;
  sendTelemetry(replayBody(recording.otlp, { serviceName: agent.agent, startedNs, randomBytes }));
  return response;
}

type Shape = "inputs" | "messages";
type Input = { readonly question: string; readonly shape: Shape };

const INPUT_EXPECTED =
  'The body must be {"inputs": {"question": "…"}} or {"messages": [{"role": "user", "content": "…"}]}.';

function readInput(body: unknown): Input | null {
  const { inputs, messages } = fieldsOf(body);
  const { question } = fieldsOf(Array.isArray(inputs) && inputs.length === 1 ? inputs[0] : inputs);
  if (typeof question === "string") return { question, shape: "inputs" };

  const last = Array.isArray(messages) ? fieldsOf(messages.at(-1)) : {};
  if (last.role !== "user" || typeof last.content !== "string") return null;
  return { question: last.content, shape: "messages" };
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  // Any object may be read by name; what is not there is undefined.
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function unknownQuestion(agent: ServedAgent): string {
  return `${agent.agent} has no recorded answer to this question. It has one to "${agent.recordings[0]?.question}", for example.`;
}

type AnswerOptions = {
  readonly servedEntity: string;
  readonly shape: Shape;
  readonly requestId: string;
};

function answerOf(
  { outcome }: Recording,
  { servedEntity, shape, requestId }: AnswerOptions,
): Response {
  const headers = {
    "x-databricks-request-id": requestId,
    "served-model-name": servedEntity,
  };
  if (outcome.kind === "failed") {
    return Response.json(outcome.failure.body, { status: outcome.failure.status, headers });
  }
  if (shape === "inputs") return Response.json({ predictions: outcome.answer }, { headers });

  const message = { role: "assistant", content: JSON.stringify(outcome.answer) };
  return Response.json({ choices: [{ index: 0, message, finish_reason: "stop" }] }, { headers });
}
