/** What one span of a foreign sender becomes. The recorded bodies are tested as a whole in `test/captures.test.ts`. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { toAgentSpan } from "./agent-span.ts";
import type { AttributeValue, OtlpSpan } from "./otlp-span.ts";
import { rowOf } from "./test-attributes.ts";

function span(
  attributes: Readonly<Record<string, AttributeValue>>,
  rest: Partial<OtlpSpan> = {},
): OtlpSpan {
  return {
    traceId: "0af7651916cd43dd8448eb211c80319c",
    spanId: "b7ad6b7169203331",
    parentSpanId: null,
    parentIsRemote: false,
    name: "RagQA.forward",
    kind: 1,
    startMs: 1_800_000_000_000,
    endMs: 1_800_000_000_100,
    statusCode: 0,
    statusMessage: "",
    attributes: rowOf(attributes),
    exceptions: [],
    resource: [],
    ...rest,
  };
}

test("no name or message moves a reader's terminal or turns the text around", () => {
  const hostile = "\u001b[2Jred\u0007\u202etxt\nnext";
  const { name, endpoint, errorType, errorMessage } = toAgentSpan(
    span(
      { "openinference.span.kind": "CHAIN", "error.type": hostile },
      {
        name: hostile,
        resource: rowOf({ "service.name": hostile }),
        statusCode: 2,
        statusMessage: `boom ${hostile}`,
      },
    ),
  );
  for (const text of [name, endpoint, errorType, errorMessage]) {
    assert.match(text ?? "", /red/);
    assert.doesNotMatch(text ?? "", /[\p{Cc}\u202e]/u);
  }
});

test("letters that need a joiner keep it", () => {
  const { name } = toAgentSpan(span({}, { name: "क्\u200dष 👩\u200d🔬" }));
  assert.equal(name, "क्\u200dष 👩\u200d🔬");
});
