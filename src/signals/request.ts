/** One call of an agent, and the calls inside it. What is not known is `null`, never 0. */
import type { Cost } from "./cost.ts";
import type { ErrorClass } from "./error-class.ts";

/** Tokens that the model read and wrote. A DSPy cache hit uses none: 0 and 0. */
export type Tokens = {
  readonly input: number;
  readonly output: number;
  /** Part of `input` that the provider's prompt cache served; absent where that is not told. */
  readonly cacheRead?: number;
  /** Part of `input` that was written to the provider's prompt cache; absent where that is not told. */
  readonly cacheWrite?: number;
};

export type CacheOutcome = "hit" | "miss" | "unknown";

export type Request = {
  /** `<trace id>:<span id>` of the root: the same request has the same id whoever reads it. */
  readonly eventId: string;
  readonly traceId: string;
  /** When the call ended, Unix milliseconds. */
  readonly timeMs: number;
  readonly endpoint: string;
  readonly modelVersion: string | null;
  /** Hash of the state of the DSPy program: its instructions, demonstrations and LM settings. */
  readonly release: string | null;
  /** The class of the DSPy program, such as `RagQA`. */
  readonly program: string;
  readonly latencyMs: number;
  readonly firstTokenMs: number | null;
  readonly tokens: Tokens | null;
  readonly cost: Cost;
  /** `hit` when every model call was answered by DSPy's cache. */
  readonly cache: CacheOutcome;
  /** Model calls that DSPy's cache answered. */
  readonly cacheHits: number | null;
  /** Set when the call failed for its caller. */
  readonly errorClass: ErrorClass | null;
  /** The root span never came: the request is what did arrive. */
  readonly incomplete: boolean;
};

export type ModuleCallKind = "module" | "lm" | "tool" | "retriever" | "adapter" | "embedding";

/** Where a path comes from: an attribute that names it, or the span's name for want of one. */
export type PathSource = "attribute" | "span";

/** One call of a DSPy module, model, tool, retriever or adapter inside a request. */
export type ModuleCall = {
  /** `<trace id>:<span id>`. */
  readonly eventId: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | null;
  /** When the call ended, Unix milliseconds. */
  readonly timeMs: number;
  readonly endpoint: string;
  readonly modelVersion: string | null;
  /** That of the request it was made in. */
  readonly release: string | null;
  readonly kind: ModuleCallKind;
  /** The class of the DSPy program that the call belongs to. */
  readonly program: string;
  /**
   * Module, tool and retriever: their own place, such as `self.rag.generate`.
   * Model, adapter and embedding call: the place of the module that made it.
   */
  readonly path: string;
  readonly pathSource: PathSource;
  /** Hash of the state of a predictor: which of them differs between two releases. */
  readonly predictorHash: string | null;
  /** Without its provider, so that one model has one name in every convention. */
  readonly model: string | null;
  readonly latencyMs: number;
  /** The part of the latency during which no call inside was running. */
  readonly selfMs: number;
  /** Of a model call only, so that sums over all calls count each token once. */
  readonly tokens: Tokens | null;
  /** Of a model call only. */
  readonly cost: Cost;
  readonly cache: CacheOutcome;
  /** Set when the call failed, for whatever reason below it. */
  readonly errorClass: ErrorClass | null;
  /** Calls that stand above it in the request; 0 for the program itself. */
  readonly depth: number;
  /** Attempts of a model call that failed before the one that counted; `null` where telemetry hides them. */
  readonly retries: number | null;
};
