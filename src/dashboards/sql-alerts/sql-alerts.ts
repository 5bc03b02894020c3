/**
 * The rules of one agent as SQL alerts of Databricks, over the Delta tables of the
 * history: bodies for the Alerts API, as data. Pure.
 *
 * Each query counts an event once, by its id, even if it was loaded twice, and gives a
 * row only where there is something to judge; without a row the alert is OK.
 */
import { quotedTable, quotedText, type TablePlace } from "../../history/databricks-tables.ts";
import type { ThresholdRule, ThresholdRuleKind } from "../../rules/alert-thresholds.ts";

export type SqlAlertOptions = {
  readonly place: TablePlace;
  readonly warehouseId: string;
  /** A folder of the workspace. */
  readonly parentPath: string;
  /** Whom Databricks tells; nobody by default, and the alert's page shows its state. */
  readonly destinationIds?: readonly string[] | undefined;
  /** How often it is evaluated. */
  readonly everyMinutes?: number | undefined;
};

/** A body of `POST /api/2.0/alerts`. */
export type SqlAlert = {
  readonly display_name: string;
  readonly custom_summary: string;
  readonly custom_description: string;
  readonly query_text: string;
  readonly warehouse_id: string;
  readonly parent_path: string;
  readonly schedule: {
    readonly quartz_cron_schedule: string;
    readonly timezone_id: string;
    readonly pause_status: string;
  };
  readonly evaluation: {
    readonly source: { readonly name: string };
    readonly comparison_operator: string;
    readonly threshold: { readonly value: { readonly double_value: number } };
    readonly empty_result_state: string;
    readonly notification: {
      readonly subscriptions: readonly { readonly destination_id: string }[];
      readonly notify_on_ok: boolean;
    };
  };
};

/** A warehouse that is asked every minute never stops, which costs most. */
export const ALERT_EVERY_MINUTES = 5;

export function sqlAlert(rule: ThresholdRule, options: SqlAlertOptions): SqlAlert {
  const { place, warehouseId, parentPath, destinationIds = [] } = options;
  const { everyMinutes = ALERT_EVERY_MINUTES } = options;
  const { column, title, sentence } = words[rule.kind](rule);
  return {
    display_name: `${rule.endpointName}: ${title}`,
    custom_summary: `${rule.endpointName}: ${title} is {{ALERT_STATUS}}`,
    custom_description: sentence,
    query_text: ruleSql(rule, place),
    warehouse_id: warehouseId,
    parent_path: parentPath,
    schedule: {
      quartz_cron_schedule: `0 0/${everyMinutes} * * * ?`,
      timezone_id: "UTC",
      pause_status: "UNPAUSED",
    },
    evaluation: {
      source: { name: column },
      comparison_operator: "GREATER_THAN",
      threshold: { value: { double_value: rule.threshold } },
      empty_result_state: "OK",
      notification: {
        subscriptions: destinationIds.map((id) => ({ destination_id: id })),
        notify_on_ok: true,
      },
    },
  };
}

/** One row with one number, or none where there is nothing to judge. */
export function ruleSql(rule: ThresholdRule, place: TablePlace): string {
  const { column } = words[rule.kind](rule);
  const about = (table: "metrics" | "requests") =>
    `FROM ${quotedTable(place, table)}
WHERE endpoint_name = ${quotedText(rule.endpointName)}
  AND timestamp > current_timestamp() - INTERVAL ${rule.windowSeconds} SECONDS`;
  switch (rule.kind) {
    case "latency_p99":
      return `SELECT percentile_disc(0.99) WITHIN GROUP (ORDER BY value) AS ${column}
FROM (
SELECT DISTINCT event_id, value
${about("metrics")}
  AND metric_name = 'request_latency_ms'
)
HAVING COUNT(*) >= ${rule.minRequests}`;
    case "slow_requests":
      return `SELECT COUNT(DISTINCT event_id) AS ${column}
${about("metrics")}
  AND metric_name = 'request_latency_ms' AND value > ${rule.slowerThanMs}
HAVING ${column} > ${rule.threshold}`;
    case "error_rate":
      return `SELECT 100.0D * COUNT(DISTINCT CASE WHEN ${FAILED_SQL} THEN event_id END) / NULLIF(COUNT(DISTINCT event_id), 0) AS ${column}
${about("requests")}
HAVING COUNT(DISTINCT event_id) >= ${rule.minRequests}`;
  }
}

/** Failed because of the agent: what the endpoint itself refused has rates of its own. */
export const FAILED_SQL = "error_class IS NOT NULL AND error_class NOT IN ('throttled', 'client')";

const words: Readonly<
  Record<
    ThresholdRuleKind,
    (rule: ThresholdRule) => {
      readonly column: string;
      readonly title: string;
      readonly sentence: string;
    }
  >
> = {
  latency_p99: ({ threshold, windowSeconds }) => ({
    column: "latency_p99_ms",
    title: "latency p99",
    sentence: `99 of 100 requests within ${windowSeconds} s take no longer than a time that is above ${threshold} ms.`,
  }),
  slow_requests: ({ threshold, windowSeconds, slowerThanMs }) => ({
    column: "slow_requests",
    title: "slow requests",
    sentence: `More than ${threshold} requests within ${windowSeconds} s took longer than ${slowerThanMs} ms.`,
  }),
  error_rate: ({ threshold, windowSeconds, minRequests }) => ({
    column: "error_rate_percent",
    title: "error rate",
    sentence: `More than ${threshold} % of at least ${minRequests} requests within ${windowSeconds} s failed because of the agent.`,
  }),
};
