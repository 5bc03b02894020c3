/** The monitor's own `/metrics` in Prometheus text 0.0.4: what it saw of the agents, and how it fares itself. */
import type { AccountSums } from "../live/account.ts";
import type { Agent } from "../live/agents.ts";
import type { TelemetryLoss } from "../live/telemetry-loss.ts";
import type { Alerting } from "../monitor/alerting.ts";
import type { Monitor } from "../monitor/monitor.ts";
import { alertKey } from "../rules/step-alerts.ts";
import { subjectName } from "../signals/alert.ts";
import type { DataRow, ExportRow } from "../web/api.ts";
import { type Forwarded, lagSeconds } from "./api/forwarding.ts";
import { type Family, histogram, known, render, type Value } from "./metric-family.ts";
import { type Detailed, moduleFamilies, nothingDetailed } from "./module-families.ts";
import type { Refusals } from "./otlp.ts";

export const METRICS_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** What of the monitor is told. */
export type Monitored = Pick<Monitor, "state" | "now"> & {
  readonly alerting: Pick<Alerting, "rules" | "dropped">;
};

/** A source as the page shows it under "Data". */
export type PolledSource = Pick<DataRow, "name" | "state" | "asOfMs">;

type Options = {
  readonly detailed?: Detailed;
  readonly sources?: readonly PolledSource[];
  readonly forwarded?: readonly Forwarded[];
  readonly exports?: readonly ExportRow[];
};

export function metricsText(
  monitor: Monitored,
  refusals: Refusals,
  { detailed = nothingDetailed(), sources = [], forwarded = [], exports = [] }: Options = {},
): string {
  const agents = monitor.state.agents.all();
  return [
    ...agentFamilies(agents),
    ...moduleFamilies(agents, detailed),
    ...lossFamilies(agents, monitor.now()),
    ...accountFamilies(monitor),
    ...sourceFamilies(sources, monitor.now()),
    ...exportFamilies(exports),
    ...ownFamilies(monitor, refusals),
    ...forwardFamilies(forwarded, monitor.now()),
  ]
    .map(render)
    .join("");
}

function agentFamilies(agents: readonly Agent[]): Family[] {
  const perAgent = (read: (agent: Agent) => readonly Value[]) => agents.flatMap(read);
  return [
    {
      name: "dspy_request_total",
      type: "counter",
      help: "Calls of an agent, since the monitor was started.",
      values: perAgent(({ endpoint, run }) => [{ labels: { endpoint }, value: run.calls }]),
    },
    {
      name: "dspy_logged_share",
      type: "gauge",
      help: "Share of its requests that the endpoint of an agent logs, where the counts are of these alone: divide by it.",
      values: perAgent(({ endpoint, loggedShare }) => known({ endpoint }, loggedShare)),
    },
    {
      name: "dspy_request_failures_total",
      type: "counter",
      help: "Calls of an agent that failed, by error class.",
      values: perAgent(({ endpoint, run }) =>
        [...run.failedByClass].map(([error_class, value]) => ({
          labels: { endpoint, error_class },
          value,
        })),
      ),
    },
    {
      name: "dspy_request_latency_seconds",
      type: "histogram",
      help: "Latency of the calls of an agent.",
      values: perAgent(({ endpoint, run }) => histogram({ endpoint }, run)),
    },
    {
      name: "dspy_token_total",
      type: "counter",
      help: "Tokens that models read (input) and wrote (output), where telemetry tells.",
      values: perAgent(({ endpoint, run: { tokens } }) =>
        tokens === null
          ? []
          : [
              { labels: { endpoint, direction: "input" }, value: tokens.input },
              { labels: { endpoint, direction: "output" }, value: tokens.output },
            ],
      ),
    },
    {
      name: "dspy_cache_read_token_total",
      type: "counter",
      help: "Part of the input tokens that the prompt cache of the provider served, where telemetry tells.",
      values: perAgent(({ endpoint, run: { tokens } }) =>
        known({ endpoint }, tokens?.cacheRead ?? null),
      ),
    },
    {
      name: "dspy_cache_write_token_total",
      type: "counter",
      help: "Part of the input tokens that was written to the prompt cache of the provider, where telemetry tells.",
      values: perAgent(({ endpoint, run: { tokens } }) =>
        known({ endpoint }, tokens?.cacheWrite ?? null),
      ),
    },
    {
      name: "dspy_cost_usd_total",
      type: "counter",
      help: "Cost of the model calls in US dollars: told by telemetry, else from the price book.",
      values: perAgent(({ endpoint, run }) => known({ endpoint }, run.costUsd)),
    },
    {
      name: "dspy_priced_cost_usd_total",
      type: "counter",
      help: "Part of the cost that the price book gave, because telemetry told none.",
      values: perAgent(({ endpoint, run }) => known({ endpoint }, run.cost.pricedUsd)),
    },
    {
      name: "dspy_saved_cost_usd_total",
      type: "counter",
      help: "What the answers of the cache of DSPy would have cost, where telemetry tells. Part of no cost.",
      values: perAgent(({ endpoint, run }) => known({ endpoint }, run.cost.savedUsd)),
    },
    {
      name: "dspy_unpriced_calls_total",
      type: "counter",
      help: "Model calls that used tokens, for which neither telemetry nor the price book has a cost.",
      values: perAgent(({ endpoint, models }) =>
        [...models.values()]
          .filter(({ run }) => run.cost.unpricedCalls > 0)
          .map(({ model, run }) => ({
            labels: { endpoint, model },
            value: run.cost.unpricedCalls,
          })),
      ),
    },
    {
      name: "dspy_cache_hits_total",
      type: "counter",
      help: "Model calls that the cache of DSPy answered, where telemetry tells.",
      values: perAgent(({ endpoint, run }) => known({ endpoint }, run.cacheHits)),
    },
  ];
}

