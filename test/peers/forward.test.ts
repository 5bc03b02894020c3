/**
 * What the monitor forwards, in a receiver that decodes with OpenTelemetry's own library: it gets
 * there what the same receiver gets when the agent sends to it directly.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { systemClock } from "../../src/clock.ts";
import { startForward } from "../../src/export/otlp/forward.ts";
import { isContentKey } from "../../src/ingest/otlp/content-keys.ts";
import { scrub } from "../../src/signals/scrub.ts";
import { startMonitor } from "../start-monitor.ts";
import { freePort, runProgram, startProgram, until } from "./run-program.ts";

const python = new URL("../../.peers/python/bin/python", import.meta.url).pathname;
const service = new URL("otlp-metrics-push.py", import.meta.url).pathname;
const sink = new URL("otlp-metrics-sink.py", import.meta.url).pathname;
const captures = new URL("../../fixtures/telemetry/captures/", import.meta.url);

async function startSink(t: TestContext) {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const receiver = startProgram(python, [sink, String(port)]);
  t.after(() => receiver.stop());
  await until("the start of the receiver", async () => (await fetch(url)).ok || null);
  const told = () =>
    receiver
      .output()
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line));
  return { url, told };
}

async function startForwarding(t: TestContext, url: string, content: boolean) {
  const dataDirectory = mkdtempSync(join(tmpdir(), "forward-"));
  const forward = await startForward({
    dataDirectory,
    url,
    headers: { authorization: "Bearer of-the-test", "x-reject": "yes" },
    signals: ["traces", "metrics"],
    content,
    clock: systemClock,
    random: Math.random,
    fetch,
    onNotice: () => {},
  });
  const started = await startMonitor({ forward });
  t.after(async () => {
    await started.close();
    await forward.close();
    rmSync(dataDirectory, { recursive: true, force: true });
  });
  return { forward, url: started.url };
}

const send = (url: string, body: Uint8Array<ArrayBuffer>) =>
  fetch(`${url}/v1/traces`, {
    method: "POST",
    body,
    headers: { "content-type": "application/x-protobuf" },
  });

type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

/** As it may be passed on: without secrets and, unless asked for, without what was said. */
function passable(value: Json, content: boolean): Json {
  if (typeof value === "string") return scrub(value);
  if (Array.isArray(value)) {
    return value
      .filter((item) => content || !isContent(item))
      .map((item) => passable(item, content));
  }
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => key !== "droppedAttributesCount")
      .map(([key, held]) => [key, passable(held, content)]),
  );
}

function isContent(item: Json): boolean {
  if (typeof item !== "object" || item === null || !("key" in item)) return false;
  return isContentKey(String(item.key));
}

for (const content of [true, false]) {
  for (const file of [
    "callback-rag-0001.otlp.pb",
    "mlflow-otlp-rag-0001.otlp.pb",
    "mlflow-genai-rag-0001.otlp.pb",
    "openinference-rag-0001.otlp.pb",
  ]) {
    test(`${file} ${content ? "with" : "without"} prompts and answers`, async (t) => {
      const { url: sinkUrl, told } = await startSink(t);
      const { forward, url } = await startForwarding(t, sinkUrl, content);
      const body = new Uint8Array(readFileSync(new URL(file, captures)));
      assert.equal((await send(sinkUrl, body)).status, 200);
      assert.equal((await send(url, body)).status, 200);
      const [direct, forwarded] = await until("both", async () => {
        const requests = told();
        return requests.length === 2 ? requests : null;
      });
      assert.equal(forwarded.path, "/v1/traces");
      assert.equal(forwarded.authorization, "Bearer of-the-test");
      assert.deepEqual(passable(forwarded.request, true), passable(direct.request, content));
      await until("the answer", async () => forward.status()[0]?.waiting === 0 || null);
      assert.deepEqual([...(forward.status()[0]?.dropped ?? [])], [["rejected", 1]]);
    });
  }
}

test("metrics of OpenTelemetry's Python SDK arrive as it sent them", async (t) => {
  const { url: sinkUrl, told } = await startSink(t);
  const { url } = await startForwarding(t, sinkUrl, false);
  const args = (to: string) => [service, to, "billing", "cumulative", "gzip"];
  const { code, output } = await runProgram(python, args(sinkUrl));
  assert.equal(code, 0, output);
  const direct = told().length;
  assert.equal((await runProgram(python, args(url))).code, 0);
  const forwarded = await until("what is forwarded", async () => {
    const requests = told().slice(direct);
    return requests.length > 0 ? requests : null;
  });
  const untimed = (requests: readonly { request: Json }[]) =>
    JSON.parse(
      JSON.stringify(requests.at(-1)?.request, (key, value) =>
        /UnixNano$/.test(key) ? "a time" : value,
      ),
    );
  assert.deepEqual(untimed(forwarded), untimed(told().slice(0, direct)));
});
