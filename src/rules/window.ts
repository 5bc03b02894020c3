/** What one agent did over a stretch of time, as far as `diagnose` needs it. */
export type Window = {
  readonly requests: number;
  readonly failed: number;
  readonly p50Ms: number | null;
  readonly p95Ms: number | null;
  readonly p99Ms: number | null;
  readonly meanMs: number | null;
  /** One row per module or tool. */
  readonly modules: readonly ModuleTime[];
  /** What the failed requests failed of. */
  readonly errors: readonly ErrorCount[];
};

export type ModuleTime = {
  /** The class of the DSPy program. */
  readonly program: string;
  readonly path: string;
  readonly calls: number;
  /** Time not spent in modules below. The model calls that the module makes itself are in it. */
  readonly selfMs: number;
  /** The part of `selfMs` that these model calls took. */
  readonly lmMs: number;
};

export type ErrorCount = {
  readonly program: string;
  readonly path: string;
  readonly type: string;
  readonly errorClass: string;
  readonly count: number;
};
