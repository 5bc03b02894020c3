/** Notification destinations, whose secrets go in and come out nowhere. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import {
  createNotificationDestination,
  deleteNotificationDestination,
  getNotificationDestination,
  listNotificationDestinations,
  updateNotificationDestination,
} from "./notification-destinations.ts";
import { type ApiCase, checkApiCase, clientThatGets } from "./test-answering-client.ts";

const url = "https://hooks.slack.com/services/canary";
const input = { display_name: "On call", config: { slack: { url } } };
const answer = {
  id: "d-1",
  display_name: "On call",
  destination_type: "SLACK",
  config: { slack: { url_set: true } },
};
const destination = { id: "d-1", displayName: "On call", type: "SLACK" };
const path = "/api/2.0/notification-destinations";

for (const [what, ...apiCase] of [
  [
    "made",
    (c) => createNotificationDestination(c, input),
    answer,
    `POST ${path} ${JSON.stringify(input)}`,
    destination,
  ],
  ["read", (c) => getNotificationDestination(c, "d-1"), answer, `GET ${path}/d-1`, destination],
  [
    "listed",
    (c) => listNotificationDestinations(c),
    { results: [answer, {}] },
    `GET ${path}`,
    [destination],
  ],
  [
    "changed",
    (c) => updateNotificationDestination(c, "d-1", { display_name: "Night" }),
    answer,
    `PATCH ${path}/d-1 {"display_name":"Night"}`,
    destination,
  ],
  ["deleted", (c) => deleteNotificationDestination(c, "d-1"), {}, `DELETE ${path}/d-1`],
] as readonly (readonly [string, ...ApiCase])[]) {
  test(`a destination is ${what}`, () => checkApiCase(apiCase));
}

test("an answer that repeats the address of the webhook shows it to nobody", async () => {
  const { client } = clientThatGets(
    { error_code: "INVALID_PARAMETER_VALUE", message: `bad url ${url}`, details: [{ url }] },
    { status: 400 },
  );
  const error: unknown = await createNotificationDestination(client, input).catch((e) => e);
  assert.match(String(error), /INVALID_PARAMETER_VALUE: bad url \[REDACTED\]$/);
  assert.doesNotMatch(inspect(error, { depth: 20 }), /canary/);
});
