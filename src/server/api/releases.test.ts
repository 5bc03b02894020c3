/** From the telemetry of two releases to what is said of them, over HTTP. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { type StartedMonitor, startMonitor } from "../../../test/start-monitor.ts";
import type { AgentView, ReleasesAnswer } from "../../web/api.ts";

const attribute = (key: string, value: string) => ({ key, value: { stringValue: value } });
const hex = (n: number, digits: number) => n.toString(16).padStart(digits, "0");

type Served = {
  readonly first: number;
  readonly requests: number;
  readonly release: string;
  readonly latencyMs: (n: number) => number;
  readonly rewriteHash: string;
};

/** A program with one predictor, called again and again. */
function traces({ first, requests, release, latencyMs, rewriteHash }: Served) {
  const nowMs = Date.now();
  const spans = Array.from({ length: requests }, (_, index) => {
    const n = first + index;
    const [traceId, rootId] = [hex(n + 1, 32), hex(n + 1, 16)];
    const startTimeUnixNano = `${nowMs - 5_000}000000`;
    const times = {
      startTimeUnixNano,
      endTimeUnixNano: `${nowMs - 5_000 + Math.round(latencyMs(index))}000000`,
    };
    return [
      {
        ...times,
        traceId,
        spanId: rootId,
        name: "Rag.forward",
        attributes: [
          attribute("dspy.kind", "module"),
          attribute("dspy.module.path", "self"),
          attribute("dspy.release", release),
        ],
      },
      {
        ...times,
        traceId,
        spanId: hex(n + 1_000_001, 16),
        parentSpanId: rootId,
        name: "Predict.forward",
        attributes: [
          attribute("dspy.kind", "module"),
          attribute("dspy.module.path", "self.rewrite"),
          attribute("dspy.predictor.hash", rewriteHash),
        ],
      },
    ];
  }).flat();
  return {
    resourceSpans: [
      { resource: { attributes: [attribute("service.name", "qa")] }, scopeSpans: [{ spans }] },
    ],
  };
}

let started: StartedMonitor;
const ask = async <T>(path: string): Promise<T> =>
  (await (await fetch(`${started.url}${path}`)).json()) as T;

before(async () => {
  started = await startMonitor();
  const ordinary = (index: number) => 100 + (index % 50);
  const served: Served[] = [
    { first: 0, requests: 200, release: "3ab90e1f00", latencyMs: ordinary, rewriteHash: "p1" },
    {
      first: 1_000,
      requests: 200,
      release: "7c1f2d0a11",
      latencyMs: (index) => 1.5 * ordinary(index),
      rewriteHash: "p2",
    },
  ];
  for (const one of served) {
    const response = await fetch(`${started.url}/v1/traces`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(traces(one)),
    });
    assert.equal(response.status, 200);
  }
  const deadlineMs = Date.now() + 30_000;
  const counted = () => started.monitor.state.agents.get("qa")?.run.calls ?? 0;
  while (counted() < 400 && Date.now() < deadlineMs) await pause(50);
});

after(() => started.close());

test("the newest release comes first, compared with the one before it", async () => {
  const { releases } = await ask<AgentView>("/api/agents/qa");
  assert.deepEqual(
    releases.map(({ name, requests, failed, latencyP95Ms, predictors }) => ({
      name,
      requests,
      failed,
      latencyP95Ms,
      predictors,
    })),
    [
      {
        name: "7c1f2d0",
        requests: 200,
        failed: 0,
        latencyP95Ms: 221,
        predictors: { "self.rewrite": "p2" },
      },
      {
        name: "3ab90e1",
        requests: 200,
        failed: 0,
        latencyP95Ms: 147,
        predictors: { "self.rewrite": "p1" },
      },
    ],
  );
  const [newest, oldest] = releases;
  assert.equal(newest?.comparedWithBefore?.alarm, true);
  assert.match(
    newest?.comparedWithBefore?.sentence ?? "",
    /^Release 7c1f2d0 is slower than 3ab90e1: p95 is 221 ms instead of 147 ms .* What changed: `self.rewrite`\.$/,
  );
  assert.equal(oldest?.comparedWithBefore, null);
});

test("a release that comes after another is a deployment among the changes", async () => {
  const { changes } = await ask<AgentView>("/api/agents/qa");
  assert.deepEqual(
    changes.filter(({ kind }) => kind === "deployment").map(({ to, text }) => ({ to, text })),
    [{ to: "7c1f2d0", text: "Release 7c1f2d0 serves its first request" }],
  );
});

test("modules are told of all releases, or of the one that is asked for", async () => {
  const rewrites = async (query: string) => {
    const { modules } = await ask<AgentView>(`/api/agents/qa?range=5m${query}`);
    const row = modules.find(({ path }) => path === "self.rewrite");
    return row && [row.calls, row.latencyMs?.p95];
  };
  assert.equal((await rewrites(""))?.[0], 400);
  assert.deepEqual(await rewrites("&release=7c1f2d0"), [200, 221]);
  assert.deepEqual(await rewrites("&release=3ab90e1"), [200, 147]);
  assert.equal(await rewrites("&release=nobody"), undefined);
  assert.equal(await rewrites("&modelVersion=3"), undefined);
});

test("any two releases are compared, in either direction", async () => {
  const path = "/api/agents/qa/releases?before=7c1f2d0&after=3ab90e1";
  const { comparison } = await ask<ReleasesAnswer>(path);
  assert.equal(comparison?.alarm, false);
  assert.equal(comparison?.metrics.latencyP95Ms.verdict, "better");
});

test("releases that nobody knows are compared with nothing", async () => {
  const { comparison, releases } = await ask<ReleasesAnswer>(
    "/api/agents/qa/releases?before=nobody&after=3ab90e1",
  );
  assert.equal(comparison, null);
  assert.equal(releases.length, 2);
  assert.equal((await fetch(`${started.url}/api/agents/nobody/releases`)).status, 404);
});
