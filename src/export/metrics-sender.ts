/**
 * What a collector sends through: `metrics.connect()` pushes OTLP, and
 * `metrics.logToMlflow()` logs to a run. The environment is passed in.
 */
import { type Clock, systemClock } from "../clock.ts";
import type { MetricsSender } from "../metrics/sender.ts";
import { MonitorError } from "../monitor-error.ts";
import { checkOptions } from "../option.ts";
import { logToMlflow } from "./mlflow/log-to-mlflow.ts";
import { type PushProblem, startOtlpPush } from "./otlp/push.ts";
import type { Fetch } from "./post.ts";

export type MetricsSenderOptions = {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Told when pushing begins to fail, once until it works again. Without it, Node shows a warning. */
  readonly onProblem?: (problem: PushProblem) => void;
  readonly fetch?: Fetch;
  readonly clock?: Clock;
  /** For what happens in the background; its timers should keep no program alive. */
  readonly timers?: Clock;
};

export function createMetricsSender(options: MetricsSenderOptions): MetricsSender {
  const { env, onProblem = warn, timers } = options;
  const clock = options.clock ?? systemClock;
  const surroundings = { clock, ...(options.fetch && { fetch: options.fetch }) };
  return {
    connect(source, connect) {
      checkOptions("connect", connect);
      return startOtlpPush({
        ...surroundings,
        ...connect,
        ...(timers && { timers }),
        onProblem,
        snapshot: () => source.snapshot(),
        resource: {
          ...(env.OTEL_SERVICE_NAME && { "service.name": env.OTEL_SERVICE_NAME }),
          ...connect.resource,
        },
      });
    },
    async logToMlflow(source, options) {
      checkOptions("logToMlflow", options);
      const { runId, url, token, step } = options;
      const server = url === undefined ? trackingServer(env) : { host: url, token };
      const { logged } = await logToMlflow({
        ...surroundings,
        host: server.host,
        runId,
        metrics: source.exportMlflowFormat(),
        timestampMs: Math.round(clock.now()),
        ...(step !== undefined && { step }),
        ...(server.token !== undefined && { token: server.token }),
      });
      return { logged };
    },
  };
}

function warn({ message, hint }: PushProblem): void {
  process.emitWarning(message, { code: "DSPY_METRICS_PUSH", detail: hint });
}

/** As MLflow's own client finds it; `databricks` is the workspace of the standard variables. */
function trackingServer(env: MetricsSenderOptions["env"]): {
  readonly host: string;
  readonly token: string | undefined;
} {
  const uri = env.MLFLOW_TRACKING_URI ?? "databricks";
  if (/^https?:/.test(uri)) return { host: uri, token: env.MLFLOW_TRACKING_TOKEN };
  if (uri === "databricks" && env.DATABRICKS_HOST && env.DATABRICKS_TOKEN) {
    const { DATABRICKS_HOST: host, DATABRICKS_TOKEN: token } = env;
    return { host: /^https?:/.test(host) ? host : `https://${host}`, token };
  }
  throw new MonitorError(
    "CREDENTIALS_MISSING",
    "cannot log metrics to MLflow: it is not said which server",
    {
      hint: "Pass `url` (and `token`), or set MLFLOW_TRACKING_URI to an http address, or DATABRICKS_HOST and DATABRICKS_TOKEN.",
    },
  );
}
