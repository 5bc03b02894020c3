/** For tests: metrics and errors that remember what was recorded, and a server on loopback. */
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { CallErrors, CallMetrics, Labels } from "./call-metrics.ts";

export type RecordedRequest = {
  readonly endpointName: string;
  readonly latencyMs: number;
  readonly statusCode: number | undefined;
  readonly modelVersion: string | undefined;
  readonly labels: Labels;
  readonly traceId: string | undefined;
};

export type TestMetrics = CallMetrics &
  CallErrors & {
    readonly requests: RecordedRequest[];
    readonly tokens: string[];
    readonly latencies: { readonly name: string; readonly ms: number; readonly labels: Labels }[];
    readonly counters: { readonly name: string; readonly labels: Labels; readonly value: number }[];
    readonly errors: string[];
    /** Resolves with the next request, or the first one recorded already. */
    request(): Promise<RecordedRequest>;
  };

export function createTestMetrics(): TestMetrics {
  let wake = () => {};
  const metrics: TestMetrics = {
    requests: [],
    tokens: [],
    latencies: [],
    counters: [],
    errors: [],
    recordRequest(endpointName, { latencyMs, statusCode, modelVersion, labels = {}, traceId }) {
      metrics.requests.push({
        endpointName,
        latencyMs,
        statusCode,
        modelVersion,
        labels,
        traceId,
      });
      wake();
    },
    recordTokenUsage(endpointName, { inputTokens, outputTokens, model }) {
      metrics.tokens.push(
        `${endpointName} ${model ?? "?"}: ${inputTokens ?? "?"} in, ${outputTokens ?? "?"} out`,
      );
    },
    recordLatency(name, ms, { labels = {} } = {}) {
      metrics.latencies.push({ name, ms, labels });
    },
    incrementCounter(name, { labels = {}, value = 1 } = {}) {
      metrics.counters.push({ name, labels, value });
    },
    trackAgentError(agentName, kind, message) {
      metrics.errors.push(`${agentName} ${kind}: ${message}`);
    },
    async request() {
      for (;;) {
        const [first] = metrics.requests;
        if (first) return first;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
  return metrics;
}

export type TestServer = AsyncDisposable & { readonly url: string };

export async function serve(listener: RequestListener): Promise<TestServer> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("The server has no port.");
  return {
    url: `http://127.0.0.1:${address.port}`,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}
