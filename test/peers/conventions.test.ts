/**
 * A real DSPy program under each convention that is not ours: the monitor's figures are
 * those of its callers and its model, and what the convention does not tell is unknown.
 * `docs/telemetry.md` has the table; `python-callback.test.ts` does the same for our package.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Agent } from "../../src/live/agents.ts";
import { costUsdOf } from "../../src/signals/cost.ts";
import { errorsOf, failuresOf, type Outside, runLive, sum } from "./live-program.ts";

/** Of gpt-4o-mini, in US dollars per token. */
const PRICE = { input: 0.15e-6, cached: 0.075e-6, output: 0.6e-6 };
/** `dspy.Parallel` runs each of its branches in a trace, and so in a request, of its own. */
const BRANCHES = 3;

type Told = {
  readonly convention: string;
  /** Of `set-up.ts`. */
  readonly environment: string;
  /** As the API names it. */
  readonly named: string;
  /** Whether the tokens of a request are told. */
  readonly tokens: (request: Outside) => boolean;
  readonly tellsTokensOfCalls?: true;
  readonly tellsPromptCache?: true;
  /** That a model call went well at its second attempt. */
  readonly tellsRetries?: true;
  /** The step that ends a `dspy.ReAct` is a tool call of its own. */
  readonly tellsFinish?: true;
  /** Names of classes are lost. */
  readonly losesNames?: true;
};

const succeeded = ({ name, error }: Outside) => error === null && name !== "parallel";
const openinference = {
  environment: "openinference",
  named: "openinference",
  tellsFinish: true,
} as const;

const conventions: readonly Told[] = [
  { ...openinference, convention: "openinference", tokens: () => false },
  {
    ...openinference,
    convention: "openinference-litellm",
    tokens: ({ name }) => !name.startsWith("stream"),
    tellsTokensOfCalls: true,
    tellsPromptCache: true,
    tellsRetries: true,
  },
  { convention: "mlflow", environment: "mlflow", named: "mlflow", tokens: succeeded },
  {
    convention: "mlflow-genai",
    environment: "mlflow",
    named: "genai",
    tokens: succeeded,
    losesNames: true,
  },
];

for (const told of conventions) {
  test(`${told.convention}: the monitor's figures are those of the callers and of the model`, async () => {
    const { agent, orphanSpans, outside, calls } = await runLive(told.convention, told.environment);
    const requests = agent.recent.map(({ request }) => request);
    const failed = outside.filter(({ error }) => error !== null);
    assert.deepEqual([...agent.conventions], [told.named]);
    assert.equal(orphanSpans, 0);
    assert.equal(requests.length, outside.length + BRANCHES);
    assert.equal(requests.filter(({ incomplete }) => incomplete).length, 0);

    // Failures, by class, as the callers got them; and what the agent survived.
    const retries = outside.filter(({ name }) => name === "retried");
    assert.deepEqual(
      retries.map(({ modelCalls, answered }) => [modelCalls, answered]),
      [[1, 2]],
    );
    const survived = {
      "~ tool": 1,
      "~ adapter_parse": 1,
      ...(told.tellsRetries && { "~ lm_provider": 1 }),
    };
    assert.ok(failed.length >= 9);
    assert.deepEqual(errorsOf(agent), { ...failuresOf(outside), ...survived });
    const classes = requests
      .filter(({ errorClass }) => errorClass !== null)
      .map(({ errorClass }) => [`! ${errorClass}`, 1] as const);
    assert.deepEqual(countsOf(classes), failuresOf(outside));

    // Calls begun, those that the cache answered among them.
    const models = [...agent.models.values()];
    assert.deepEqual(
      models.map(({ model, run }) => [model, run.calls]),
      [["gpt-4o-mini", sum(outside, "modelCalls")]],
    );
    assert.equal(calls.lm, sum(outside, "modelCalls"));
    const toldCalls = Object.entries(calls).filter(
      ([name]) => name !== "lm" && (told.tellsFinish || name !== "tool finish"),
    );
    assert.deepEqual(callsByName(agent, told), countsOf(toldCalls, told));

    // Tokens of answers whose usage was delivered, where the convention tells them.
    const counted = outside.filter(told.tokens);
    const [input, output] = [sum(counted, "inputTokens"), sum(counted, "outputTokens")];
    const cached = told.tellsPromptCache ? sum(counted, "cachedTokens") : 0;
    const tokens = { input, output, ...(told.tellsPromptCache && { cacheRead: cached }) };
    assert.deepEqual(agent.run.tokens, counted.length > 0 ? tokens : null);
    assert.deepEqual(models[0]?.run.tokens, told.tellsTokensOfCalls ? tokens : null);
    const costUsd = (input - cached) * PRICE.input + cached * PRICE.cached + output * PRICE.output;
    const seenUsd = costUsdOf(agent.run.cost);
    if (counted.length === 0) assert.equal(seenUsd, null);
    else assert.ok(Math.abs((seenUsd ?? 0) - costUsd) < 1e-9, `${seenUsd} and not ${costUsd}`);

    // What none of them tells.
    assert.equal(agent.run.cacheHits, null);
    for (const { cache, cacheHits, firstTokenMs, release } of requests) {
      assert.deepEqual([cache, cacheHits, firstTokenMs, release], ["unknown", null, null, null]);
    }
    assert.ok(agent.places.inOrder.every(({ pathSource }) => pathSource === "span"));
  });
}

const NAME = /^(?:execute_tool )?(?:Tool\.)?(\w+?)(?:\(\w+\))?(?:\.(?:a?forward|__call__))?$/;

/** A retriever is a module to DSPy. */
function callsByName({ places }: Agent, told: Told): Record<string, number> {
  const calls = places.inOrder.map(({ kind, path, run }): [string, number] => {
    return [`${kind === "tool" ? "tool" : "module"} ${path.replace(NAME, "$1")}`, run.calls];
  });
  return countsOf(calls, told);
}

/** By name, but modules all together where their names are lost. */
function countsOf(
  calls: readonly (readonly [string, number])[],
  { losesNames = false }: { readonly losesNames?: boolean } = {},
): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const [name, count] of calls) {
    const key = losesNames && name.startsWith("module ") ? "modules" : name;
    counts[key] = (counts[key] ?? 0) + count;
  }
  return counts;
}