/** How long a stretch the share of orphan spans is of. */
const RATIO_OVER_MS = 5 * 60_000;

/** Whether the traces of an agent are whole. */
function lossFamilies(agents: readonly Agent[], nowMs: number): Family[] {
  const each = (read: (loss: TelemetryLoss) => number) =>
    agents.map(({ endpoint, loss }) => ({ labels: { endpoint }, value: read(loss.run) }));
  return [
    {
      name: "dspy_closed_spans_total",
      type: "counter",
      help: "Spans of traces that are closed, each counted once.",
      values: each(({ spans }) => spans),
    },
    {
      name: "dspy_orphan_spans_total",
      type: "counter",
      help: "Of these, spans whose parent never came: sampled, or lost on the way.",
      values: each(({ orphanSpans }) => orphanSpans),
    },
    {
      name: "dspy_orphan_span_ratio",
      type: "gauge",
      help: "Share of spans whose parent never came, of the last 5 minutes; absent without a span.",
      values: agents.flatMap(({ endpoint, loss: { slices } }) =>
        known({ endpoint }, slices.over(nowMs - RATIO_OVER_MS, nowMs + 1, nowMs).orphanSpanRatio),
      ),
    },
    {
      name: "dspy_incomplete_requests_total",
      type: "counter",
      help: "Requests whose root span never came: what did come is counted, and their end is not known.",
      values: each(({ incompleteRequests }) => incompleteRequests),
    },
  ];
}

/** Days of the figures below, today (UTC) included. */
const ACCOUNT_DAYS = 30;

