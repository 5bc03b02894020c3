/**
 * SQL alerts, version 2: made, changed under a mask, trashed – and really evaluated
 * when they are due.
 *
 * Source: databricks-sdk-py 0.156.0, `AlertsV2API`. The words of the refusals are
 * assumed. An alert does not show as a file of the workspace.
 */
import { z } from "zod";
import type { Principal } from "../access/principals.ts";
import type { WorkspaceApi, WorkspaceContext } from "../core/context.ts";
import { newId } from "../core/ids.ts";
import { pageOf } from "../core/paging.ts";
import { parseQuartz } from "../core/quartz.ts";
import { readBody, readQuery } from "../core/request.ts";
import { Refusal } from "../databricks-error.ts";
import { WAREHOUSE_ID } from "../sql/warehouse.ts";
import { type Alert, type AlertDefinition, alertSchema } from "./alert.ts";
import { createAlertSchedule } from "./alert-schedule.ts";

const BASE = "/api/2.0/alerts";
const PAGE = { defaultResults: 20, limit: 100 } as const;

const list = z.looseObject({
  page_size: z.coerce.number().optional(),
  page_token: z.string().optional(),
});

/** What a mask may name at its first level. */
const CHANGEABLE = [
  "display_name",
  "query_text",
  "warehouse_id",
  "evaluation",
  "schedule",
  "custom_summary",
  "custom_description",
  "custom_template_format",
  "parameters",
  "run_as",
];

export const alerts: WorkspaceApi = {
  name: "SQL alerts",
  mount(routes, context) {
    const { clock, permissions } = context;
    const all = alertsOf(context);
    const schedule = createAlertSchedule(context, all);
    for (const alert of all.list()) schedule.plan(alert);

    routes.post(BASE, async (c) => {
      const definition = await readBody(c, alertSchema);
      checkDefinition(definition);
      const owner = c.get("principal").name;
      const nowMs = clock.now();
      const alert: Alert = {
        id: newId(),
        owner,
        definition: {
          ...definition,
          parent_path: definition.parent_path ?? `/Workspace/Users/${owner}`,
        },
        createdMs: nowMs,
        updatedMs: nowMs,
        isDeleted: false,
        state: "UNKNOWN",
        lastEvaluatedMs: null,
        lastNotifiedMs: null,
      };
      all.put(alert.id, alert);
      permissions.own(objectOf(alert.id), owner);
      schedule.plan(alert);
      return c.json(describe(alert));
    });

    routes.get(BASE, (c) => {
      const query = readQuery(c, list);
      const seen = all
        .list()
        .filter(({ isDeleted }) => !isDeleted)
        .filter(({ id }) => permissions.allows(c.get("principal"), "CAN_READ", objectOf(id)));
      const { items, nextPageToken } = pageOf(seen, {
        ...PAGE,
        maxResults: query.page_size,
        pageToken: query.page_token,
      });
      return c.json({ alerts: items.map(describe), next_page_token: nextPageToken });
    });

    routes.get(`${BASE}/:id`, (c) =>
      c.json(describe(find(c.req.param("id"), c.get("principal"), "CAN_READ"))),
    );

    routes.patch(`${BASE}/:id`, async (c) => {
      const known = find(c.req.param("id"), c.get("principal"), "CAN_EDIT");
      if (known.isDeleted) {
        throw new Refusal("INVALID_STATE", `Alert ${known.id} is in the trash.`);
      }
      const mask = readMask(c.req.query("update_mask"));
      const body = await readBody(c, z.looseObject({}));
      const parsed = alertSchema.safeParse(masked(known.definition, body, mask));
      if (!parsed.success) {
        const [issue] = parsed.error.issues;
        throw new Refusal(
          "INVALID_PARAMETER_VALUE",
          `Invalid value for ${issue?.path.join(".") ?? "the alert"}: ${issue?.message ?? ""}`,
        );
      }
      checkDefinition(parsed.data);
      const changed = { ...known, definition: parsed.data, updatedMs: clock.now() };
      all.put(changed.id, changed);
      schedule.plan(changed);
      return c.json(describe(changed));
    });

    routes.delete(`${BASE}/:id`, (c) => {
      const known = find(c.req.param("id"), c.get("principal"), "CAN_MANAGE");
      schedule.forget(known.id);
      if (c.req.query("purge") === "true") {
        all.delete(known.id);
        permissions.forget(objectOf(known.id));
      } else {
        all.put(known.id, { ...known, isDeleted: true, updatedMs: clock.now() });
      }
      return c.json({});
    });

    function find(
      id: string,
      principal: Principal,
      level: "CAN_READ" | "CAN_EDIT" | "CAN_MANAGE",
    ): Alert {
      const alert = all.get(id);
      if (!alert) throw new Refusal("RESOURCE_DOES_NOT_EXIST", `Alert ${id} does not exist.`);
      permissions.require(principal, level, objectOf(id), `alert '${id}'`);
      return alert;
    }
  },
};

