/**
 * SQL alerts, version 2: a query on a schedule, a condition on its result, and whom to
 * tell. The schedule's field is called `quartz_cron_schedule` here, and otherwise than
 * that of a job.
 *
 * Source: databricks-sdk-py 0.156.0, `AlertsV2API`.
 */
import { apiPath } from "./api-path.ts";
import type { CallLimits, DatabricksClient } from "./client.ts";
import { dateOf, type JsonRecord, recordOf, recordsOf, textOf } from "./json-fields.ts";
import { readPages } from "./pages.ts";
import type { JsonAnswer } from "./read-answer.ts";

/** An alert in Databricks' own names. */
export type AlertInput = {
  readonly display_name: string;
  readonly query_text: string;
  readonly warehouse_id: string;
  readonly evaluation: {
    /** The column, and what is made of its rows; without an aggregation, the first row counts. */
    readonly source: AlertColumn;
    /** `GREATER_THAN`, `LESS_THAN_OR_EQUAL`, `EQUAL`, `IS_NULL` and the like. */
    readonly comparison_operator: string;
    readonly threshold?: {
      readonly value?: {
        readonly double_value?: number;
        readonly string_value?: string;
        readonly bool_value?: boolean;
      };
      readonly column?: AlertColumn;
    };
    /** What a query without rows means: `OK`, `TRIGGERED` or `ERROR`. */
    readonly empty_result_state?: string;
    readonly notification?: {
      readonly subscriptions?: readonly (
        | { readonly destination_id: string }
        | { readonly user_email: string }
      )[];
      readonly notify_on_ok?: boolean;
      /** Tells again after this time; left out or 0, once; 1, at each evaluation. */
      readonly retrigger_seconds?: number;
    };
  };
  readonly schedule: {
    /** Such as `0 0/5 * * * ?`, for every five minutes. */
    readonly quartz_cron_schedule: string;
    /** Such as `UTC`. */
    readonly timezone_id: string;
    /** `UNPAUSED` or `PAUSED`. */
    readonly pause_status?: string;
  };
  readonly custom_summary?: string;
  readonly custom_description?: string;
  /** The folder, when it is made; it can't be changed. */
  readonly parent_path?: string;
  readonly run_as?: { readonly user_name: string } | { readonly service_principal_name: string };
};

type AlertColumn = {
  readonly name: string;
  readonly display?: string;
  /** `SUM`, `COUNT`, `COUNT_DISTINCT`, `AVG`, `MEDIAN`, `MIN`, `MAX` or `STDDEV`. */
  readonly aggregation?: string;
};

export type Alert = {
  readonly id: string;
  readonly displayName: string | null;
  /** `UNKNOWN`, `OK`, `TRIGGERED` or `ERROR`, as it was last evaluated. */
  readonly state: string | null;
  /** Unix milliseconds. */
  readonly evaluatedMs: number | null;
  /** `ACTIVE` or `DELETED`. */
  readonly lifecycleState: string | null;
  readonly warehouseId: string | null;
  readonly owner: string | null;
  /** As Databricks sent it, for comparing it with what is wanted. */
  readonly definition: JsonRecord;
};

export async function createAlert(
  client: DatabricksClient,
  alert: AlertInput,
  limits: CallLimits = {},
): Promise<Alert> {
  const answer = await client.postJson(apiPath`/api/2.0/alerts`, alert, {
    ...limits,
    purpose: `create alert "${alert.display_name}"`,
    permission: `Give the identity CAN USE on SQL warehouse ${alert.warehouse_id} and CAN MANAGE on the folder ${alert.parent_path ?? "of the alert"}.`,
  });
  return readAnsweredAlert(answer);
}

export async function getAlert(
  client: DatabricksClient,
  id: string,
  limits: CallLimits = {},
): Promise<Alert> {
  const answer = await client.getJson(apiPath`/api/2.0/alerts/${id}`, {
    ...limits,
    purpose: `read alert ${id}`,
    permission: `Give the identity CAN VIEW on alert ${id}.`,
  });
  return readAnsweredAlert(answer);
}

export async function listAlerts(
  client: DatabricksClient,
  limits: CallLimits = {},
): Promise<readonly Alert[]> {
  const entries = await readPages("alerts", (page) =>
    client.getJson(apiPath`/api/2.0/alerts`, {
      ...limits,
      query: page,
      purpose: "list the alerts",
    }),
  );
  return recordsOf(entries)
    .map(readAlert)
    .filter((alert) => alert !== null);
}

/** Changes what is given here. Databricks wants to be told so twice: in a mask, and in the body. */
export async function updateAlert(
  client: DatabricksClient,
  id: string,
  changes: Partial<Omit<AlertInput, "parent_path">>,
  limits: CallLimits = {},
): Promise<Alert> {
  const answer = await client.patchJson(apiPath`/api/2.0/alerts/${id}`, changes, {
    ...limits,
    query: { update_mask: Object.keys(changes).join(",") },
    purpose: `change alert ${id}`,
    permission: managePermission(id),
    isIdempotent: true,
  });
  return readAnsweredAlert(answer);
}

/** Moves it to the trash, where it is kept for 30 days and is not evaluated. */
export function trashAlert(
  client: DatabricksClient,
  id: string,
  limits: CallLimits = {},
): Promise<void> {
  return client.delete(apiPath`/api/2.0/alerts/${id}`, {
    ...limits,
    purpose: `delete alert ${id}`,
    permission: managePermission(id),
  });
}

function managePermission(id: string): string {
  return `Give the identity CAN MANAGE on alert ${id}.`;
}

function readAnsweredAlert(answer: JsonAnswer): Alert {
  const record = recordOf(answer.json);
  const alert = record && readAlert(record);
  if (!alert) throw answer.unusable("is not an alert");
  return alert;
}

function readAlert(alert: JsonRecord): Alert | null {
  const id = textOf(alert.id);
  if (id === null) return null;
  const evaluation = recordOf(alert.evaluation);
  return {
    id,
    displayName: textOf(alert.display_name),
    state: textOf(evaluation?.state),
    evaluatedMs: dateOf(evaluation?.last_evaluated_at),
    lifecycleState: textOf(alert.lifecycle_state),
    warehouseId: textOf(alert.warehouse_id),
    owner: textOf(alert.owner_user_name),
    definition: alert,
  };
}
