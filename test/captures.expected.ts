// biome-ignore-all format: one line per case reads as a table

/*
 * What each recorded OTLP trace body must give, one line per body.
 *
 * Written by hand: someone read every span tree in the decoded twin (`X.json`) of each raw body
 * (`X.otlp.pb`, `.otlp.pb.gz`, `.otlp.json`, `.otlp.json.gz`) and wrote down what it means. No
 * product code made or shaped these values, so that reader and table can only agree by both
 * being right. When a test disagrees, read the twin before changing either.
 *
 * Each body is sent alone to a fresh monitor, which is then stopped cleanly. `sequences` are
 * bodies that hold parts of the same traces: sent one after the other, in this order and in the
 * reverse one, they give the same totals.
 *
 * `null` is "this convention doesn't tell", never 0. Paths are `dspy.module.path` where there is
 * one (the callback), else span names. A module path stands for what the convention can tell
 * apart: under the callback's `dspy.Parallel` the batch and its three programs are all `self`.
 */

export type ExpectedError = {
  readonly type: string;
  readonly errorClass: "lm_provider" | "adapter_parse" | "tool" | "timeout" | "client";
  /** The request went on and succeeded all the same. */
  readonly handled: boolean;
  /** The nearest module, tool or retriever at or above the span that failed. */
  readonly path: string;
};

type Calls = Readonly<Record<string, number>>;

export type ExpectedTotals = {
  readonly requests: number;
  readonly failed: number;
  /** Requests whose root span did not arrive. */
  readonly incomplete: number;
  readonly endpoint: string;
  /** Requests by the class of their root; without a root it is `unknown`. */
  readonly programs: Calls;
  readonly moduleCalls: Calls;
  readonly retrieverCalls: Calls;
  readonly toolCalls: Calls;
  readonly lmCalls: number;
  /** Of requests only: a lone embedding's tokens are no request's. */
  readonly tokens: {
    readonly input: number;
    readonly output: number;
    /** Part of the input that the provider's prompt cache served; absent where no call tells. */
    readonly cacheRead?: number;
  } | null;
  /** What the telemetry itself says, without any price list; an answer of DSPy's cache costs 0. */
  readonly toldCostUsd: number | null;
  /** LM calls answered by DSPy's own cache. */
  readonly cacheHits: number | null;
  readonly errors: readonly ExpectedError[];
};

export type ExpectedCapture = { readonly file: string } & ExpectedTotals;
export type ExpectedSequence = { readonly files: readonly string[] } & ExpectedTotals;

const fatal = (type: string, errorClass: ExpectedError["errorClass"], path: string): ExpectedError =>
  ({ type, errorClass, handled: false, path });
const survived = (type: string, errorClass: ExpectedError["errorClass"], path: string): ExpectedError =>
  ({ type, errorClass, handled: true, path });

// What the example programs are made of, as the conventions name it.
const cbRag: Calls = { self: 1, "self.retrieve": 1, "self.generate": 1, "self.generate.predict": 1 };
const cbReact: Calls = { self: 1, "self.react": 2, "self.extract": 1, "self.extract.predict": 1 };
const cbTools: Calls = { "execute_tool lookup_order": 1, "execute_tool finish": 1 };
const rag: Calls = { "RagQA.forward": 1, "ChainOfThought.forward": 1, "Predict.forward": 1 };
const vectorRag: Calls = { "RagQA.forward": 1, "VectorRetriever.forward": 1, "ChainOfThought.forward": 1, "Predict.forward": 1 };
const asyncRag: Calls = { "RagQA.aforward": 1, "ChainOfThought.aforward": 1, "Predict.aforward": 1 };
const parallelRag: Calls = { "Batch.forward": 1, "RagQA.forward": 3, "ChainOfThought.forward": 3, "Predict.forward": 3 };
const react: Calls = { "ReAct.forward": 1, "Predict.forward": 3, "ChainOfThought.forward": 1 };
const retrieve: Calls = { "Retrieve.forward": 1 };
const oiTools: Calls = { "lookup_order.__call__": 1, "finish.__call__": 1 };
const genaiRag: Calls = { CHAIN: 2, generate_content: 1 };

