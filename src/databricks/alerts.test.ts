/** SQL alerts: what is asked, and what the answers tell. */
import { test } from "node:test";
import { createAlert, getAlert, listAlerts, trashAlert, updateAlert } from "./alerts.ts";
import { type ApiCase, checkApiCase } from "./test-answering-client.ts";

const input = {
  display_name: "p95",
  query_text: "SELECT 1 AS p95",
  warehouse_id: "w",
  evaluation: {
    source: { name: "p95" },
    comparison_operator: "GREATER_THAN",
    threshold: { value: { double_value: 2000 } },
  },
  schedule: { quartz_cron_schedule: "0 0/5 * * * ?", timezone_id: "UTC" },
};
const answer = {
  ...input,
  id: "a-1",
  lifecycle_state: "ACTIVE",
  owner_user_name: "ada@example.com",
  evaluation: {
    ...input.evaluation,
    state: "TRIGGERED",
    last_evaluated_at: "2026-01-01T00:00:00Z",
  },
};
const alert = {
  id: "a-1",
  displayName: "p95",
  state: "TRIGGERED",
  evaluatedMs: Date.UTC(2026, 0, 1),
  lifecycleState: "ACTIVE",
  warehouseId: "w",
  owner: "ada@example.com",
  definition: answer,
};
const unseen = {
  id: "a-2",
  displayName: null,
  state: null,
  evaluatedMs: null,
  lifecycleState: null,
  warehouseId: null,
  owner: null,
  definition: { id: "a-2" },
};
const path = "/api/2.0/alerts";

for (const [what, ...apiCase] of [
  ["made", (c) => createAlert(c, input), answer, `POST ${path} ${JSON.stringify(input)}`, alert],
  ["read", (c) => getAlert(c, "a-1"), answer, `GET ${path}/a-1`, alert],
  [
    "listed",
    (c) => listAlerts(c),
    { alerts: [answer, { id: "a-2" }, {}] },
    `GET ${path}`,
    [alert, unseen],
  ],
  [
    "changed, named in a mask",
    (c) => updateAlert(c, "a-1", { query_text: "SELECT 2", evaluation: input.evaluation }),
    answer,
    `PATCH ${path}/a-1?update_mask=query_text%2Cevaluation ${JSON.stringify({ query_text: "SELECT 2", evaluation: input.evaluation })}`,
    alert,
  ],
  ["put into the trash", (c) => trashAlert(c, "a-1"), {}, `DELETE ${path}/a-1`],
] as readonly (readonly [string, ...ApiCase])[]) {
  test(`an alert is ${what}`, () => checkApiCase(apiCase));
}
