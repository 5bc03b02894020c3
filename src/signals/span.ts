/**
 * One span of an agent, read from any telemetry convention and reduced to what
 * signals need. It is what the journal keeps: scrubbed, without prompts and answers.
 */
import type { ErrorClass } from "./error-class.ts";
import type { ModuleCallKind, Tokens } from "./request.ts";

/** Who made the telemetry. `callback` is the DSPy callback of this project. */
export type Convention = "callback" | "openinference" | "mlflow" | "genai" | "none";

export type AgentSpan = {
  /** 32 hex digits. */
  readonly traceId: string;
  /** 16 hex digits. */
  readonly spanId: string;
  /** `null` for a root. */
  readonly parentSpanId: string | null;
  readonly name: string;
  readonly convention: Convention;
  /**
   * `server` is the HTTP edge around a program; `other` is anything unknown.
   * A model call whose parent is a model call is one attempt of it.
   */
  readonly kind: ModuleCallKind | "server" | "other";
  readonly startMs: number;
  readonly endMs: number;
  readonly endpoint: string;
  readonly modelVersion: string | null;
  /** Hash of the state of the DSPy program, on its root. */
  readonly release: string | null;
  /** Hash of the state of this predictor: which of them differs between two releases. */
  readonly predictorHash: string | null;
  /** The place that an attribute names, such as `self.rag.generate`. */
  readonly path: string | null;
  /** The program's class, where the span tells it. */
  readonly program: string | null;
  /** Without its provider, so that one model has one name in every convention. */
  readonly model: string | null;
  /** Who serves the model, as telemetry names it, such as `openai` or `databricks`. */
  readonly provider: string | null;
  /** Tokens of this model call alone. */
  readonly tokens: Tokens | null;
  /** Tokens of everything below: MLflow writes them on the root. Never added to `tokens`. */
  readonly totalTokens: Tokens | null;
  readonly costUsd: number | null;
  /** What an answer of DSPy's cache would have cost. */
  readonly savedCostUsd: number | null;
  readonly cacheHit: boolean | null;
  readonly firstTokenMs: number | null;
  readonly failed: boolean;
  /**
   * The class that the agent itself told, where the cause is known best. On a call that did not
   * fail it is a failure that the call survived.
   */
  readonly errorClass: ErrorClass | null;
  /** The exception's class without its module. */
  readonly errorType: string | null;
  /** Scrubbed and cut. */
  readonly errorMessage: string | null;
  /** The span repeats its parent, as OpenInference's `Predict(Triage).forward` does inside `Predict.forward`. */
  readonly repeatsParent: boolean;
};
