/** Jobs, whose ids are larger than a JavaScript number counts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createJob, deleteJob, getJob, listJobs, resetJob } from "./jobs.ts";
import {
  type ApiCase,
  checkApiCase,
  clientThatAnswers,
  clientThatGets,
} from "./test-answering-client.ts";

const path = "/api/2.2/jobs";
const id = "620987654321987654";
const settings = {
  name: "Agents",
  tasks: [{ task_key: "run", notebook_task: { notebook_path: "/Shared/a" } }],
  tags: { owner: "dspy" },
};
const job = {
  id,
  name: "Agents",
  tags: new Map([["owner", "dspy"]]),
  creator: "ada@example.com",
  createdMs: 5,
  settings,
};
/** As text, since no JavaScript number writes the id. */
const text = `{"job_id":${id},"creator_user_name":"ada@example.com","created_time":5,"settings":${JSON.stringify(settings)}}`;

test("a job is made, and its id has all its digits", async () => {
  const { client, seen } = clientThatAnswers(() => new Response(`{"job_id":${id}}`));
  assert.equal(await createJob(client, settings), id);
  assert.deepEqual(seen, [`POST ${path}/create ${JSON.stringify(settings)}`]);
});

test("a job is read and listed", async () => {
  const { client, seen } = clientThatAnswers((request) =>
    request.includes("/get") ? new Response(text) : new Response(`{"jobs":[${text}]}`),
  );
  assert.deepEqual(await getJob(client, id), job);
  assert.deepEqual(await listJobs(client, { name: "Agents" }), [job]);
  assert.deepEqual(seen, [`GET ${path}/get?job_id=${id}`, `GET ${path}/list?name=Agents`]);
});

for (const [what, ...apiCase] of [
  [
    "changed",
    (c) => resetJob(c, id, settings),
    {},
    `POST ${path}/reset {"job_id":${id},"new_settings":${JSON.stringify(settings)}}`,
  ],
  ["deleted", (c) => deleteJob(c, id), {}, `POST ${path}/delete {"job_id":${id}}`],
  ["among none", (c) => listJobs(c), {}, `GET ${path}/list`, []],
] as readonly (readonly [string, ...ApiCase])[]) {
  test(`a job is ${what}`, () => checkApiCase(apiCase));
}

for (const [status, error_code] of [
  [400, "INVALID_PARAMETER_VALUE"],
  [404, "RESOURCE_DOES_NOT_EXIST"],
] as const) {
  test(`a job that is not there is told by ${status} ${error_code}`, async () => {
    assert.equal(await getJob(clientThatGets({ error_code }, { status }).client, id), null);
  });
}

test("another failure is one", async () => {
  const { client } = clientThatGets({ error_code: "BAD_REQUEST" }, { status: 400 });
  await assert.rejects(getJob(client, id), /answered 400 BAD_REQUEST/);
});

for (const wrong of ["", "1.5", "-1", "abc", "1".repeat(20)]) {
  test(`${JSON.stringify(wrong)} is not asked about`, async () => {
    const { client, seen } = clientThatGets({});
    await assert.rejects(getJob(client, wrong), { code: "USAGE_INVALID" });
    assert.deepEqual(seen, []);
  });
}