export const alertsOf = ({ state }: WorkspaceContext) => state.collection<Alert>("alerts");

const objectOf = (id: string) => ({ type: "alertsv2", id }) as const;

/** @throws Refusal for what the fields say together, or a schedule that can't be read. */
function checkDefinition({ evaluation, schedule, warehouse_id: warehouse }: AlertDefinition): void {
  const { comparison_operator: operator, threshold } = evaluation;
  const isUnary = operator === "IS_NULL" || operator === "IS_NOT_NULL";
  if (!isUnary && !threshold?.value && !threshold?.column) {
    throw new Refusal(
      "INVALID_PARAMETER_VALUE",
      "Missing required field: evaluation.threshold.value",
    );
  }
  if (warehouse !== WAREHOUSE_ID) {
    throw new Refusal("RESOURCE_DOES_NOT_EXIST", `SQL warehouse ${warehouse} does not exist.`);
  }
  try {
    parseQuartz(schedule.quartz_cron_schedule, schedule.timezone_id);
  } catch (error) {
    throw new Refusal(
      "INVALID_PARAMETER_VALUE",
      `Invalid value for schedule: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

function readMask(text: string | undefined): readonly (readonly string[])[] {
  const paths = (text ?? "")
    .split(",")
    .map((path) => path.trim())
    .filter((path) => path !== "");
  if (paths.length === 0) {
    throw new Refusal("INVALID_PARAMETER_VALUE", "Missing required field: update_mask");
  }
  if (paths.includes("*")) return CHANGEABLE.map((name) => [name]);
  const wrong = paths.find((path) => !CHANGEABLE.includes(path.split(".")[0] ?? ""));
  if (wrong) {
    throw new Refusal("INVALID_PARAMETER_VALUE", `update_mask: '${wrong}' can't be updated.`);
  }
  return paths.map((path) => path.split("."));
}

type Fields = Readonly<Record<string, unknown>>;

/** The alert with each field of the mask as the body has it; what the body lacks is unset. */
function masked(before: Fields, body: Fields, mask: readonly (readonly string[])[]): Fields {
  return mask.reduce((alert, path) => withField(alert, body, path), before);
}

function withField(before: Fields, body: Fields, [name = "", ...rest]: readonly string[]): Fields {
  const { [name]: own, ...others } = before;
  const given = body[name];
  if (rest.length > 0) {
    return { ...others, [name]: withField(asFields(own), asFields(given), rest) };
  }
  return given === undefined ? others : { ...others, [name]: given };
}

function asFields(value: unknown): Fields {
  // A JSON object, or nothing that has fields.
  return typeof value === "object" && value !== null ? (value as Fields) : {};
}

function describe({ id, owner, definition, ...alert }: Alert) {
  const time = (ms: number) => new Date(ms).toISOString();
  const runAs = definition.run_as ?? { user_name: owner };
  return {
    ...definition,
    id,
    owner_user_name: owner,
    run_as_user_name: runAs.user_name ?? runAs.service_principal_name,
    effective_run_as: runAs,
    lifecycle_state: alert.isDeleted ? "DELETED" : "ACTIVE",
    create_time: time(alert.createdMs),
    update_time: time(alert.updatedMs),
    evaluation: {
      ...definition.evaluation,
      state: alert.state,
      ...(alert.lastEvaluatedMs === null ? {} : { last_evaluated_at: time(alert.lastEvaluatedMs) }),
    },
    schedule: {
      ...definition.schedule,
      pause_status: definition.schedule.pause_status ?? "UNPAUSED",
    },
  };
}
