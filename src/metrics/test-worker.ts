/**
 * For `workers.test.ts`: records what it is told to, and keeps its own tally of calls
 * that returned, in memory that outlives it.
 */
import { parentPort, workerData } from "node:worker_threads";
import { MetricsCollector } from "./metrics-collector.ts";
import {
  TALLY_AGENTS,
  TALLY_LATENCIES,
  TALLY_REJECTED,
  TALLY_TOKENS,
  type WorkerTask,
} from "./test-worker-task.ts";

const task: WorkerTask = workerData;
const tally = new Int32Array(task.tally);
const metrics = MetricsCollector.attach(task.metrics);
const handles = Array.from({ length: task.agents }, (_, agent) =>
  metrics.request({ endpointName: `agent-${agent}`, labels: { way: "bound" } }),
);
if (task.spins) {
  parentPort?.postMessage("began");
  for (let i = 0; ; i++)
    metrics.recordLatency(i % 3 === 0 ? "long" : "short", i % 3 === 0 ? 1_000 : 1);
}

let state = task.seed;

for (let i = 0; i < task.records; i++) {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  const agent = (state >>> 8) % task.agents;
  const latencyMs = state % 1_000;
  switch ((state >>> 20) % 6) {
    case 0:
      metrics.recordTokenUsage("qa", { inputTokens: 3 });
      Atomics.add(tally, TALLY_TOKENS, 1);
      break;
    case 1:
      metrics.recordLatency("step", latencyMs, { traceId: `trace-${i}` });
      Atomics.add(tally, TALLY_LATENCIES, 1);
      break;
    case 2:
      metrics.recordLatency("step", -1);
      Atomics.add(tally, TALLY_REJECTED, 1);
      break;
    case 3:
      handles[agent]?.record(latencyMs, 200);
      Atomics.add(tally, TALLY_AGENTS + agent, 1);
      break;
    default:
      // Some series are new in the middle of it.
      metrics.recordRequest(`agent-${agent}`, {
        latencyMs,
        statusCode: state % 7 === 0 ? 500 : 200,
        labels: { way: `way-${(state >>> 12) % 50}` },
      });
      Atomics.add(tally, TALLY_AGENTS + agent, 1);
  }
  if (i === 0) parentPort?.postMessage("began");
}
if (task.closes) metrics.close();
