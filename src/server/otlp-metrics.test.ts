/** `POST /v1/metrics` answers as `/v1/traces` does, and what it took is there after a restart. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { startMonitor } from "../../test/start-monitor.ts";
import { encodeMetricsRequest } from "../ingest/otlp/test-metrics-request.ts";

function request(value: string, name = "tasks") {
  const timeUnixNano = `${Date.now()}000000`;
  const point = { startTimeUnixNano: "1000000", timeUnixNano, asInt: value };
  const sum = { aggregationTemporality: 2, isMonotonic: true, dataPoints: [point] };
  const attributes = [{ key: "service.name", value: { stringValue: "billing" } }];
  return {
    resourceMetrics: [{ resource: { attributes }, scopeMetrics: [{ metrics: [{ name, sum }] }] }],
  };
}

const protobuf = { "content-type": "application/x-protobuf" };
const json = { "content-type": "application/json" };

test("takes protobuf and JSON, plain and gzip", async () => {
  const { monitor, url, close } = await startMonitor();
  try {
    let value = 0;
    for (const headers of [protobuf, json]) {
      for (const encoding of ["identity", "gzip"]) {
        const told = request(String(++value));
        const plain =
          headers === json ? Buffer.from(JSON.stringify(told)) : encodeMetricsRequest(told);
        const response = await fetch(`${url}/v1/metrics`, {
          method: "POST",
          headers: { ...headers, "content-encoding": encoding },
          body: new Uint8Array(encoding === "gzip" ? gzipSync(plain) : plain),
        });
        assert.equal(response.status, 200);
        assert.equal(response.headers.get("content-type"), headers["content-type"]);
        assert.equal(await response.text(), headers === json ? "{}" : "");
        const [sample] = monitor.state.pushed.samples("billing");
        assert.deepEqual([sample?.name, sample?.kind, sample?.value], ["tasks", "counter", value]);
      }
    }
    const text = await (await fetch(`${url}/metrics`)).text();
    assert.match(text, /^dspy_telemetry_metric_points_total 4$/m);
    assert.match(text, /^dspy_telemetry_series 1$/m);
  } finally {
    await close();
  }
});

for (const [what, headers, body, status, message] of [
  ["another content type", { "content-type": "text/plain" }, "x", 415, /application\/x-protobuf/],
  ["another compression", { ...json, "content-encoding": "br" }, "x", 415, /gzip/],
  ["damage", json, "{", 400, /ExportMetricsServiceRequest/],
  [
    "a gzip bomb",
    { ...json, "content-encoding": "gzip" },
    gzipSync(Buffer.alloc(30 * 1024 * 1024)),
    413,
    /unpacks|larger/,
  ],
] as const) {
  test(`refuses ${what} with ${status}`, async () => {
    const { monitor, url, close } = await startMonitor();
    try {
      const response = await fetch(`${url}/v1/metrics`, {
        method: "POST",
        headers,
        body: typeof body === "string" ? body : new Uint8Array(body),
      });
      assert.equal(response.status, status);
      assert.match(await response.text(), message);
      assert.equal(monitor.state.pushed.size, 0);
    } finally {
      await close();
    }
  });
}

test("what was taken is there after a restart; what repeats is counted, not kept again", async () => {
  const dataDirectory = mkdtempSync(join(tmpdir(), "pushed-"));
  try {
    const seen = [];
    for (let run = 0; run < 2; run++) {
      const { monitor, url, close } = await startMonitor({ dataDirectory });
      if (run === 0) {
        for (const value of ["5", "5", "9"]) {
          const body = JSON.stringify(request(value));
          const { status } = await fetch(`${url}/v1/metrics`, {
            method: "POST",
            headers: json,
            body,
          });
          assert.equal(status, 200);
        }
      }
      seen.push([monitor.state.pushed.samples(), monitor.state.metricPointsTaken]);
      await close();
    }
    const [before, after] = seen;
    assert.deepEqual(after, before);
    assert.equal(after?.[1], 3);
  } finally {
    rmSync(dataDirectory, { recursive: true, force: true });
  }
});