export const expectedCaptures: readonly ExpectedCapture[] = [
  // callback: paths, tokens, cost and cache hits per LM call; `dspy.Retrieve` is a module like any other.
  { file: "callback-async-0038.otlp.pb", requests: 1, failed: 0, incomplete: 0, endpoint: "support-agent", programs: { RagQA: 1 }, moduleCalls: cbRag, retrieverCalls: {}, toolCalls: {}, lmCalls: 1, tokens: { input: 261, output: 57, cacheRead: 64 }, toldCostUsd: 0.00006855, cacheHits: 0, errors: [] },
  { file: "callback-err-401-0046.otlp.pb", requests: 1, failed: 1, incomplete: 0, endpoint: "support-agent", programs: { RagQA: 1 }, moduleCalls: cbRag, retrieverCalls: {}, toolCalls: {}, lmCalls: 1, tokens: null, toldCostUsd: null, cacheHits: 0, errors: [fatal("LMAuthError", "lm_provider", "self.generate.predict")] },
  { file: "callback-err-429-0042.otlp.pb", requests: 1, failed: 1, incomplete: 0, endpoint: "support-agent", programs: { RagQA: 1 }, moduleCalls: cbRag, retrieverCalls: {}, toolCalls: {}, lmCalls: 1, tokens: null, toldCostUsd: null, cacheHits: 0, errors: [fatal("LMRateLimitError", "lm_provider", "self.generate.predict")] },
  { file: "callback-err-429-retry-ok-0043.otlp.pb", requests: 1, failed: 0, incomplete: 0, endpoint: "support-agent", programs: { RagQA: 1 }, moduleCalls: cbRag, retrieverCalls: {}, toolCalls: {}, lmCalls: 1, tokens: { input: 256, output: 57, cacheRead: 64 }, toldCostUsd: 0.0000678, cacheHits: 0, errors: [] },
  { file: "callback-err-500-0044.otlp.pb", requests: 1, failed: 1, incomplete: 0, endpoint: "support-agent", programs: { RagQA: 1 }, moduleCalls: cbRag, retrieverCalls: {}, toolCalls: {}, lmCalls: 1, tokens: null, toldCostUsd: null, cacheHits: 0, errors: [fatal("LMServerError", "lm_provider", "self.generate.predict")] },
  { file: "callback-err-connection-0051.otlp.pb", requests: 1, failed: 1, incomplete: 0, endpoint: "support-agent", programs: { RagQA: 1 }, moduleCalls: cbRag, retrieverCalls: {}, toolCalls: {}, lmCalls: 1, tokens: null, toldCostUsd: null, cacheHits: 0, errors: [fatal("LMTransportError", "lm_provider", "self.generate.predict")] },
  { file: "callback-err-not-json-0050.otlp.pb", requests: 1, failed: 1, incomplete: 0, endpoint: "support-agent", programs: { RagQA: 1 }, moduleCalls: cbRag, retrieverCalls: {}, toolCalls: {}, lmCalls: 1, tokens: null, toldCostUsd: null, cacheHits: 0, errors: [fatal("LMProviderError", "lm_provider", "self.generate.predict")] },
  { file: "callback-err-parse-0052.otlp.pb", requests: 1, failed: 1, incomplete: 0, endpoint: "support-agent", programs: { RagQA: 1 }, moduleCalls: cbRag, retrieverCalls: {}, toolCalls: {}, lmCalls: 2, tokens: { input: 507, output: 18, cacheRead: 128 }, toldCostUsd: 0.00007725, cacheHits: 0, errors: [fatal("AdapterParseError", "adapter_parse", "self.generate.predict")] },
  { file: "callback-err-parse-json-0053.otlp.pb", requests: 1, failed: 1, incomplete: 0, endpoint: "support-agent", programs: { RagQA: 1 }, moduleCalls: cbRag, retrieverCalls: {}, toolCalls: {}, lmCalls: 2, tokens: { input: 506, output: 17, cacheRead: 128 }, toldCostUsd: 0.0000765, cacheHits: 0, errors: [fatal("AdapterParseError", "adapter_parse", "self.generate.predict")] },
  // A caller that goes away, and a program that waits no longer for its model.
  { file: "callback-given-up-0057.otlp.pb", requests: 2, failed: 2, incomplete: 0, endpoint: "support-agent", programs: { Patient: 1, Impatient: 1 }, moduleCalls: { self: 2, "self.generate": 2, "self.generate.predict": 2 }, retrieverCalls: {}, toolCalls: {}, lmCalls: 2, tokens: null, toldCostUsd: null, cacheHits: 0, errors: [survived("CancelledError", "client", "self.generate.predict"), fatal("CancelledError", "client", "self.generate.predict"), fatal("TimeoutError", "timeout", "self")] },
  { file: "callback-parallel-0040.otlp.pb", requests: 1, failed: 0, incomplete: 0, endpoint: "support-agent", programs: { Batch: 1 }, moduleCalls: { self: 4, "self.retrieve": 3, "self.generate": 3, "self.generate.predict": 3 }, retrieverCalls: {}, toolCalls: {}, lmCalls: 3, tokens: { input: 777, output: 171, cacheRead: 192 }, toldCostUsd: 0.00020475, cacheHits: 0, errors: [] },
  { file: "callback-pipeline-0025.otlp.pb", requests: 1, failed: 0, incomplete: 0, endpoint: "support-agent", programs: { SupportPipeline: 1 }, moduleCalls: { self: 1, "self.triage": 1, "self.rag": 1, "self.rag.retrieve": 1, "self.rag.generate": 1, "self.rag.generate.predict": 1, "self.check": 1 }, retrieverCalls: {}, toolCalls: {}, lmCalls: 3, tokens: { input: 761, output: 93, cacheRead: 192 }, toldCostUsd: 0.00015555, cacheHits: 0, errors: [] },
  { file: "callback-rag-0001.otlp.pb", requests: 1, failed: 0, incomplete: 0, endpoint: "support-agent", programs: { RagQA: 1 }, moduleCalls: cbRag, retrieverCalls: {}, toolCalls: {}, lmCalls: 1, tokens: { input: 263, output: 57, cacheRead: 64 }, toldCostUsd: 0.00006885, cacheHits: 0, errors: [] },
  { file: "callback-rag-cached-0006.otlp.pb", requests: 1, failed: 0, incomplete: 0, endpoint: "support-agent", programs: { RagQA: 1 }, moduleCalls: cbRag, retrieverCalls: {}, toolCalls: {}, lmCalls: 1, tokens: { input: 0, output: 0 }, toldCostUsd: 0, cacheHits: 1, errors: [] },
  { file: "callback-rag-vector-0009.otlp.pb", requests: 1, failed: 0, incomplete: 0, endpoint: "support-agent", programs: { RagQA: 1 }, moduleCalls: cbRag, retrieverCalls: {}, toolCalls: {}, lmCalls: 1, tokens: { input: 231, output: 57, cacheRead: 64 }, toldCostUsd: 0.00006405, cacheHits: 0, errors: [] },
  { file: "callback-react-0011.otlp.pb", requests: 1, failed: 0, incomplete: 0, endpoint: "support-agent", programs: { ReAct: 1 }, moduleCalls: cbReact, retrieverCalls: {}, toolCalls: cbTools, lmCalls: 3, tokens: { input: 1681, output: 135, cacheRead: 192 }, toldCostUsd: 0.00031875, cacheHits: 0, errors: [] },
  { file: "callback-react-tool-error-0020.otlp.pb", requests: 1, failed: 0, incomplete: 0, endpoint: "support-agent", programs: { ReAct: 1 }, moduleCalls: cbReact, retrieverCalls: {}, toolCalls: cbTools, lmCalls: 3, tokens: { input: 2113, output: 135, cacheRead: 192 }, toldCostUsd: 0.00038355, cacheHits: 0, errors: [survived("ConnectionError", "tool", "execute_tool lookup_order")] },
  { file: "callback-react-unknown-tool-0024.otlp.pb", requests: 1, failed: 1, incomplete: 0, endpoint: "support-agent", programs: { ReAct: 1 }, moduleCalls: { self: 1, "self.react": 1 }, retrieverCalls: {}, toolCalls: {}, lmCalls: 2, tokens: { input: 1332, output: 71, cacheRead: 128 }, toldCostUsd: 0.0002328, cacheHits: 0, errors: [fatal("AdapterParseError", "adapter_parse", "self.react")] },
  { file: "callback-stream-0034.otlp.pb", requests: 1, failed: 0, incomplete: 0, endpoint: "support-agent", programs: { RagQA: 1 }, moduleCalls: cbRag, retrieverCalls: {}, toolCalls: {}, lmCalls: 1, tokens: { input: 259, output: 57, cacheRead: 64 }, toldCostUsd: 0.00006825, cacheHits: 0, errors: [] },
  { file: "callback-stream-cached-0037.otlp.pb", requests: 1, failed: 0, incomplete: 0, endpoint: "support-agent", programs: { RagQA: 1 }, moduleCalls: cbRag, retrieverCalls: {}, toolCalls: {}, lmCalls: 1, tokens: { input: 0, output: 0 }, toldCostUsd: 0, cacheHits: 1, errors: [] },
  { file: "callback-stream-dropped-0056.otlp.pb", requests: 1, failed: 1, incomplete: 0, endpoint: "support-agent", programs: { RagQA: 1 }, moduleCalls: cbRag, retrieverCalls: {}, toolCalls: {}, lmCalls: 1, tokens: null, toldCostUsd: null, cacheHits: 0, errors: [fatal("LMStreamAssemblyError", "lm_provider", "self.generate.predict")] },
  { file: "callback-truncated-0054.otlp.pb", requests: 1, failed: 1, incomplete: 0, endpoint: "support-agent", programs: { RagQA: 1 }, moduleCalls: cbRag, retrieverCalls: {}, toolCalls: {}, lmCalls: 2, tokens: { input: 507, output: 35, cacheRead: 128 }, toldCostUsd: 0.00008745, cacheHits: 0, errors: [fatal("AdapterParseError", "adapter_parse", "self.generate.predict")] },

  // GenAI spans by hand, through the JavaScript exporter. The agent survives its failing tool.
  { file: "js-genai-batch-0001.otlp.json", requests: 1, failed: 0, incomplete: 0, endpoint: "support-agent-js", programs: { support: 1 }, moduleCalls: { "invoke_agent support": 1 }, retrieverCalls: {}, toolCalls: { "execute_tool lookup_order": 1 }, lmCalls: 1, tokens: { input: 263, output: 57, cacheRead: 64 }, toldCostUsd: null, cacheHits: null, errors: [survived("Error", "tool", "execute_tool lookup_order")] },
  { file: "js-genai-batch-0002.otlp.json.gz", requests: 1, failed: 0, incomplete: 0, endpoint: "support-agent-js", programs: { support: 1 }, moduleCalls: { "invoke_agent support": 1 }, retrieverCalls: {}, toolCalls: { "execute_tool lookup_order": 1 }, lmCalls: 1, tokens: { input: 263, output: 57, cacheRead: 64 }, toldCostUsd: null, cacheHits: null, errors: [survived("Error", "tool", "execute_tool lookup_order")] },

  // MLflow's client to its own server: posts that mix traces and tear them apart.
  { file: "mlflow-client-to-server-0000.otlp.pb", requests: 1, failed: 0, incomplete: 1, endpoint: "support-agent", programs: { unknown: 1 }, moduleCalls: { "Predict.forward": 1 }, retrieverCalls: retrieve, toolCalls: {}, lmCalls: 1, tokens: null, toldCostUsd: null, cacheHits: null, errors: [] },
  { file: "mlflow-client-to-server-0001.otlp.pb", requests: 2, failed: 0, incomplete: 1, endpoint: "support-agent", programs: { RagQA: 1, unknown: 1 }, moduleCalls: { "RagQA.forward": 1, "ChainOfThought.forward": 1 }, retrieverCalls: retrieve, toolCalls: {}, lmCalls: 1, tokens: { input: 263, output: 57 }, toldCostUsd: null, cacheHits: null, errors: [] },
  { file: "mlflow-client-to-server-0002.otlp.pb", requests: 2, failed: 0, incomplete: 1, endpoint: "support-agent", programs: { RagQA: 1, unknown: 1 }, moduleCalls: { "RagQA.forward": 1 }, retrieverCalls: retrieve, toolCalls: {}, lmCalls: 1, tokens: { input: 265, output: 57 }, toldCostUsd: null, cacheHits: null, errors: [] },
  { file: "mlflow-client-to-server-0003.otlp.pb", requests: 1, failed: 0, incomplete: 0, endpoint: "support-agent", programs: { RagQA: 1 }, moduleCalls: rag, retrieverCalls: {}, toolCalls: {}, lmCalls: 1, tokens: { input: 264, output: 57 }, toldCostUsd: null, cacheHits: null, errors: [] },
  { file: "mlflow-client-to-server-0004.otlp.pb", requests: 1, failed: 0, incomplete: 1, endpoint: "support-agent", programs: { unknown: 1 }, moduleCalls: { "Predict.forward": 1 }, retrieverCalls: retrieve, toolCalls: {}, lmCalls: 1, tokens: null, toldCostUsd: null, cacheHits: null, errors: [] },
  { file: "mlflow-client-to-server-0005.otlp.pb", requests: 2, failed: 0, incomplete: 1, endpoint: "support-agent", programs: { RagQA: 1, unknown: 1 }, moduleCalls: rag, retrieverCalls: retrieve, toolCalls: {}, lmCalls: 0, tokens: null, toldCostUsd: null, cacheHits: null, errors: [] },
  // Eight whole traces; the last three have no token usage at their root.
  { file: "mlflow-dual-batch-0001.otlp.pb", requests: 8, failed: 0, incomplete: 0, endpoint: "support-agent", programs: { RagQA: 8 }, moduleCalls: { "RagQA.forward": 8, "ChainOfThought.forward": 8, "Predict.forward": 8 }, retrieverCalls: { "Retrieve.forward": 8 }, toolCalls: {}, lmCalls: 8, tokens: { input: 1324, output: 285 }, toldCostUsd: null, cacheHits: null, errors: [] },

  // MLflow in GenAI mode: names are operations, tokens on the root.
  { file: "mlflow-genai-err-429-0056.otlp.pb", requests: 1, failed: 1, incomplete: 0, endpoint: "support-agent", programs: { CHAIN: 1 }, moduleCalls: genaiRag, retrieverCalls: { RETRIEVER: 1 }, toolCalls: {}, lmCalls: 1, tokens: null, toldCostUsd: null, cacheHits: null, errors: [fatal("LMRateLimitError", "lm_provider", "generate_content")] },
  { file: "mlflow-genai-err-parse-0058.otlp.pb", requests: 1, failed: 1, incomplete: 0, endpoint: "support-agent", programs: { CHAIN: 1 }, moduleCalls: genaiRag, retrieverCalls: { RETRIEVER: 1 }, toolCalls: {}, lmCalls: 2, tokens: null, toldCostUsd: null, cacheHits: null, errors: [fatal("AdapterParseError", "adapter_parse", "generate_content")] },
  { file: "mlflow-genai-pipeline-0033.otlp.pb", requests: 1, failed: 0, incomplete: 0, endpoint: "support-agent", programs: { CHAIN: 1 }, moduleCalls: { CHAIN: 3, generate_content: 3 }, retrieverCalls: { RETRIEVER: 1 }, toolCalls: {}, lmCalls: 3, tokens: { input: 761, output: 93 }, toldCostUsd: null, cacheHits: null, errors: [] },
  { file: "mlflow-genai-rag-0001.otlp.pb", requests: 1, failed: 0, incomplete: 0, endpoint: "support-agent", programs: { CHAIN: 1 }, moduleCalls: genaiRag, retrieverCalls: { RETRIEVER: 1 }, toolCalls: {}, lmCalls: 1, tokens: { input: 263, output: 57 }, toldCostUsd: null, cacheHits: null, errors: [] },
  { file: "mlflow-genai-rag-cached-0011.otlp.pb", requests: 1, failed: 0, incomplete: 0, endpoint: "support-agent", programs: { CHAIN: 1 }, moduleCalls: genaiRag, retrieverCalls: { RETRIEVER: 1 }, toolCalls: {}, lmCalls: 1, tokens: null, toldCostUsd: null, cacheHits: null, errors: [] },
  { file: "mlflow-genai-react-0017.otlp.pb", requests: 1, failed: 0, incomplete: 0, endpoint: "support-agent", programs: { ReAct: 1 }, moduleCalls: { "invoke_agent ReAct.forward": 1, generate_content: 3, CHAIN: 1 }, retrieverCalls: {}, toolCalls: { "execute_tool Tool.lookup_order": 1 }, lmCalls: 3, tokens: { input: 1681, output: 135 }, toldCostUsd: null, cacheHits: null, errors: [] },
  { file: "mlflow-genai-stream-0050.otlp.pb", requests: 1, failed: 0, incomplete: 0, endpoint: "support-agent", programs: { CHAIN: 1 }, moduleCalls: genaiRag, retrieverCalls: { RETRIEVER: 1 }, toolCalls: {}, lmCalls: 1, tokens: { input: 259, output: 57 }, toldCostUsd: null, cacheHits: null, errors: [] },

  // MLflow autolog over OTLP: tokens on the root only, and none when it fails, is cached or is in `dspy.Parallel`.
  { file: "mlflow-otlp-async-0075.otlp.pb", requests: 1, failed: 0, incomplete: 0, endpoint: "support-agent", programs: { RagQA: 1 }, moduleCalls: rag, retrieverCalls: retrieve, toolCalls: {}, lmCalls: 1, tokens: { input: 261, output: 57 }, toldCostUsd: null, cacheHits: null, errors: [] },
  { file: "mlflow-otlp-err-401-0091.otlp.pb", requests: 1, failed: 1, incomplete: 0, endpoint: "support-agent", programs: { RagQA: 1 }, moduleCalls: rag, retrieverCalls: retrieve, toolCalls: {}, lmCalls: 1, tokens: null, toldCostUsd: null, cacheHits: null, errors: [fatal("LMAuthError", "lm_provider", "Predict.forward")] },
  { file: "mlflow-otlp-err-429-0083.otlp.pb", requests: 1, failed: 1, incomplete: 0, endpoint: "support-agent", programs: { RagQA: 1 }, moduleCalls: rag, retrieverCalls: retrieve, toolCalls: {}, lmCalls: 1, tokens: null, toldCostUsd: null, cacheHits: null, errors: [fatal("LMRateLimitError", "lm_provider", "Predict.forward")] },
  { file: "mlflow-otlp-err-429-retry-ok-0085.otlp.pb", requests: 1, failed: 0, incomplete: 0, endpoint: "support-agent", programs: { RagQA: 1 }, moduleCalls: rag, retrieverCalls: retrieve, toolCalls: {}, lmCalls: 1, tokens: { input: 256, output: 57 }, toldCostUsd: null, cacheHits: null, errors: [] },
  { file: "mlflow-otlp-err-500-0087.otlp.pb", requests: 1, failed: 1, incomplete: 0, endpoint: "support-agent", programs: { RagQA: 1 }, moduleCalls: rag, retrieverCalls: retrieve, toolCalls: {}, lmCalls: 1, tokens: null, toldCostUsd: null, cacheHits: null, errors: [fatal("LMServerError", "lm_provider", "Predict.forward")] },
  { file: "mlflow-otlp-err-connection-0099.otlp.pb", requests: 1, failed: 1, incomplete: 0, endpoint: "support-agent", programs: { RagQA: 1 }, moduleCalls: rag, retrieverCalls: retrieve, toolCalls: {}, lmCalls: 1, tokens: null, toldCostUsd: null, cacheHits: null, errors: [fatal("LMTransportError", "lm_provider", "Predict.forward")] },
  { file: "mlflow-otlp-err-not-json-0097.otlp.pb", requests: 1, failed: 1, incomplete: 0, endpoint: "support-agent", programs: { RagQA: 1 }, moduleCalls: rag, retrieverCalls: retrieve, toolCalls: {}, lmCalls: 1, tokens: null, toldCostUsd: null, cacheHits: null, errors: [fatal("LMProviderError", "lm_provider", "Predict.forward")] },
  { file: "mlflow-otlp-err-parse-0101.otlp.pb", requests: 1, failed: 1, incomplete: 0, endpoint: "support-agent", programs: { RagQA: 1 }, moduleCalls: rag, retrieverCalls: retrieve, toolCalls: {}, lmCalls: 2, tokens: null, toldCostUsd: null, cacheHits: null, errors: [fatal("AdapterParseError", "adapter_parse", "Predict.forward")] },
  { file: "mlflow-otlp-err-parse-json-0103.otlp.pb", requests: 1, failed: 1, incomplete: 0, endpoint: "support-agent", programs: { RagQA: 1 }, moduleCalls: rag, retrieverCalls: retrieve, toolCalls: {}, lmCalls: 2, tokens: null, toldCostUsd: null, cacheHits: null, errors: [fatal("AdapterParseError", "adapter_parse", "Predict.forward")] },
  { file: "mlflow-otlp-given-up-0111.otlp.pb", requests: 2, failed: 2, incomplete: 0, endpoint: "support-agent", programs: { Patient: 1, Impatient: 1 }, moduleCalls: { "Patient.forward": 1, "Impatient.forward": 1, "ChainOfThought.forward": 2, "Predict.forward": 2 }, retrieverCalls: {}, toolCalls: {}, lmCalls: 1, tokens: null, toldCostUsd: null, cacheHits: null, errors: [survived("CancelledError", "client", "Predict.forward"), fatal("CancelledError", "client", "Predict.forward"), fatal("TimeoutError", "timeout", "Impatient.forward")] },
  { file: "mlflow-otlp-lost-root-no-tag-0002.otlp.pb", requests: 1, failed: 0, incomplete: 0, endpoint: "unknown", programs: { root: 1 }, moduleCalls: { root: 1 }, retrieverCalls: {}, toolCalls: {}, lmCalls: 1, tokens: null, toldCostUsd: null, cacheHits: null, errors: [] },
  { file: "mlflow-otlp-lost-root-tag-set-0001.otlp.pb", requests: 1, failed: 0, incomplete: 1, endpoint: "unknown", programs: { unknown: 1 }, moduleCalls: {}, retrieverCalls: {}, toolCalls: {}, lmCalls: 1, tokens: null, toldCostUsd: null, cacheHits: null, errors: [] },
  { file: "mlflow-otlp-parallel-0079.otlp.pb", requests: 4, failed: 0, incomplete: 0, endpoint: "support-agent", programs: { Batch: 1, RagQA: 3 }, moduleCalls: parallelRag, retrieverCalls: { "Retrieve.forward": 3 }, toolCalls: {}, lmCalls: 3, tokens: null, toldCostUsd: null, cacheHits: null, errors: [] },
  { file: "mlflow-otlp-pipeline-0048.otlp.pb", requests: 1, failed: 0, incomplete: 0, endpoint: "support-agent", programs: { SupportPipeline: 1 }, moduleCalls: { "SupportPipeline.forward": 1, "RagQA.forward": 1, "ChainOfThought.forward": 1, "Predict.forward": 3 }, retrieverCalls: retrieve, toolCalls: {}, lmCalls: 3, tokens: { input: 761, output: 93 }, toldCostUsd: null, cacheHits: null, errors: [] },
  { file: "mlflow-otlp-rag-0001.otlp.pb", requests: 1, failed: 0, incomplete: 0, endpoint: "support-agent", programs: { RagQA: 1 }, moduleCalls: rag, retrieverCalls: retrieve, toolCalls: {}, lmCalls: 1, tokens: { input: 263, output: 57 }, toldCostUsd: null, cacheHits: null, errors: [] },
  { file: "mlflow-otlp-rag-cached-0011.otlp.pb", requests: 1, failed: 0, incomplete: 0, endpoint: "support-agent", programs: { RagQA: 1 }, moduleCalls: rag, retrieverCalls: retrieve, toolCalls: {}, lmCalls: 1, tokens: null, toldCostUsd: null, cacheHits: null, errors: [] },
  { file: "mlflow-otlp-rag-vector-0017.otlp.pb", requests: 1, failed: 0, incomplete: 0, endpoint: "support-agent", programs: { RagQA: 1 }, moduleCalls: vectorRag, retrieverCalls: {}, toolCalls: {}, lmCalls: 1, tokens: { input: 231, output: 57 }, toldCostUsd: null, cacheHits: null, errors: [] },
  { file: "mlflow-otlp-react-0021.otlp.pb", requests: 1, failed: 0, incomplete: 0, endpoint: "support-agent", programs: { ReAct: 1 }, moduleCalls: react, retrieverCalls: {}, toolCalls: { "Tool.lookup_order": 1 }, lmCalls: 3, tokens: { input: 1681, output: 135 }, toldCostUsd: null, cacheHits: null, errors: [] },
  { file: "mlflow-otlp-react-tool-error-0038.otlp.pb", requests: 1, failed: 0, incomplete: 0, endpoint: "support-agent", programs: { ReAct: 1 }, moduleCalls: react, retrieverCalls: {}, toolCalls: { "Tool.lookup_order": 1 }, lmCalls: 3, tokens: { input: 2113, output: 135 }, toldCostUsd: null, cacheHits: null, errors: [survived("ConnectionError", "tool", "Tool.lookup_order")] },
  { file: "mlflow-otlp-react-unknown-tool-0046.otlp.pb", requests: 1, failed: 1, incomplete: 0, endpoint: "support-agent", programs: { ReAct: 1 }, moduleCalls: { "ReAct.forward": 1, "Predict.forward": 1 }, retrieverCalls: {}, toolCalls: {}, lmCalls: 2, tokens: null, toldCostUsd: null, cacheHits: null, errors: [fatal("AdapterParseError", "adapter_parse", "Predict.forward")] },
  { file: "mlflow-otlp-stream-0066.otlp.pb", requests: 1, failed: 0, incomplete: 0, endpoint: "support-agent", programs: { RagQA: 1 }, moduleCalls: rag, retrieverCalls: retrieve, toolCalls: {}, lmCalls: 1, tokens: { input: 259, output: 57 }, toldCostUsd: null, cacheHits: null, errors: [] },
  { file: "mlflow-otlp-stream-cached-0073.otlp.pb", requests: 1, failed: 0, incomplete: 0, endpoint: "support-agent", programs: { RagQA: 1 }, moduleCalls: rag, retrieverCalls: retrieve, toolCalls: {}, lmCalls: 1, tokens: null, toldCostUsd: null, cacheHits: null, errors: [] },
  { file: "mlflow-otlp-stream-dropped-0109.otlp.pb", requests: 1, failed: 1, incomplete: 0, endpoint: "support-agent", programs: { RagQA: 1 }, moduleCalls: rag, retrieverCalls: retrieve, toolCalls: {}, lmCalls: 1, tokens: null, toldCostUsd: null, cacheHits: null, errors: [fatal("LMStreamAssemblyError", "lm_provider", "Predict.forward")] },
  { file: "mlflow-otlp-truncated-0105.otlp.pb", requests: 1, failed: 1, incomplete: 0, endpoint: "support-agent", programs: { RagQA: 1 }, moduleCalls: rag, retrieverCalls: retrieve, toolCalls: {}, lmCalls: 2, tokens: null, toldCostUsd: null, cacheHits: null, errors: [fatal("AdapterParseError", "adapter_parse", "Predict.forward")] },

  // OpenInference on DSPy's native engine: every Predict twice, no tokens, no cost.
  { file: "openinference-async-0038.otlp.pb", requests: 1, failed: 0, incomplete: 0, endpoint: "support-agent", programs: { RagQA: 1 }, moduleCalls: asyncRag, retrieverCalls: retrieve, toolCalls: {}, lmCalls: 1, tokens: null, toldCostUsd: null, cacheHits: null, errors: [] },
  { file: "openinference-err-429-0042.otlp.pb", requests: 1, failed: 1, incomplete: 0, endpoint: "support-agent", programs: { RagQA: 1 }, moduleCalls: rag, retrieverCalls: retrieve, toolCalls: {}, lmCalls: 1, tokens: null, toldCostUsd: null, cacheHits: null, errors: [fatal("LMRateLimitError", "lm_provider", "Predict.forward")] },
  { file: "openinference-err-429-retry-ok-0043.otlp.pb", requests: 1, failed: 0, incomplete: 0, endpoint: "support-agent", programs: { RagQA: 1 }, moduleCalls: rag, retrieverCalls: retrieve, toolCalls: {}, lmCalls: 1, tokens: null, toldCostUsd: null, cacheHits: null, errors: [] },
  { file: "openinference-err-500-0044.otlp.pb", requests: 1, failed: 1, incomplete: 0, endpoint: "support-agent", programs: { RagQA: 1 }, moduleCalls: rag, retrieverCalls: retrieve, toolCalls: {}, lmCalls: 1, tokens: null, toldCostUsd: null, cacheHits: null, errors: [fatal("LMServerError", "lm_provider", "Predict.forward")] },
  { file: "openinference-err-connection-0051.otlp.pb", requests: 1, failed: 1, incomplete: 0, endpoint: "support-agent", programs: { RagQA: 1 }, moduleCalls: rag, retrieverCalls: retrieve, toolCalls: {}, lmCalls: 1, tokens: null, toldCostUsd: null, cacheHits: null, errors: [fatal("LMTransportError", "lm_provider", "Predict.forward")] },
  { file: "openinference-err-parse-0052.otlp.pb", requests: 1, failed: 1, incomplete: 0, endpoint: "support-agent", programs: { RagQA: 1 }, moduleCalls: rag, retrieverCalls: retrieve, toolCalls: {}, lmCalls: 2, tokens: null, toldCostUsd: null, cacheHits: null, errors: [fatal("AdapterParseError", "adapter_parse", "Predict.forward")] },
  // Of a call that was cancelled it tells no failure.
  { file: "openinference-given-up-0057.otlp.pb", requests: 2, failed: 1, incomplete: 0, endpoint: "support-agent", programs: { Patient: 1, Impatient: 1 }, moduleCalls: { "Patient.aforward": 1, "Impatient.aforward": 1, "ChainOfThought.aforward": 2, "Predict.aforward": 2 }, retrieverCalls: {}, toolCalls: {}, lmCalls: 2, tokens: null, toldCostUsd: null, cacheHits: null, errors: [fatal("TimeoutError", "timeout", "Impatient.aforward")] },
  { file: "openinference-gzip-batch-0001.otlp.pb.gz", requests: 5, failed: 1, incomplete: 0, endpoint: "support-agent", programs: { RagQA: 5 }, moduleCalls: { "RagQA.forward": 5, "ChainOfThought.forward": 5, "Predict.forward": 5 }, retrieverCalls: { "Retrieve.forward": 5 }, toolCalls: {}, lmCalls: 5, tokens: null, toldCostUsd: null, cacheHits: null, errors: [fatal("LMRateLimitError", "lm_provider", "Predict.forward")] },
  { file: "openinference-json-err-429-0012.otlp.json", requests: 1, failed: 1, incomplete: 0, endpoint: "support-agent", programs: { RagQA: 1 }, moduleCalls: rag, retrieverCalls: retrieve, toolCalls: {}, lmCalls: 1, tokens: null, toldCostUsd: null, cacheHits: null, errors: [fatal("LMRateLimitError", "lm_provider", "Predict.forward")] },
  { file: "openinference-json-rag-0001.otlp.json", requests: 1, failed: 0, incomplete: 0, endpoint: "support-agent", programs: { RagQA: 1 }, moduleCalls: rag, retrieverCalls: retrieve, toolCalls: {}, lmCalls: 1, tokens: null, toldCostUsd: null, cacheHits: null, errors: [] },
  { file: "openinference-json-react-tool-error-0006.otlp.json", requests: 1, failed: 0, incomplete: 0, endpoint: "support-agent", programs: { ReAct: 1 }, moduleCalls: react, retrieverCalls: {}, toolCalls: oiTools, lmCalls: 3, tokens: null, toldCostUsd: null, cacheHits: null, errors: [survived("ConnectionError", "tool", "lookup_order.__call__")] },
  { file: "openinference-json-stream-0009.otlp.json", requests: 1, failed: 0, incomplete: 0, endpoint: "support-agent", programs: { RagQA: 1 }, moduleCalls: rag, retrieverCalls: retrieve, toolCalls: {}, lmCalls: 1, tokens: null, toldCostUsd: null, cacheHits: null, errors: [] },

  // OpenInference with LiteLLM: attempts under the LM call have tokens, unless streamed; `-0001` of a pair is a retriever without its root.
  { file: "openinference-litellm-async-0022.otlp.pb", requests: 1, failed: 0, incomplete: 0, endpoint: "support-agent", programs: { RagQA: 1 }, moduleCalls: asyncRag, retrieverCalls: retrieve, toolCalls: {}, lmCalls: 1, tokens: { input: 261, output: 57, cacheRead: 64 }, toldCostUsd: null, cacheHits: null, errors: [] },
  { file: "openinference-litellm-cost-rag-0001.otlp.pb", requests: 1, failed: 0, incomplete: 1, endpoint: "support-agent", programs: { unknown: 1 }, moduleCalls: {}, retrieverCalls: retrieve, toolCalls: {}, lmCalls: 0, tokens: null, toldCostUsd: null, cacheHits: null, errors: [] },
  { file: "openinference-litellm-cost-rag-0002.otlp.pb", requests: 1, failed: 0, incomplete: 0, endpoint: "support-agent", programs: { RagQA: 1 }, moduleCalls: rag, retrieverCalls: {}, toolCalls: {}, lmCalls: 1, tokens: { input: 263, output: 57, cacheRead: 64 }, toldCostUsd: 0.00006885, cacheHits: null, errors: [] },
  { file: "openinference-litellm-err-429-0024.otlp.pb", requests: 1, failed: 1, incomplete: 0, endpoint: "support-agent", programs: { RagQA: 1 }, moduleCalls: rag, retrieverCalls: retrieve, toolCalls: {}, lmCalls: 1, tokens: null, toldCostUsd: null, cacheHits: null, errors: [fatal("RateLimitError", "lm_provider", "Predict.forward")] },
  { file: "openinference-litellm-err-429-retry-ok-0001.otlp.pb", requests: 1, failed: 0, incomplete: 1, endpoint: "support-agent", programs: { unknown: 1 }, moduleCalls: {}, retrieverCalls: retrieve, toolCalls: {}, lmCalls: 0, tokens: null, toldCostUsd: null, cacheHits: null, errors: [] },
  { file: "openinference-litellm-err-429-retry-ok-0002.otlp.pb", requests: 1, failed: 0, incomplete: 0, endpoint: "support-agent", programs: { RagQA: 1 }, moduleCalls: rag, retrieverCalls: {}, toolCalls: {}, lmCalls: 1, tokens: { input: 256, output: 57, cacheRead: 64 }, toldCostUsd: null, cacheHits: null, errors: [survived("RateLimitError", "lm_provider", "Predict.forward")] },
  { file: "openinference-litellm-rag-0001.otlp.pb", requests: 1, failed: 0, incomplete: 0, endpoint: "support-agent", programs: { RagQA: 1 }, moduleCalls: rag, retrieverCalls: retrieve, toolCalls: {}, lmCalls: 1, tokens: { input: 263, output: 57, cacheRead: 64 }, toldCostUsd: null, cacheHits: null, errors: [] },
  { file: "openinference-litellm-rag-cached-0006.otlp.pb", requests: 1, failed: 0, incomplete: 0, endpoint: "support-agent", programs: { RagQA: 1 }, moduleCalls: rag, retrieverCalls: retrieve, toolCalls: {}, lmCalls: 1, tokens: null, toldCostUsd: null, cacheHits: null, errors: [] },
  { file: "openinference-litellm-stream-0018.otlp.pb", requests: 1, failed: 0, incomplete: 0, endpoint: "support-agent", programs: { RagQA: 1 }, moduleCalls: rag, retrieverCalls: retrieve, toolCalls: {}, lmCalls: 1, tokens: null, toldCostUsd: null, cacheHits: null, errors: [] },
  { file: "openinference-litellm-stream-cached-0021.otlp.pb", requests: 1, failed: 0, incomplete: 0, endpoint: "support-agent", programs: { RagQA: 1 }, moduleCalls: rag, retrieverCalls: retrieve, toolCalls: {}, lmCalls: 1, tokens: null, toldCostUsd: null, cacheHits: null, errors: [] },

  // The native engine again. The vector case brings two lone embeddings, which are no requests.
  { file: "openinference-parallel-0040.otlp.pb", requests: 4, failed: 0, incomplete: 0, endpoint: "support-agent", programs: { Batch: 1, RagQA: 3 }, moduleCalls: parallelRag, retrieverCalls: { "Retrieve.forward": 3 }, toolCalls: {}, lmCalls: 3, tokens: null, toldCostUsd: null, cacheHits: null, errors: [] },
  { file: "openinference-pipeline-0025.otlp.pb", requests: 1, failed: 0, incomplete: 0, endpoint: "support-agent", programs: { SupportPipeline: 1 }, moduleCalls: { "SupportPipeline.forward": 1, "Predict(Triage).forward": 1, "RagQA.forward": 1, "ChainOfThought.forward": 1, "Predict.forward": 2 }, retrieverCalls: retrieve, toolCalls: {}, lmCalls: 3, tokens: null, toldCostUsd: null, cacheHits: null, errors: [] },
  { file: "openinference-rag-0001.otlp.pb", requests: 1, failed: 0, incomplete: 0, endpoint: "support-agent", programs: { RagQA: 1 }, moduleCalls: rag, retrieverCalls: retrieve, toolCalls: {}, lmCalls: 1, tokens: null, toldCostUsd: null, cacheHits: null, errors: [] },
  { file: "openinference-rag-cached-0006.otlp.pb", requests: 1, failed: 0, incomplete: 0, endpoint: "support-agent", programs: { RagQA: 1 }, moduleCalls: rag, retrieverCalls: retrieve, toolCalls: {}, lmCalls: 1, tokens: null, toldCostUsd: null, cacheHits: null, errors: [] },
  { file: "openinference-rag-vector-0009.otlp.pb", requests: 1, failed: 0, incomplete: 0, endpoint: "support-agent", programs: { RagQA: 1 }, moduleCalls: vectorRag, retrieverCalls: {}, toolCalls: {}, lmCalls: 1, tokens: null, toldCostUsd: null, cacheHits: null, errors: [] },
  { file: "openinference-react-0011.otlp.pb", requests: 1, failed: 0, incomplete: 0, endpoint: "support-agent", programs: { ReAct: 1 }, moduleCalls: react, retrieverCalls: {}, toolCalls: oiTools, lmCalls: 3, tokens: null, toldCostUsd: null, cacheHits: null, errors: [] },
  { file: "openinference-react-tool-error-0020.otlp.pb", requests: 1, failed: 0, incomplete: 0, endpoint: "support-agent", programs: { ReAct: 1 }, moduleCalls: react, retrieverCalls: {}, toolCalls: oiTools, lmCalls: 3, tokens: null, toldCostUsd: null, cacheHits: null, errors: [survived("ConnectionError", "tool", "lookup_order.__call__")] },
  { file: "openinference-react-unknown-tool-0024.otlp.pb", requests: 1, failed: 1, incomplete: 0, endpoint: "support-agent", programs: { ReAct: 1 }, moduleCalls: { "ReAct.forward": 1, "Predict.forward": 1 }, retrieverCalls: {}, toolCalls: {}, lmCalls: 2, tokens: null, toldCostUsd: null, cacheHits: null, errors: [fatal("AdapterParseError", "adapter_parse", "Predict.forward")] },
  { file: "openinference-split-react-0014.otlp.pb", requests: 1, failed: 0, incomplete: 1, endpoint: "support-agent", programs: { unknown: 1 }, moduleCalls: { "Predict.forward": 2 }, retrieverCalls: {}, toolCalls: oiTools, lmCalls: 2, tokens: null, toldCostUsd: null, cacheHits: null, errors: [] },
  { file: "openinference-split-react-0015.otlp.pb", requests: 1, failed: 0, incomplete: 0, endpoint: "support-agent", programs: { ReAct: 1 }, moduleCalls: { "ReAct.forward": 1, "ChainOfThought.forward": 1, "Predict.forward": 1 }, retrieverCalls: {}, toolCalls: {}, lmCalls: 1, tokens: null, toldCostUsd: null, cacheHits: null, errors: [] },
  { file: "openinference-stream-0034.otlp.pb", requests: 1, failed: 0, incomplete: 0, endpoint: "support-agent", programs: { RagQA: 1 }, moduleCalls: rag, retrieverCalls: retrieve, toolCalls: {}, lmCalls: 1, tokens: null, toldCostUsd: null, cacheHits: null, errors: [] },
  { file: "openinference-stream-cached-0037.otlp.pb", requests: 1, failed: 0, incomplete: 0, endpoint: "support-agent", programs: { RagQA: 1 }, moduleCalls: rag, retrieverCalls: retrieve, toolCalls: {}, lmCalls: 1, tokens: null, toldCostUsd: null, cacheHits: null, errors: [] },
  { file: "openinference-stream-dropped-0056.otlp.pb", requests: 1, failed: 1, incomplete: 0, endpoint: "support-agent", programs: { RagQA: 1 }, moduleCalls: rag, retrieverCalls: retrieve, toolCalls: {}, lmCalls: 1, tokens: null, toldCostUsd: null, cacheHits: null, errors: [fatal("LMStreamAssemblyError", "lm_provider", "Predict.forward")] },

  // A served model, simulated: MLflow autolog again.
  { file: "serving-dual-batch-0001.otlp.pb", requests: 1, failed: 0, incomplete: 0, endpoint: "support-agent", programs: { RagQA: 1 }, moduleCalls: rag, retrieverCalls: retrieve, toolCalls: {}, lmCalls: 1, tokens: { input: 256, output: 57 }, toldCostUsd: null, cacheHits: null, errors: [] },
];

