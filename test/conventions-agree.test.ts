/**
 * One run of a DSPy program, recorded under each convention, is the same run to the
 * monitor: whatever two conventions both tell, they tell alike. What they do not tell
 * is read from the table of `docs/telemetry.md`, so that the table is true cell by cell.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { expectedCaptures } from "./captures.expected.ts";
import { monitorAfter, totals } from "./captures.seen.ts";

/** Columns of the table, and how the names of their recordings begin. */
const recordingsOf = {
  "our Python package": /^callback-/,
  OpenInference: /^openinference-(?:json-)?(?!json|litellm|split|gzip)/,
  "OpenInference + LiteLLM": /^openinference-litellm-/,
  "MLflow autolog": /^mlflow-otlp-(?!lost)/,
  "GenAI (MLflow's switch)": /^mlflow-genai-/,
} as const;
/** Of calls that were given up no two conventions tell the same: the text of the docs says what. */
const apart = /-given-up-/;
type Column = keyof typeof recordingsOf;
const columns = Object.keys(recordingsOf) as Column[]; // of the object above

type Recorded = { readonly recording: string; readonly column: Column; readonly files: string[] };

/** By case, such as `react-tool-error`: the bodies of its run under each convention. */
const cases = new Map<string, Recorded[]>();
for (const { file } of expectedCaptures) {
  const recording = file.replace(/-\d{4}\.otlp\..*$/, "");
  const column = columns.find((name) => recordingsOf[name].test(file));
  if (!column || apart.test(file)) continue;
  const name = recording.replace(
    /^(?:callback|openinference(?:-litellm(?:-cost)?|-json)?|mlflow-[a-z]+)-/,
    "",
  );
  const recorded = cases.get(name) ?? [];
  cases.set(name, recorded);
  // A trace that came in two posts is one run.
  const torn = recorded.find((one) => one.recording === recording);
  if (torn) torn.files.push(file);
  else recorded.push({ recording, column, files: [file] });
}

/** What the programs are made of, by the paths that our package tells. */
const rag = {
  self: "RagQA",
  "self.generate": "ChainOfThought",
  "self.generate.predict": "Predict",
};
const classesByPath: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  RagQA: { ...rag, "self.retrieve": "Retrieve" },
  "RagQA of rag-vector": { ...rag, "self.retrieve": "VectorRetriever" },
  ReAct: {
    self: "ReAct",
    "self.react": "Predict",
    "self.extract": "ChainOfThought",
    "self.extract.predict": "Predict",
  },
  SupportPipeline: {
    self: "SupportPipeline",
    "self.triage": "Predict",
    "self.rag": "RagQA",
    "self.rag.retrieve": "Retrieve",
    "self.rag.generate": "ChainOfThought",
    "self.rag.generate.predict": "Predict",
    "self.check": "Predict",
  },
};
const FORWARD = /(?:\(\w+\))?\.a?forward$/;
const TOOL = /^(?:execute_tool )?(?:Tool\.)?(\w+?)(?:\.__call__)?$/;

type Run = Awaited<ReturnType<typeof runOf>>;

async function runOf(name: string, column: Column, files: readonly string[]) {
  const monitor = await monitorAfter(files);
  const told = totals(monitor);
  const [agent] = monitor.state.agents.all();
  assert.ok(agent);
  const requests = agent.recent.map(({ request }) => request);
  const program = requests[0]?.program ?? "";
  const paths = classesByPath[`${program} of ${name}`] ?? classesByPath[program];
  // A retriever is a module that some conventions tell from the others.
  const calls = Object.entries({ ...told.moduleCalls, ...told.retrieverCalls });
  const classes: Record<string, number> = {};
  for (const [path, count] of calls) {
    const named = paths?.[path] ?? path.replace(FORWARD, "");
    classes[named] = (classes[named] ?? 0) + count;
  }
  const tools = Object.entries(told.toolCalls).map(
    ([path, count]) => [path.replace(TOOL, "$1"), count] as const,
  );
  return {
    name,
    column,
    told,
    agent,
    requests,
    /** `null` where the names are lost, or where `self` may be one program or another. */
    classes: column.startsWith("GenAI") || "self" in classes ? null : classes,
    moduleCalls: calls.reduce((sum, [, count]) => sum + count, 0),
    tools: Object.fromEntries(tools.filter(([tool]) => tool !== "finish")),
    finishes: tools.some(([tool]) => tool === "finish"),
  };
}

