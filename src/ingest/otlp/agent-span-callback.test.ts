/** What the DSPy callback of this project tells beyond what the recorded bodies hold. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { AgentSpan } from "../../signals/span.ts";
import { toAgentSpan } from "./agent-span.ts";
import type { AttributeValue } from "./otlp-span.ts";
import { rowOf } from "./test-attributes.ts";

const ERROR = 2;

type Told = Readonly<Record<string, AttributeValue>>;

/** Attributes of a span and of its resource, and what is read from them. */
function check(
  name: string,
  { span, resource = {}, statusCode = 0 }: { span: Told; resource?: Told; statusCode?: number },
  expected: Partial<AgentSpan>,
) {
  test(name, () => {
    const read = toAgentSpan({
      traceId: "0af7651916cd43dd8448eb211c80319c",
      spanId: "0000000000000001",
      parentSpanId: null,
      parentIsRemote: false,
      name: "RagQA self",
      kind: 1,
      startMs: 1_000,
      endMs: 2_000,
      attributes: rowOf(span),
      statusCode,
      statusMessage: "",
      exceptions: [],
      resource: rowOf(resource),
    });
    const found = Object.entries(read).filter(([key]) => key in expected);
    assert.deepEqual(Object.fromEntries(found), expected);
  });
}

check(
  "the root of a program tells its release",
  {
    span: { "dspy.kind": "module", "dspy.module.path": "self", "dspy.release": "3f" },
    resource: { "dspy.endpoint": "qa", "dspy.model.version": "7", "service.name": "other" },
  },
  { release: "3f", predictorHash: null, endpoint: "qa", modelVersion: "7", errorClass: null },
);
check(
  "a predictor tells its hash",
  { span: { "dspy.kind": "module", "dspy.predictor.hash": "a1" } },
  { release: null, predictorHash: "a1" },
);
check(
  "a retriever has a path",
  { span: { "dspy.kind": "retriever", "dspy.module.path": "self.retrieve" } },
  { kind: "retriever", path: "self.retrieve" },
);
check(
  "a failed call tells its class",
  {
    span: { "dspy.kind": "lm", "error.type": "LMTransportError", "dspy.error_class": "timeout" },
    statusCode: ERROR,
  },
  { failed: true, errorType: "LMTransportError", errorClass: "timeout", errorMessage: null },
);
check(
  "a call that survived a failure tells it too",
  {
    span: {
      "dspy.kind": "module",
      "error.type": "MaxIterations",
      "dspy.error_class": "max_iterations",
    },
  },
  { failed: false, errorType: "MaxIterations", errorClass: "max_iterations" },
);
check(
  "a class that an agent cannot know, or that there is none of, is not taken",
  { span: { "dspy.kind": "lm", "dspy.error_class": "throttled" } },
  { errorClass: null, errorType: null },
);
