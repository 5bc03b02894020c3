/**
 * What one monitor forwards to another gives the other the same figures, with and without
 * prompts and answers; and a failing receiver is seen on the page, in the API and in `/metrics`.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { systemClock } from "../../src/clock.ts";
import { type Forward, type ForwardOptions, startForward } from "../../src/export/otlp/forward.ts";
import { expectedFigures, overviewOf, scrapedValue, shownFigures } from "../kill/figures.ts";
import { readRecordings } from "../kill/recordings.ts";
import { startMonitor } from "../start-monitor.ts";

async function forwardTo(
  url: string,
  t: TestContext,
  options: Partial<ForwardOptions> = {},
): Promise<Forward> {
  const dataDirectory = mkdtempSync(join(tmpdir(), "forward-"));
  t.after(() => rmSync(dataDirectory, { recursive: true, force: true }));
  const forward = await startForward({
    dataDirectory,
    url,
    headers: {},
    signals: ["traces", "metrics"],
    content: false,
    clock: systemClock,
    random: Math.random,
    fetch,
    onNotice: () => {},
    ...options,
  });
  t.after(() => forward.close());
  return forward;
}

async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadlineMs = Date.now() + 15_000;
  while (!(await isSo())) {
    assert.ok(Date.now() < deadlineMs, `never: ${what}`);
    await pause(20);
  }
}

const post = (
  url: string,
  signal: string,
  body: string | Uint8Array<ArrayBuffer>,
  headers: object,
) => fetch(`${url}/v1/${signal}`, { method: "POST", body, headers: { ...headers } });

const nowNano = `${Date.now()}000000`;
const metrics = JSON.stringify({
  resourceMetrics: [
    {
      resource: { attributes: [{ key: "service.name", value: { stringValue: "billing" } }] },
      scopeMetrics: [
        {
          metrics: [
            {
              name: "jobs",
              sum: {
                aggregationTemporality: 2,
                isMonotonic: true,
                dataPoints: [
                  {
                    startTimeUnixNano: nowNano,
                    timeUnixNano: nowNano,
                    asInt: "7",
                  },
                ],
              },
            },
          ],
        },
      ],
    },
  ],
});

for (const content of [false, true]) {
  test(`a second monitor has the figures of the first, ${content ? "with" : "without"} prompts and answers`, async (t) => {
    const second = await startMonitor();
    t.after(() => second.close());
    const forward = await forwardTo(second.url, t, { content });
    const first = await startMonitor({ forward });
    t.after(() => first.close());
    const copies = readRecordings().map((recording) => recording.copy("support-agent"));
    for (const { headers, body } of copies.flatMap(({ batches }) => batches)) {
      const { status } = await post(first.url, "traces", body, headers);
      assert.equal(status, 200);
    }
    const json = { "content-type": "application/json" };
    assert.equal((await post(first.url, "metrics", metrics, json)).status, 200);

    await until("everything is forwarded", () =>
      forward.status().every(({ waiting }) => waiting === 0),
    );
    for (const { url } of [first, second]) {
      await until(
        "all traces are closed",
        async () => (await scrapedValue(url, "dspy_open_traces")) === 0,
      );
      assert.deepEqual(await shownFigures(url), expectedFigures(copies));
    }
    assert.deepEqual(
      second.monitor.state.pushed.samples("billing").map(({ name, value }) => [name, value]),
      [["jobs", 7]],
    );
    const [traces] = forward.status();
    assert.equal(traces?.forwarded, first.monitor.state.spansTaken);
    assert.deepEqual([...second.monitor.state.dropped], [...first.monitor.state.dropped]);
  });
}

test("two monitors that forward to each other end it, say so, and count everything once", async (t) => {
  const notices: string[] = [];
  /** Of each by name, once it listens. */
  const urls = new Map<string, string>();
  const forwardToNamed = (name: string) =>
    forwardTo(`http://${name}`, t, {
      onNotice: (notice) => notices.push(notice),
      fetch: (url, init) => fetch(url.replace(`http://${name}`, urls.get(name) ?? ""), init),
    });
  const toSecond = await forwardToNamed("second");
  const toFirst = await forwardToNamed("first");
  const first = await startMonitor({ forward: toSecond });
  t.after(() => first.close());
  const second = await startMonitor({ forward: toFirst });
  t.after(() => second.close());
  urls.set("first", first.url).set("second", second.url);

  const copies = readRecordings().map((recording) => recording.copy("support-agent"));
  for (const { headers, body } of copies.flatMap(({ batches }) => batches)) {
    assert.equal((await post(first.url, "traces", body, headers)).status, 200);
  }
  // What is under way waits still, until whoever takes it has it on disk.
  const waiting = () => [toSecond, toFirst].flatMap((forward) => forward.status());
  await until("nothing goes round", () => waiting().every((lane) => lane.waiting === 0));
  const [there, back] = [toSecond.status()[0], toFirst.status()[0]];
  const lost = there?.dropped.get("loop") ?? 0;
  assert.ok(lost > 0);
  assert.deepEqual([there?.forwarded, back?.forwarded], [2 * lost, 2 * lost]);
  assert.deepEqual(notices, [
    "Some traces are not forwarded to http://second: they had been forwarded 4 times; monitors forward to each other, so start one of them without --forward.",
  ]);
  for (const { url } of [first, second]) {
    await until(
      "all traces are closed",
      async () => (await scrapedValue(url, "dspy_open_traces")) === 0,
    );
    assert.deepEqual(await shownFigures(url), expectedFigures(copies));
  }
});

test("a receiver that is down is seen, and keeps nobody from sending", async (t) => {
  const receiver = createServer((_, response) => response.writeHead(503).end());
  await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
  t.after(() => receiver.close());
  const forward = await forwardTo(
    `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`,
    t,
  );
  const first = await startMonitor({ forward, forwarding: () => forward.status() });
  t.after(() => first.close());
  const [recording] = readRecordings();
  assert.ok(recording);
  const [batch] = recording.copy("support-agent").batches;
  assert.ok(batch);
  assert.equal((await post(first.url, "traces", batch.body, batch.headers)).status, 200);
  await until("a problem", () => forward.status()[0]?.problem !== null);

  const { forwarding, data } = await overviewOf(first.url);
  assert.deepEqual(
    forwarding.map(({ signal, forwarded, problem }) => ({ signal, forwarded, problem })),
    [
      { signal: "traces", forwarded: 0, problem: "it answered 503" },
      { signal: "metrics", forwarded: 0, problem: null },
    ],
  );
  const row = data.find(({ name }) => name === "Forwarding traces");
  assert.equal(row?.state, "failing");
  assert.match(row?.message ?? "", /answered 503.* 0 spans forwarded to http:.*, \d+ waiting\.$/);
  const label = 'signal="traces"';
  const waiting = await scrapedValue(first.url, "dspy_forward_waiting_items", label);
  assert.equal(waiting, first.monitor.state.spansTaken);
  assert.ok((await scrapedValue(first.url, "dspy_forward_lag_seconds", label)) > 0);
});