const runs: Run[] = [];
for (const [name, recorded] of cases) {
  for (const { column, files } of recorded) runs.push(await runOf(name, column, files));
}

// ─── What they all tell ─────────────────────────────────────────────────────

const isParallel = ({ name }: Run) => name === "parallel";

/** `null` where the convention does not tell. */
const facts: Readonly<Record<string, (run: Run) => unknown>> = {
  requests: (run) => (isParallel(run) ? null : run.told.requests),
  "failed requests": ({ told }) => told.failed,
  "classes of requests": ({ requests }) => requests.map(({ errorClass }) => errorClass).at(-1),
  // A retry that went well is told by one convention only.
  errors: ({ told }) =>
    told.errors
      .filter(({ errorClass, handled }) => !(handled && errorClass === "lm_provider"))
      .map(({ errorClass, handled }) => ({ errorClass, handled })),
  "model calls": ({ told }) => told.lmCalls,
  "module calls": ({ moduleCalls }) => moduleCalls,
  "module calls by class": ({ classes }) => classes,
  "tool calls": ({ tools }) => tools,
  "input tokens": ({ told }) => told.tokens?.input ?? null,
  "output tokens": ({ told }) => told.tokens?.output ?? null,
  "tokens of the prompt cache": ({ told }) => told.tokens?.cacheRead ?? null,
  cost: ({ told }) => told.toldCostUsd,
  "cache hits": ({ told }) => told.cacheHits,
};

for (const [name, recorded] of cases) {
  if (recorded.length < 2) continue;
  test(`${name}: ${recorded.length} recordings agree`, () => {
    for (const [fact, of] of Object.entries(facts)) {
      const told = runs.filter((run) => run.name === name && of(run) !== null);
      for (const run of told) {
        const [first = run] = told;
        assert.deepEqual(of(run), of(first), `${fact}: ${first.column}, ${run.column}`);
      }
    }
  });
}

test("most cases are recorded under several conventions, and each convention has its own", () => {
  const several = [...cases.values()].filter((recorded) => recorded.length > 1);
  assert.ok(several.length >= 18, `${several.length} cases`);
  for (const column of columns) {
    assert.ok(runs.filter((run) => run.column === column).length >= 6, column);
  }
});

// ─── What each tells ────────────────────────────────────────────────────────

type Row = {
  /** What the convention told of the run; `null` when nothing. */
  readonly told: (run: Run) => unknown;
  /** The runs in which there is something to tell. Without it, all. */
  readonly when?: (run: Run) => boolean;
};

const failedOfModel = ({ told }: Run) =>
  told.errors.some(({ errorClass, handled }) => errorClass === "lm_provider" && !handled);
const isStream = ({ name }: Run) => name.startsWith("stream");
const isCached = ({ name }: Run) => name.endsWith("-cached");
const hasUsage = (run: Run) => !failedOfModel(run);
const all = <T>(values: readonly T[], holds: (value: T) => boolean) =>
  values.length > 0 && values.every(holds) ? true : null;

