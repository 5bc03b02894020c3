/**
 * Evaluates alerts when they are due, by the workspace's clock: runs the query as the
 * alert's owner, keeps the new state, and tells those who subscribed.
 */
import type { WorkspaceContext } from "../core/context.ts";
import { createQuartzTimers } from "../core/quartz-timers.ts";
import type { Collection } from "../core/state.ts";
import { destinationsOf } from "../notification-destinations/destinations-api.ts";
import { type Notification, notify, notifyByEmail } from "../notification-destinations/notify.ts";
import type { SqlResult } from "../sql/run.ts";
import type { Alert } from "./alert.ts";
import { evaluate, isTold, type Outcome } from "./evaluate.ts";
import { fillTemplate } from "./template.ts";

export type AlertSchedule = {
  /** Anew, as the alert is now. Paused and trashed alerts are not evaluated. */
  plan(alert: Alert): void;
  forget(id: string): void;
};

/** Rows of a query that an alert looks at. */
const ROWS_MAX = 10_000;

const noRows: SqlResult = { columns: [], rows: [], isTruncated: false };

export function createAlertSchedule(
  context: WorkspaceContext,
  all: Collection<Alert>,
): AlertSchedule {
  const { clock, lifetime } = context;
  const timers = createQuartzTimers(clock);

  function plan({ id, definition, isDeleted }: Alert): void {
    const { schedule } = definition;
    if (isDeleted || schedule.pause_status === "PAUSED") {
      timers.forget(id);
      return;
    }
    timers.plan(
      id,
      { expression: schedule.quartz_cron_schedule, timeZone: schedule.timezone_id },
      () => lifetime.background(`alert ${id}`, evaluateAlert(context, all, id)),
    );
  }

  return { plan, forget: timers.forget };
}

async function evaluateAlert(
  context: WorkspaceContext,
  all: Collection<Alert>,
  id: string,
): Promise<void> {
  const { clock, lifetime } = context;
  const alert = all.get(id);
  if (!alert) return;
  const nowMs = clock.now();
  const { result, outcome } = await runAlert(context, alert);
  const current = all.get(id);
  // Changed, trashed or closed while the query ran: the next evaluation counts.
  if (lifetime.signal.aborted || !current || current.updatedMs !== alert.updatedMs) return;
  const { notification } = current.definition.evaluation;
  const tells = isTold({
    before: current.state,
    now: outcome.state,
    nowMs,
    lastNotifiedMs: current.lastNotifiedMs,
    notification,
  });
  const isOver = outcome.state === "OK";
  all.put(id, {
    ...current,
    state: outcome.state,
    lastEvaluatedMs: nowMs,
    lastNotifiedMs: isOver ? null : tells ? nowMs : current.lastNotifiedMs,
  });
  if (tells)
    await tellSubscribers(context, current, compose(context, current, { result, outcome }));
}

async function runAlert(
  context: WorkspaceContext,
  { owner, definition }: Alert,
): Promise<{ readonly result: SqlResult; readonly outcome: Outcome }> {
  const runAs = definition.run_as?.user_name ?? definition.run_as?.service_principal_name ?? owner;
  const principal = context.principals.named(runAs) ?? { name: runAs, isAdmin: false };
  try {
    const result = await context.sql.execute({
      sql: definition.query_text,
      parameters: definition.parameters?.map(({ name, type, value }) => ({
        name,
        type,
        value: value === undefined || value === null ? null : String(value),
      })),
      session: { principal, catalog: "main", schema: "default" },
      limits: { rowLimit: ROWS_MAX },
      signal: context.lifetime.signal,
    });
    return { result, outcome: evaluate(result, definition.evaluation) };
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return {
      result: noRows,
      outcome: { state: "ERROR", value: null, threshold: null, error: text },
    };
  }
}

const SIGNS = {
  LESS_THAN: "<",
  LESS_THAN_OR_EQUAL: "<=",
  GREATER_THAN: ">",
  GREATER_THAN_OR_EQUAL: ">=",
  EQUAL: "=",
  NOT_EQUAL: "!=",
  IS_NULL: "is null",
  IS_NOT_NULL: "is not null",
} as const;

function compose(
  { url }: WorkspaceContext,
  { id, definition }: Alert,
  { result, outcome }: { readonly result: SqlResult; readonly outcome: Outcome },
): Notification {
  const { source, comparison_operator: operator } = definition.evaluation;
  const values = {
    ALERT_STATUS: outcome.state,
    ALERT_NAME: definition.display_name,
    ALERT_CONDITION: SIGNS[operator],
    ALERT_THRESHOLD: outcome.threshold,
    ALERT_COLUMN: source.display ?? source.name,
    ALERT_URL: `${url()}/sql/alerts-v2/${id}`,
    QUERY_RESULT_VALUE: outcome.value,
    QUERY_NAME: definition.display_name,
    QUERY_URL: `${url()}/sql/alerts-v2/${id}`,
  };
  const summary = definition.custom_summary ?? "{{ALERT_NAME}}: {{ALERT_STATUS}}";
  const description =
    definition.custom_description ??
    "{{ALERT_COLUMN}} is {{QUERY_RESULT_VALUE}} (condition: {{ALERT_CONDITION}} {{ALERT_THRESHOLD}}). {{ALERT_URL}}";
  return {
    alertId: id,
    alertName: definition.display_name,
    state: outcome.state,
    subject: fillTemplate(summary, values, result),
    body: fillTemplate(description, values, result),
  };
}

/** One that can't be reached keeps none of the others from being told. */
async function tellSubscribers(
  context: WorkspaceContext,
  { definition }: Alert,
  notification: Notification,
): Promise<void> {
  const subscriptions = definition.evaluation.notification?.subscriptions ?? [];
  const destinations = destinationsOf(context);
  await Promise.all(
    subscriptions.map(async ({ destination_id: destinationId, user_email: address }) => {
      if (address) await notifyByEmail(context, address, notification);
      const destination = destinationId ? destinations.get(destinationId) : undefined;
      if (destination) await notify(context, destination, notification);
    }),
  );
}