/** What Databricks' system tables say: apart from what telemetry tells. */
function accountFamilies(monitor: Monitored): Family[] {
  const { state } = monitor;
  const nowMs = monitor.now();
  const each = (read: (endpoint: string, sums: AccountSums) => readonly Value[]) =>
    state.agents.all().flatMap(({ endpoint }) => {
      const sums = state.account.sumsOf(endpoint, ACCOUNT_DAYS, nowMs);
      return sums ? read(endpoint, sums) : [];
    });
  return [
    {
      name: "dspy_counted_requests",
      type: "gauge",
      help: "Requests of the last 30 days (UTC) as Databricks counts them, by kind of caller.",
      values: each((endpoint, { counted }) =>
        counted.map(({ requester, requests: value }) => ({
          labels: { endpoint, requester },
          value,
        })),
      ),
    },
    {
      name: "dspy_counted_tokens",
      type: "gauge",
      help: "Tokens of the last 30 days (UTC) as Databricks counts them, by kind of caller.",
      values: each((endpoint, { counted }) =>
        counted.flatMap(({ requester, inputTokens, outputTokens }) => [
          ...known({ endpoint, requester, direction: "input" }, inputTokens),
          ...known({ endpoint, requester, direction: "output" }, outputTokens),
        ]),
      ),
    },
    {
      name: "dspy_billed_quantity",
      type: "gauge",
      help: "What Databricks bills for the endpoint, of the last 30 days (UTC), such as DBU.",
      values: each((endpoint, { billed }) =>
        billed.map(({ unit, quantity: value }) => ({ labels: { endpoint, unit }, value })),
      ),
    },
    {
      name: "dspy_billed_cost",
      type: "gauge",
      help: "The same at list prices, which are not those of an invoice.",
      values: each((endpoint, { costs }) =>
        costs.map(({ currency, amount: value }) => ({ labels: { endpoint, currency }, value })),
      ),
    },
  ];
}

/** What is read from elsewhere: whether it can be, and how far it has come. */
function sourceFamilies(sources: readonly PolledSource[], nowMs: number): Family[] {
  return [
    {
      name: "dspy_source_up",
      type: "gauge",
      help: "1 while a source can be read, 0 while not; absent before it was asked.",
      values: sources
        .filter(({ state }) => state !== "waiting")
        .map(({ name: source, state }) => ({ labels: { source }, value: state === "ok" ? 1 : 0 })),
    },
    {
      name: "dspy_source_lag_seconds",
      type: "gauge",
      help: "Time since when what there is in a source was not read; absent before it was read.",
      values: sources.flatMap(({ name: source, asOfMs }) =>
        known({ source }, asOfMs === null ? null : Math.max(0, nowMs - asOfMs) / 1000),
      ),
    },
  ];
}

function exportFamilies(exports: readonly ExportRow[]): Family[] {
  const perExport = (read: (row: ExportRow) => number | null) =>
    exports.flatMap((row) => known({ target: row.target }, read(row)));
  return [
    {
      name: "dspy_export_up",
      type: "gauge",
      help: "1 while an export of the history works, 0 while it stands still, fails or does not keep up.",
      values: perExport(({ state }) => (state === "waiting" ? null : state === "ok" ? 1 : 0)),
    },
    {
      name: "dspy_export_lag_seconds",
      type: "gauge",
      help: "Time since when what was sealed is not exported; absent before the first run.",
      values: perExport(({ lagMs }) => (lagMs === null ? null : lagMs / 1000)),
    },
    {
      name: "dspy_export_rows_total",
      type: "counter",
      help: "Rows that were exported, since the monitor was started.",
      values: perExport(({ rowsTotal }) => rowsTotal),
    },
    {
      name: "dspy_export_failures_total",
      type: "counter",
      help: "Runs of an export that failed, since the monitor was started.",
      values: perExport(({ failuresTotal }) => failuresTotal),
    },
    {
      name: "dspy_export_next_run_timestamp_seconds",
      type: "gauge",
      help: "When an export runs next.",
      values: perExport(({ nextRunMs }) => nextRunMs / 1000),
    },
  ];
}