export const sequences: readonly ExpectedSequence[] = [
  { files: ["openinference-split-react-0014.otlp.pb", "openinference-split-react-0015.otlp.pb"], requests: 1, failed: 0, incomplete: 0, endpoint: "support-agent", programs: { ReAct: 1 }, moduleCalls: react, retrieverCalls: {}, toolCalls: oiTools, lmCalls: 3, tokens: null, toldCostUsd: null, cacheHits: null, errors: [] },
  { files: ["openinference-litellm-cost-rag-0001.otlp.pb", "openinference-litellm-cost-rag-0002.otlp.pb"], requests: 1, failed: 0, incomplete: 0, endpoint: "support-agent", programs: { RagQA: 1 }, moduleCalls: rag, retrieverCalls: retrieve, toolCalls: {}, lmCalls: 1, tokens: { input: 263, output: 57, cacheRead: 64 }, toldCostUsd: 0.00006885, cacheHits: null, errors: [] },
  { files: ["openinference-litellm-err-429-retry-ok-0001.otlp.pb", "openinference-litellm-err-429-retry-ok-0002.otlp.pb"], requests: 1, failed: 0, incomplete: 0, endpoint: "support-agent", programs: { RagQA: 1 }, moduleCalls: rag, retrieverCalls: retrieve, toolCalls: {}, lmCalls: 1, tokens: { input: 256, output: 57, cacheRead: 64 }, toldCostUsd: null, cacheHits: null, errors: [survived("RateLimitError", "lm_provider", "Predict.forward")] },
  // Eight traces. Four roots never come; of the four that do, one is whole, one is bare, one lacks its retriever, one its retriever and its LM call.
  { files: ["mlflow-client-to-server-0000.otlp.pb", "mlflow-client-to-server-0001.otlp.pb", "mlflow-client-to-server-0002.otlp.pb", "mlflow-client-to-server-0003.otlp.pb", "mlflow-client-to-server-0004.otlp.pb", "mlflow-client-to-server-0005.otlp.pb"], requests: 8, failed: 0, incomplete: 4, endpoint: "support-agent", programs: { RagQA: 4, unknown: 4 }, moduleCalls: { "RagQA.forward": 4, "ChainOfThought.forward": 3, "Predict.forward": 4 }, retrieverCalls: { "Retrieve.forward": 5 }, toolCalls: {}, lmCalls: 5, tokens: { input: 792, output: 171 }, toldCostUsd: null, cacheHits: null, errors: [] },
];
