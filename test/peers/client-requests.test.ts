/**
 * What our client sends is what Databricks' own SDK for Python sends for the same
 * operation, as a recorder saw both: method, path, query and body.
 */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { systemClock } from "../../src/clock.ts";
import { createDatabricksClient } from "../../src/databricks/client.ts";
import { writeExactJson } from "../../src/databricks/exact-json.ts";
import { Secret } from "../../src/databricks/secret.ts";
import { operations } from "./client-operations.ts";
import { type RecordedRequest, type Recorder, startRecorder } from "./request-recorder.ts";
import { runProgram } from "./run-program.ts";

const python = new URL("../../.peers/python/bin/python", import.meta.url).pathname;
const script = new URL("client-requests.py", import.meta.url).pathname;

let recorder: Recorder;
/** What the SDK sent, and what it said of answers that it could not read. */
const sent = new Map<string, readonly RecordedRequest[]>();
let said = "";

before(async () => {
  recorder = await startRecorder((operation) => operations[operation]?.answer ?? {});
  const input = writeExactJson(
    Object.entries(operations).map(([name, operation]) => ({
      name,
      call: operation.call,
      with: operation.with,
    })),
  );
  const { code, output } = await runProgram(python, [script], {
    input,
    env: { DATABRICKS_HOST: recorder.url, DATABRICKS_TOKEN: "dapi-x" },
  });
  assert.equal(code, 0, output);
  said = output;
  for (const name of Object.keys(operations)) sent.set(name, recorder.requestsOf(name));
});
after(() => recorder.close());

for (const [name, { ours, differs = {} }] of Object.entries(operations)) {
  test(name, async () => {
    const client = createDatabricksClient({
      credentials: {
        host: recorder.url,
        signIn: { kind: "token", token: new Secret("dapi-x") },
        source: "environment",
      },
      fetch,
      clock: systemClock,
      random: Math.random,
    });
    await fetch(`${recorder.url}/recorder/${encodeURIComponent(name)}`, { method: "POST" });
    await ours(client);
    const theirs = sent.get(name) ?? [];
    assert.equal(theirs.length, 1, `the SDK sent ${writeExactJson(theirs)}\n${said}`);
    const [theirRequest] = theirs;
    const [ourRequest, ...more] = recorder.requestsOf(name);
    assert.deepEqual(more, []);
    assert.deepEqual(
      differencesOf(ourRequest, theirRequest, ""),
      Object.keys(differs),
      writeExactJson({ ours: ourRequest, theirs: theirRequest }),
    );
  });
}

/** The names, such as `query.page_size`, under which both are not equal. */
function differencesOf(a: unknown, b: unknown, name: string): string[] {
  if (!isContainer(a) || !isContainer(b)) {
    return Object.is(a, b) ? [] : [name];
  }
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...keys].flatMap((key) => differencesOf(a[key], b[key], name ? `${name}.${key}` : key));
}

function isContainer(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

/** Made of calls that stand in the table, or proved against MLflow's client in `mlflow-requests.test.ts`. */
const elsewhere = [
  "executeStatement",
  "createRegisteredModel",
  "createModelVersion",
  "getRegistryVersion",
  "finalizeModelVersion",
  "findModelFileRoute",
  "uploadModelFile",
];

/** Calls of an MLflow server of one's own, which Databricks' SDK does not know: see register-on-mlflow.test.ts. */
const ofAnMlflowServer = [
  "createLoggedModel",
  "createServerModel",
  "createServerVersion",
  "finishLoggedModel",
  "searchServerVersions",
  "uploadLoggedModelFile",
];

test("every call of our client is in the table", () => {
  const table = readFileSync(new URL("client-operations.ts", import.meta.url), "utf8");
  const sources = new URL("../../src/databricks/", import.meta.url).pathname;
  const calls = globSync(`${sources}*.ts`, { exclude: ["**/*.test.ts"] }).flatMap((path) =>
    Array.from(
      readFileSync(path, "utf8").matchAll(
        /^export (?:async )?function\*? (\w+)\(\s*client: DatabricksClient\b/gm,
      ),
      ([, name = ""]) => name,
    ),
  );
  assert.ok(calls.length > 100, `${calls.length} calls were found`);
  const missing = calls.filter((name) => !new RegExp(`\\.${name}\\(`).test(table));
  assert.deepEqual(missing.toSorted(), [...elsewhere, ...ofAnMlflowServer].toSorted());
});

test("differences are seen, wherever they are", () => {
  const request = { method: "GET", path: "/a", query: { a: "1" }, body: { list: [1, { b: 2n }] } };
  assert.deepEqual(differencesOf(request, structuredClone(request), ""), []);
  const other = { method: "PUT", path: "/a", query: {}, body: { list: [1, { b: 3n }], c: null } };
  assert.deepEqual(differencesOf(request, other, ""), [
    "method",
    "query.a",
    "body.list.1.b",
    "body.c",
  ]);
});
