/** Requests that only the inference table of their endpoint tells, as the page and /metrics show them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createTestClock } from "../src/databricks/test-clock.ts";
import { agentView } from "../src/server/api/agent-view.ts";
import { rangeOf } from "../src/server/api/range.ts";
import { metricsText } from "../src/server/metrics-text.ts";
import type { LoggedRequest } from "../src/signals/logged-request.ts";
import { startMonitor } from "./start-monitor.ts";

test("they are listed one by one, and a sample of them is not shown as all there is", async () => {
  const clock = createTestClock({ startMs: Date.UTC(2026, 0, 1, 14, 2) });
  const { monitor, close } = await startMonitor({ clock });
  try {
    const request: LoggedRequest = {
      requestId: "r-1",
      traceId: null,
      endpoint: "qa",
      timeMs: clock.now() - 60_000,
      latencyMs: 100,
      statusCode: 200,
      errorClass: null,
      tokens: { input: 3, output: 1 },
      servedEntity: "entity",
      share: 0.05,
    };
    const failed = {
      ...request,
      requestId: "r-2",
      statusCode: 503,
      errorClass: "server",
      latencyMs: 900,
    } as const;
    await monitor.takeLogged([request, failed], new Map());
    await clock.advance(1000);
    const range = rangeOf("5m", monitor.now());
    assert.ok(range);
    const source = { kind: "workspace", host: null, telemetry: "live" } as const;
    const view = await agentView(monitor, { source }, { endpoint: "qa", name: "5m", range });
    assert.ok(view);
    assert.deepEqual([view.agent.requests, view.agent.requestsEstimated], [2, 40]);
    assert.equal(view.agent.requestsPerSecond, 40);
    assert.deepEqual(
      view.slowest.map(({ requestId, statusCode, latencyMs, tokens, path, program }) => ({
        requestId,
        statusCode,
        latencyMs,
        tokens,
        path,
        program,
      })),
      [failed, request].map(({ requestId, statusCode, latencyMs, tokens }) => {
        return { requestId, statusCode, latencyMs, tokens, path: null, program: null };
      }),
    );
    assert.deepEqual(
      view.failing.map(({ requestId, errorClass }) => [requestId, errorClass]),
      [["r-2", "server"]],
    );
    assert.match(metricsText(monitor, new Map()), /^dspy_logged_share\{endpoint="qa"\} 0\.05$/m);
  } finally {
    await close();
  }
});