const rows: Readonly<Record<string, Row>> = {
  "requests, latency, failures": {
    told: ({ requests, agent }) =>
      requests.length > 0 && agent.run.latencyMs.sum > 0 ? agent.run.failed : null,
  },
  "module path (`self.rag.generate`)": {
    told: ({ agent }) =>
      all(
        agent.places.inOrder.filter(({ kind }) => kind === "module"),
        ({ path, pathSource }) => pathSource === "attribute" && /^self\b/.test(path),
      ),
  },
  "tokens of a request": { when: hasUsage, told: ({ told }) => told.tokens },
  "tokens of a module or model call": {
    when: hasUsage,
    told: ({ agent }) => all([...agent.models.values()], ({ run }) => run.tokens !== null),
  },
  "input tokens that the provider's prompt cache served": {
    when: (run) => hasUsage(run) && !isCached(run),
    told: ({ told }) => told.tokens?.cacheRead ?? null,
  },
  cost: { when: hasUsage, told: ({ told }) => told.toldCostUsd },
  "DSPy cache hits": { told: ({ told }) => told.cacheHits },
  "time to first token": {
    when: (run) => !isCached(run),
    told: ({ requests }) => requests.find(({ firstTokenMs }) => firstTokenMs !== null) ?? null,
  },
  "retries of a model call": {
    when: ({ name }) => name === "err-429-retry-ok",
    told: ({ told }) => told.errors.find(({ handled }) => handled) ?? null,
  },
  "the step that ends a `dspy.ReAct`, as a call of the tool `finish`": {
    when: ({ name }) => name === "react" || name === "react-tool-error",
    told: ({ finishes }) => finishes || null,
  },
  "answers that could not be read and failed tools, also where the request went on": {
    when: ({ told }) =>
      told.errors.some(({ errorClass }) => errorClass === "adapter_parse" || errorClass === "tool"),
    told: ({ told, agent }) => {
      const failuresOf = (errorClass: string) =>
        told.errors.filter((error) => error.errorClass === errorClass).length;
      const inModules = (what: "parseFailures" | "toolFailures") =>
        agent.places.inOrder.reduce((sum, { run }) => sum + run[what], 0);
      assert.equal(inModules("parseFailures"), failuresOf("adapter_parse"));
      assert.equal(inModules("toolFailures"), failuresOf("tool"));
      return true;
    },
  },
  "error message": {
    when: ({ told }) => told.errors.length > 0,
    told: ({ agent }) => all([...agent.groups.values()], ({ last }) => last.message !== ""),
  },
  "`dspy.Parallel` in one trace": {
    when: isParallel,
    told: ({ requests }) => requests.length === 1 || null,
  },
};

/** What recordings can't show: their forerunner of our package, and their one model, do not have it. */
const provenElsewhere: Readonly<Record<string, string>> = {
  "release of the program, hash of each predictor": "test/peers/python-callback.test.ts",
  "… else from the [price book](cost.md)": "src/ingest/otlp/assemble-cost.test.ts",
  "a time-out of the model told from a model that is away": "test/peers/conventions.test.ts",
  "an agent that used up its steps and answered all the same": "test/peers/python-callback.test.ts",
};

/** The words of the table, and in which runs they promise something. */
const cells: Readonly<Record<string, (run: Run) => boolean>> = {
  yes: () => true,
  "–": () => false,
  "but for streams and cache hits": (run) => !isStream(run) && !isCached(run),
  "when it succeeded, but for cache hits and `dspy.Parallel`": (run) =>
    run.told.failed === 0 && !isCached(run) && !isParallel(run),
  "for models that LiteLLM prices": ({ agent }) => !agent.models.has("stub"),
  "for streamed programs": isStream,
  // Not by MLflow.
  "by some clients": () => false,
  "for streamed calls of other clients": () => false,
  // Said of the module path: nothing that could stand for one.
  "span name": () => false,
  "lost: `CHAIN`, `generate_content`": () => false,
  // Said of error messages.
  "class only": () => false,
  // Said of `dspy.Parallel`.
  "one trace per branch": () => false,
};

/** The table before the first section. */
const [head = [], , ...body] = readFileSync(
  new URL("../docs/telemetry.md", import.meta.url),
  "utf8",
)
  .split("\n## ", 1)
  .join("")
  .split("\n")
  .filter((line) => line.startsWith("|"))
  .map((line) => line.split("|").slice(1, -1))
  .map((line) => line.map((cell) => cell.trim().replace(/^\[([^\]]+)\]\(\S+\)$/, "$1")));

test("the table of the docs has these columns and rows", () => {
  assert.deepEqual(head.slice(1), columns);
  const known = [...Object.keys(rows), ...Object.keys(provenElsewhere)];
  assert.deepEqual(body.map(([row = ""]) => row).sort(), known.sort());
  for (const file of Object.values(provenElsewhere)) {
    assert.ok(existsSync(new URL(`../${file}`, import.meta.url)), file);
  }
});

for (const [label = "", ...promised] of body) {
  const row = rows[label];
  if (!row) continue;
  test(`the docs are right about: ${label}`, () => {
    promised.forEach((cell, index) => {
      const promises = cells[cell];
      assert.ok(promises, `the table says "${cell}", which this test does not know`);
      for (const run of runs.filter(({ column }) => column === columns[index])) {
        if (row.when?.(run) === false) continue;
        const told = row.told(run);
        assert.equal(told !== null, promises(run), `${run.column}, ${run.name}: ${told}`);
      }
    });
  });
}
