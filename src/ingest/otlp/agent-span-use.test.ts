/** What each convention tells of a model call's model, tokens and cost. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { AgentSpan } from "../../signals/span.ts";
import { toAgentSpan } from "./agent-span.ts";
import type { AttributeValue } from "./otlp-span.ts";
import { rowOf } from "./test-attributes.ts";

function check(attributes: Record<string, AttributeValue>, expected: Partial<AgentSpan>) {
  const span = toAgentSpan({
    traceId: "0af7651916cd43dd8448eb211c80319c",
    spanId: "00f067aa0ba902b7",
    parentSpanId: null,
    parentIsRemote: false,
    name: "LM.__call__",
    kind: 3,
    startMs: 1,
    endMs: 2,
    statusCode: 1,
    statusMessage: "",
    attributes: rowOf(attributes),
    exceptions: [],
    resource: [],
  });
  const told = Object.fromEntries(
    Object.keys(expected).map((key) => [key, span[key as keyof AgentSpan]]),
  );
  assert.deepEqual(told, expected);
}

const callback = { "dspy.kind": "lm", "gen_ai.operation.name": "chat" };
const openinference = { "openinference.span.kind": "LLM" };
const mlflow = { "mlflow.spanType": '"CHAT_MODEL"' };
const genai = { "gen_ai.operation.name": "chat" };

for (const [name, convention] of Object.entries({ callback, genai })) {
  test(`${name}: what the provider's prompt cache served and took`, () =>
    check(
      {
        ...convention,
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 10,
        "gen_ai.usage.cache_read.input_tokens": 64,
        "gen_ai.usage.cache_creation.input_tokens": 32,
      },
      { tokens: { input: 100, output: 10, cacheRead: 64, cacheWrite: 32 } },
    ));
  test(`${name}: a prompt cache that is not told is absent, not 0`, () =>
    check(
      { ...convention, "gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 10 },
      { tokens: { input: 100, output: 10 } },
    ));
  test(`${name}: model and provider`, () =>
    check(
      { ...convention, "gen_ai.request.model": "gpt-4o", "gen_ai.provider.name": "openai" },
      { model: "gpt-4o", provider: "openai" },
    ));
}

test("openinference: what the provider's prompt cache served and took", () =>
  check(
    {
      ...openinference,
      "llm.token_count.prompt": 100,
      "llm.token_count.completion": 10,
      "llm.token_count.prompt_details.cache_read": 64,
      "llm.token_count.prompt_details.cache_write": 0,
    },
    { tokens: { input: 100, output: 10, cacheRead: 64, cacheWrite: 0 } },
  ));
test("mlflow: what the provider's prompt cache served and took", () => {
  const usage = { input_tokens: 100, output_tokens: 10, cache_read_input_tokens: 64 };
  const tokens = { input: 100, output: 10, cacheRead: 64 };
  check({ ...mlflow, "mlflow.chat.tokenUsage": JSON.stringify(usage) }, { tokens });
  check({ ...mlflow, "mlflow.chat.tokenUsage": usage }, { tokens });
  check(
    { ...mlflow, "mlflow.chat.tokenUsage": { ...usage, cache_creation_input_tokens: 8 } },
    { tokens: { ...tokens, cacheWrite: 8 } },
  );
});
test("cached tokens that are more than the input were counted beside it", () =>
  check(
    {
      ...genai,
      "gen_ai.usage.input_tokens": 10,
      "gen_ai.usage.output_tokens": 1,
      "gen_ai.usage.cache_read.input_tokens": 1_000,
    },
    { tokens: { input: 1_010, output: 1, cacheRead: 1_000 } },
  ));

for (const [name, expected] of [
  ["openai/gpt-4o", { model: "gpt-4o", provider: "openai" }],
  ["openrouter/openai/gpt-4o", { model: "gpt-4o", provider: "openrouter/openai" }],
  ["gpt-4o", { model: "gpt-4o", provider: "azure" }],
] as const) {
  test(`a provider in the name ${name} is nearer than the attribute`, () => {
    check({ ...openinference, "llm.model_name": name, "llm.provider": "azure" }, expected);
    check(
      { ...mlflow, "mlflow.llm.model": `"${name}"`, "mlflow.llm.provider": '"azure"' },
      expected,
    );
  });
}
test("an unknown provider is none", () =>
  check(
    { ...callback, "gen_ai.request.model": "m", "gen_ai.provider.name": "unknown" },
    { model: "m", provider: null },
  ));

test("a hit of DSPy's cache tells what it saved, costs nothing and uses no tokens", () =>
  check(
    { ...callback, "dspy.lm.cache_hit": true, "dspy.lm.saved_cost_usd": 0.25 },
    { costUsd: 0, savedCostUsd: 0.25, tokens: { input: 0, output: 0 } },
  ));
test("without the attribute what a hit saved is unknown", () =>
  check({ ...callback, "dspy.lm.cache_hit": true }, { costUsd: 0, savedCostUsd: null }));
test("a miss saves nothing, whatever is told", () =>
  check(
    { ...callback, "dspy.lm.cache_hit": false, "dspy.lm.saved_cost_usd": 0.25 },
    { savedCostUsd: null },
  ));
