/** Alerts are evaluated by the workspace's clock and tell a real receiver on loopback. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { openTestWorkspace } from "../test-workspace.ts";

const WAREHOUSE = "10ca1de1ce5e0001";
const workspace = openTestWorkspace({ principals: ["ann"] });

type Received = { readonly url: string; readonly body: string; readonly authorization: string };
const received: Received[] = [];
let told: () => void = () => {};
const receiver = createServer(async (request: IncomingMessage, response) => {
  let body = "";
  for await (const chunk of request) body += chunk;
  const { url = "", headers } = request;
  received.push({ url, body, authorization: headers.authorization ?? "" });
  response.end();
  told();
});
let address = "";

before(async () => {
  await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
  const at = receiver.address();
  address = `http://127.0.0.1:${typeof at === "object" && at ? at.port : 0}`;
});
after(async () => {
  await workspace.close();
  await new Promise((resolve) => receiver.close(resolve));
});

async function sql(statement: string) {
  const { body } = await workspace.ask("POST /api/2.0/sql/statements", {
    statement,
    warehouse_id: WAREHOUSE,
  });
  assert.equal(body.status.state, "SUCCEEDED", body.status.error?.message);
}

async function makeDestination(config: unknown): Promise<string> {
  const { body } = await workspace.ask("POST /api/2.0/notification-destinations", {
    display_name: "on call",
    config,
  });
  return body.id;
}

const definition = (more: Readonly<Record<string, unknown>> = {}) => ({
  display_name: "slow requests",
  query_text: "SELECT count(*) AS slow FROM main.default.requests WHERE latency > 1000",
  warehouse_id: WAREHOUSE,
  evaluation: {
    source: { name: "slow" },
    comparison_operator: "GREATER_THAN",
    threshold: { value: { double_value: 1 } },
  },
  schedule: { quartz_cron_schedule: "0 * * * * ?", timezone_id: "UTC" },
  ...more,
});

const get = async (id: string) => (await workspace.ask(`GET /api/2.0/alerts/${id}`)).body;

/** Moves the clock a minute on, and waits until the alert's evaluation has ended. */
async function nextEvaluation(id: string) {
  const last = (await get(id)).evaluation.last_evaluated_at;
  await workspace.clock.advance(60_000);
  for (;;) {
    const alert = await get(id);
    if (alert.evaluation.last_evaluated_at !== last) return alert.evaluation.state;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test("an alert lives: unknown, OK, triggered with a notification, OK again", async () => {
  await sql("CREATE TABLE main.default.requests (latency DOUBLE)");
  const slack = await makeDestination({ slack: { url: `${address}/slack/secret` } });
  const hook = await makeDestination({
    generic_webhook: { url: `${address}/hook`, username: "u", password: "p" },
  });
  const notification = {
    subscriptions: [{ destination_id: slack }, { destination_id: hook }, { user_email: "a@b.c" }],
    notify_on_ok: true,
  };
  const { body: made } = await workspace.ask(
    "POST /api/2.0/alerts",
    definition({
      evaluation: { ...definition().evaluation, notification },
      custom_summary: "{{ALERT_NAME}} {{ALERT_STATUS}}",
      custom_description: "{{QUERY_RESULT_VALUE}} {{ALERT_CONDITION}} {{ALERT_THRESHOLD}}",
    }),
  );
  assert.equal(made.evaluation.state, "UNKNOWN");
  assert.equal(await nextEvaluation(made.id), "OK");

  await sql("INSERT INTO main.default.requests VALUES (1500), (2000)");
  const both = new Promise<void>((resolve) => {
    told = () => void (received.length === 2 && resolve());
  });
  assert.equal(await nextEvaluation(made.id), "TRIGGERED");
  await both;
  const bySlack = received.find(({ url }) => url === "/slack/secret");
  const byHook = received.find(({ url }) => url === "/hook");
  assert.deepEqual(JSON.parse(bySlack?.body ?? ""), { text: "slow requests TRIGGERED\n2 > 1" });
  assert.equal(byHook?.authorization, `Basic ${Buffer.from("u:p").toString("base64")}`);
  assert.equal(JSON.parse(byHook?.body ?? "").alert.state, "TRIGGERED");

  assert.equal(await nextEvaluation(made.id), "TRIGGERED");
  assert.equal(received.length, 2);

  await sql("DELETE FROM main.default.requests");
  const again = new Promise<void>((resolve) => {
    told = () => void (received.length === 4 && resolve());
  });
  assert.equal(await nextEvaluation(made.id), "OK");
  await again;
  await workspace.ask(`DELETE /api/2.0/alerts/${made.id}`);

  const log = readFileSync(join(workspace.context.dataDirectory, "notifications.ndjson"), "utf8");
  assert.match(log, /"to":\["a@b.c"\],"kind":"email".*"outcome":"recorded"/);
  assert.doesNotMatch(log, /secret|"p"/);
});

test("a query that fails is an ERROR, also when the owner may not read", async () => {
  const { body: broken } = await workspace.ask(
    "POST /api/2.0/alerts",
    definition({ query_text: "SELECT nope FROM main.default.requests" }),
  );
  assert.equal(await nextEvaluation(broken.id), "ERROR");
  const { body: foreign } = await workspace.ask("POST /api/2.0/alerts", definition(), "ann");
  assert.equal(await nextEvaluation(foreign.id), "ERROR");
});

test("a paused alert is not evaluated, and goes on when it is unpaused", async () => {
  const schedule = { ...definition().schedule, pause_status: "PAUSED" };
  const { body } = await workspace.ask("POST /api/2.0/alerts", definition({ schedule }));
  await workspace.clock.advance(5 * 60_000);
  assert.equal((await get(body.id)).evaluation.last_evaluated_at, undefined);
  await workspace.ask(`PATCH /api/2.0/alerts/${body.id}?update_mask=schedule.pause_status`, {
    schedule: { pause_status: "UNPAUSED" },
  });
  assert.equal(await nextEvaluation(body.id), "OK");
});

test("only what the mask names is changed", async () => {
  const { body } = await workspace.ask("POST /api/2.0/alerts", definition());
  const patch = (mask: string, change: unknown) =>
    workspace.ask(`PATCH /api/2.0/alerts/${body.id}${mask}`, change);
  const threshold = { value: { double_value: 9 } };
  const changed = await patch("?update_mask=evaluation.threshold", {
    display_name: "not this",
    evaluation: { threshold },
  });
  assert.deepEqual(
    [changed.body.display_name, changed.body.evaluation.threshold, changed.body.evaluation.source],
    ["slow requests", threshold, { name: "slow" }],
  );
  assert.match((await patch("", {})).body.message, /Missing required field: update_mask/);
  assert.match((await patch("?update_mask=id", {})).body.message, /'id' can't be updated/);
  assert.match(
    (await patch("?update_mask=query_text", {})).body.message,
    /Invalid value for query_text/,
  );
});

const refused: readonly (readonly [more: Readonly<Record<string, unknown>>, says: RegExp])[] = [
  [{ query_text: undefined }, /Missing required field: query_text/],
  [{ evaluation: { source: { name: "x" } } }, /Missing required field: evaluation.comparison/],
  [
    { evaluation: { source: { name: "x" }, comparison_operator: "EQUAL" } },
    /Missing required field: evaluation.threshold/,
  ],
  [{ schedule: { quartz_cron_schedule: "* * * * *", timezone_id: "UTC" } }, /6 or 7 fields/],
  [{ warehouse_id: "other" }, /SQL warehouse other does not exist/],
];
for (const [more, says] of refused) {
  test(`is refused: ${JSON.stringify(more)}`, async () => {
    const { body } = await workspace.ask("POST /api/2.0/alerts", { ...definition(), ...more });
    assert.match(body.message, says);
  });
}

test("a trashed alert is left out of the list, and a purged one is gone", async () => {
  const { body } = await workspace.ask("POST /api/2.0/alerts", definition());
  await workspace.ask(`DELETE /api/2.0/alerts/${body.id}`);
  assert.equal((await get(body.id)).lifecycle_state, "DELETED");
  const listed = (await workspace.ask("GET /api/2.0/alerts")).body.alerts;
  assert.ok(!listed.some(({ id }: { id: string }) => id === body.id));
  await workspace.ask(`DELETE /api/2.0/alerts/${body.id}?purge=true`);
  assert.equal((await workspace.ask(`GET /api/2.0/alerts/${body.id}`)).status, 404);
});

test("hosts that are not on loopback are not contacted", async () => {
  const id = await makeDestination({ slack: { url: "https://hooks.example.com/x" } });
  const { body } = await workspace.ask(
    "POST /api/2.0/alerts",
    definition({
      query_text: "SELECT 5 AS slow",
      evaluation: {
        ...definition().evaluation,
        notification: { subscriptions: [{ destination_id: id }] },
      },
    }),
  );
  assert.equal(await nextEvaluation(body.id), "TRIGGERED");
  const file = join(workspace.context.dataDirectory, "notifications.ndjson");
  while (!readFileSync(file, "utf8").includes("hooks.example.com")) {
    await new Promise((resolve) => setImmediate(resolve));
  }
});

test("a destination tells what is set, and nothing secret", async () => {
  const id = await makeDestination({ slack: { url: "https://hooks.slack.com/secret" } });
  const read = await workspace.ask(
    `GET /api/2.0/notification-destinations/${id}`,
    undefined,
    "ann",
  );
  assert.deepEqual(read.body, {
    id,
    display_name: "on call",
    destination_type: "SLACK",
    config: { slack: { url_set: true } },
  });
  const denied = await workspace.ask(`DELETE /api/2.0/notification-destinations/${id}`, {}, "ann");
  assert.equal(denied.status, 403);
  const both = await workspace.ask("POST /api/2.0/notification-destinations", {
    display_name: "x",
    config: { slack: { url: "x" }, email: { addresses: ["a@b.c"] } },
  });
  assert.match(both.body.message, /exactly one of/);
});
