/** One run of one check. */
export type HealthStatus = "healthy" | "degraded" | "unhealthy" | "unknown";

export type HealthResult = {
  /** What was checked, such as `endpoint/support-agent` or `workspace`. */
  readonly component: string;
  /** The agent that it belongs to; `null` when it concerns all. */
  readonly endpoint: string | null;
  readonly status: HealthStatus;
  /** A word for the state behind the status: `ready`, `cold`, `updating`, `failed`, `unreachable`. */
  readonly state: string;
  /** One sentence with the evidence. */
  readonly message: string;
  readonly latencyMs: number | null;
  /** The version of the model that the endpoint serves; missing while that is not known, or it serves several. */
  readonly modelVersion?: string;
  readonly timeMs: number;
};
