import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, get, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { MetricsCollector } from "./metrics-collector.ts";
import { metricsResponse, sendMetrics, wantsOpenMetrics } from "./metrics-response.ts";

const asked: Readonly<Record<string, readonly [string, "open" | "text"]>> = {
  "Prometheus 2.42": [
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
    "open",
  ],
  "Prometheus 3": [
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
    "open",
  ],
  "Prometheus told to scrape text only": ["text/plain;version=0.0.4;q=0.5,*/*;q=0.1", "text"],
  "a browser": ["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text"],
  curl: ["*/*", "text"],
  nobody: ["", "text"],
  "text first": ["text/plain, application/openmetrics-text;q=0.5", "text"],
  "OpenMetrics refused": ["application/openmetrics-text;q=0, text/plain;q=0.1", "text"],
  "a weight that is none": ["application/openmetrics-text;q=high", "text"],
  "a version of the future": ["application/openmetrics-text;version=2.0.0", "text"],
  "in capitals, quoted": ['Application/OpenMetrics-Text; Version="1.0.0"; Q=0.9', "open"],
  "longer than anybody needs": [`application/openmetrics-text,${"x".repeat(10_000)}`, "text"],
};
for (const [who, [accept, expected]] of Object.entries(asked)) {
  test(`${who} gets ${expected}`, () =>
    assert.equal(wantsOpenMetrics(accept) ? "open" : "text", expected));
}

test("the content type says what the body is", () => {
  const metrics = new MetricsCollector();
  metrics.recordRequest("qa", { latencyMs: 1, statusCode: 200 });
  const text = metricsResponse(metrics);
  assert.match(text.contentType, /^text\/plain; version=0\.0\.4/);
  assert.doesNotMatch(text.body, /# EOF/);
  const open = metricsResponse(metrics, "application/openmetrics-text");
  assert.match(open.contentType, /^application\/openmetrics-text; version=1\.0\.0/);
  assert.match(open.body, /# EOF\n$/);
  metrics.close();
});

/** A service of many series, and a way to scrape it. */
async function serve() {
  const metrics = new MetricsCollector();
  const record = () => {
    for (let i = 0; i < 3_000; i++) {
      metrics.recordRequest("qa", { latencyMs: i, statusCode: 200, labels: { customer: `${i}` } });
    }
  };
  record();
  const server = createServer((request, response) => {
    sendMetrics(metrics, response, request.headers.accept);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo; // it listens to a port
  const ask = async (accept: string): Promise<IncomingMessage> => {
    const [answer] = await once(
      get({ host: "127.0.0.1", port, agent: false, headers: { accept } }),
      "response",
    );
    return answer;
  };
  const read = async (answer: IncomingMessage) => {
    const parts: Buffer[] = [];
    for await (const part of answer) parts.push(part);
    return Buffer.concat(parts).toString();
  };
  const close = () => {
    server.close();
    server.closeAllConnections();
    metrics.close();
  };
  return { metrics, record, ask, read, close };
}

/** Without the blanks before numbers. */
const compact = (text: string) => text.replace(/(?<=[}l]) +(?=\S+$)/gm, " ");

test("a scrape over HTTP is answered with the same text, and as OpenMetrics to who asks for it", async () => {
  const { metrics, record, ask, read, close } = await serve();
  for (const accept of ["text/plain", "application/openmetrics-text", "text/plain"]) {
    const answer = await ask(accept);
    const { contentType, body } = metricsResponse(metrics, accept);
    assert.equal(answer.headers["content-type"], contentType);
    assert.equal(compact(await read(answer)), body);
    record();
  }
  close();
});

test("a scraper that reads slowly, or never, gets what was there when it asked, and others what is", async () => {
  const { metrics, record, ask, read, close } = await serve();
  const before = metrics.exportPrometheusFormat();
  // 8 MB, more than a connection holds: most of it waits until they are read.
  const slow = await ask("text/plain");
  const gone = await ask("text/plain");
  for (let i = 0; i < 3; i++) {
    record();
    assert.equal(compact(await read(await ask("text/plain"))), metrics.exportPrometheusFormat());
  }
  gone.destroy();
  record();
  assert.equal(compact(await read(await ask("text/plain"))), metrics.exportPrometheusFormat());
  assert.equal(compact(await read(slow)), before);
  close();
});
