/**
 * A SQL alert (v2) as its owner writes it and as the workspace keeps it.
 *
 * Source: databricks-sdk-py 0.156.0, `AlertV2`.
 */
import { z } from "zod";

const aggregations = [
  "SUM",
  "COUNT",
  "COUNT_DISTINCT",
  "AVG",
  "MEDIAN",
  "MIN",
  "MAX",
  "STDDEV",
] as const;
const operators = [
  "LESS_THAN",
  "LESS_THAN_OR_EQUAL",
  "GREATER_THAN",
  "GREATER_THAN_OR_EQUAL",
  "EQUAL",
  "NOT_EQUAL",
  "IS_NULL",
  "IS_NOT_NULL",
] as const;
const states = ["UNKNOWN", "OK", "TRIGGERED", "ERROR"] as const;

export type AlertState = (typeof states)[number];

const column = z.looseObject({
  name: z.string().min(1),
  display: z.string().optional(),
  aggregation: z.enum(aggregations).optional(),
});
const operand = z.looseObject({
  column: column.optional(),
  value: z
    .looseObject({
      double_value: z.number().optional(),
      string_value: z.string().optional(),
      bool_value: z.boolean().optional(),
    })
    .optional(),
});
const parameter = z.looseObject({
  name: z.string(),
  type: z.string().optional(),
  value: z.unknown().optional(),
});

/** What may be written. */
export const alertSchema = z.looseObject({
  display_name: z.string().min(1),
  query_text: z.string().min(1),
  warehouse_id: z.string().min(1),
  evaluation: z.looseObject({
    source: column,
    comparison_operator: z.enum(operators),
    threshold: operand.optional(),
    empty_result_state: z.enum(states).optional(),
    notification: z
      .looseObject({
        subscriptions: z
          .array(
            z.looseObject({
              destination_id: z.string().optional(),
              user_email: z.string().optional(),
            }),
          )
          .optional(),
        notify_on_ok: z.boolean().optional(),
        retrigger_seconds: z.number().int().nonnegative().optional(),
      })
      .optional(),
  }),
  schedule: z.looseObject({
    quartz_cron_schedule: z.string(),
    timezone_id: z.string(),
    pause_status: z.enum(["PAUSED", "UNPAUSED"]).optional(),
  }),
  custom_summary: z.string().optional(),
  custom_description: z.string().optional(),
  custom_template_format: z.string().optional(),
  parameters: z.array(parameter).optional(),
  parent_path: z.string().optional(),
  run_as: z
    .looseObject({
      user_name: z.string().optional(),
      service_principal_name: z.string().optional(),
    })
    .optional(),
});

export type AlertDefinition = z.output<typeof alertSchema>;
export type Evaluation = AlertDefinition["evaluation"];
export type AlertColumn = z.output<typeof column>;

export type Alert = {
  readonly id: string;
  readonly owner: string;
  readonly definition: AlertDefinition;
  readonly createdMs: number;
  readonly updatedMs: number;
  readonly isDeleted: boolean;
  readonly state: AlertState;
  readonly lastEvaluatedMs: number | null;
  /** When its subscribers were last told of the breach that goes on. */
  readonly lastNotifiedMs: number | null;
};