function ownFamilies(monitor: Monitored, refusals: Refusals): Family[] {
  const { state, alerting } = monitor;
  const { rules } = alerting;
  const own = rules.filter(({ endpoint }) => endpoint !== null);
  return [
    {
      name: "dspy_alert_firing",
      type: "gauge",
      help: "1 while an alert is firing, 0 while it is pending or resolved. A rule that an endpoint has of its own is there also while it is inactive.",
      values: [
        ...[...state.alerts.values()].map(({ ruleId, endpoint, kind }) => ({
          labels: { rule: ruleId, endpoint: subjectName(endpoint) },
          value: kind === "firing" ? 1 : 0,
        })),
        ...own
          .filter(({ id, endpoint }) => !state.alerts.has(alertKey(id, endpoint)))
          .map(({ id, endpoint }) => ({
            labels: { rule: id, endpoint: subjectName(endpoint) },
            value: 0,
          })),
      ],
    },
    {
      name: "dspy_alert_threshold",
      type: "gauge",
      help: "What a rule that an endpoint has of its own compares with: milliseconds (latency_p99), requests (slow_requests) or percent (error_rate).",
      values: own.map(({ id, kind, endpoint, threshold }) => ({
        labels: { rule: id, kind, endpoint: subjectName(endpoint) },
        value: threshold,
      })),
    },
    {
      name: "dspy_endpoint_healthy",
      type: "gauge",
      help: "1 when the last check found the component healthy, 0 when not; absent while unknown.",
      values: [...state.components.values()]
        .filter(({ status }) => status !== "unknown")
        .map(({ component, status }) => ({
          labels: { component },
          value: status === "healthy" ? 1 : 0,
        })),
    },
    {
      name: "dspy_telemetry_spans_total",
      type: "counter",
      help: "Spans taken into the journal.",
      values: [{ labels: {}, value: state.run.spansTaken }],
    },
    {
      name: "dspy_telemetry_metric_points_total",
      type: "counter",
      help: "Data points of metrics that services pushed.",
      values: [{ labels: {}, value: state.metricPointsTaken }],
    },
    {
      name: "dspy_telemetry_series",
      type: "gauge",
      help: "Series of metrics that services push, of which the newest value is kept.",
      values: [{ labels: {}, value: state.pushed.size }],
    },
    {
      name: "dspy_telemetry_dropped_total",
      type: "counter",
      help: "Spans and values that were left out, by reason.",
      values: [...state.run.dropped].map(([reason, value]) => ({ labels: { reason }, value })),
    },
    {
      name: "dspy_telemetry_refused_total",
      type: "counter",
      help: "OTLP bodies that were refused as a whole, by reason, since the monitor was started.",
      values: [...refusals].map(([reason, value]) => ({ labels: { reason }, value })),
    },
    {
      name: "dspy_open_traces",
      type: "gauge",
      help: "Traces that are still arriving.",
      values: [{ labels: {}, value: state.openTraces.traceCount }],
    },
    {
      name: "dspy_alerts_dropped_total",
      type: "counter",
      help: "Breaches that no alert was made for, because there were too many alerts.",
      values: [{ labels: {}, value: alerting.dropped }],
    },
  ];
}

/** What goes on to another OTLP receiver. */
function forwardFamilies(forwarded: readonly Forwarded[], nowMs: number): Family[] {
  const each = (read: (lane: Forwarded) => number) =>
    forwarded.map((lane) => ({ labels: { signal: lane.signal }, value: read(lane) }));
  return [
    {
      name: "dspy_forward_items_total",
      type: "counter",
      help: "Spans and data points that the receiver of what is forwarded has taken.",
      values: each((lane) => lane.forwarded),
    },
    {
      name: "dspy_forward_dropped_total",
      type: "counter",
      help: "Spans and data points that will never be forwarded, by reason.",
      values: forwarded.flatMap(({ signal, dropped }) =>
        [...dropped].map(([reason, value]) => ({ labels: { signal, reason }, value })),
      ),
    },
    {
      name: "dspy_forward_waiting_items",
      type: "gauge",
      help: "Spans and data points that wait on disk to be forwarded.",
      values: each((lane) => lane.waiting),
    },
    {
      name: "dspy_forward_waiting_bytes",
      type: "gauge",
      help: "What waits on disk to be forwarded.",
      values: each((lane) => lane.waitingBytes),
    },
    {
      name: "dspy_forward_lag_seconds",
      type: "gauge",
      help: "How long the oldest that waits has been waiting to be forwarded; 0 when nothing does.",
      values: each((lane) => lagSeconds(lane.oldestMs, nowMs)),
    },
  ];
}
