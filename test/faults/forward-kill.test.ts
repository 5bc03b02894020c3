/**
 * What a monitor acknowledged is forwarded at least once, however often it is killed and whatever
 * the receiver does meanwhile: it fails, cuts answers off, takes a request and doesn't say so.
 *
 * The moments come from a seed, which is printed; `KILL_SEED=<seed>` runs the same again, and
 * `FORWARD_KILLS=<number>` kills that often.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { after, type TestContext, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { agentSpans } from "../../src/ingest/otlp/agent-span.ts";
import { decodeTracesJson } from "../../src/ingest/otlp/decode-json.ts";
import { decodeTracesProtobuf } from "../../src/ingest/otlp/decode-protobuf.ts";
import { scrapedValue } from "../kill/figures.ts";
import { startLoad } from "../kill/load.ts";
import { killMonitorsLeft, startMonitorProcess } from "../kill/monitor-process.ts";
import { type Random, randomFrom } from "../kill/random.ts";
import { type Batch, readRecordings } from "../kill/recordings.ts";

after(killMonitorsLeft);

const seed = Number(process.env.KILL_SEED ?? Date.now() % 1_000_000);
const KILLS = Number(process.env.FORWARD_KILLS ?? 12);
const bin = fileURLToPath(new URL("../../bin/dspy-databricks.js", import.meta.url));

/** Of the receiver's answers. */
const FAILING_SHARE = 0.15;
const SILENT_SHARE = 0.1;

test(`killed ${KILLS} times while it forwards, every acknowledged span arrives`, async (t) => {
  const random = randomFrom(seed);
  t.diagnostic(`KILL_SEED=${seed}`);
  const dataDirectory = mkdtempSync(join(tmpdir(), "forward-kill-"));
  t.after(() => rmSync(dataDirectory, { recursive: true, force: true }));
  const receiver = await startReceiver(t, random);
  const start = (killPoint?: string) =>
    startMonitorProcess({
      dataDirectory,
      ...(killPoint !== undefined && { killPoint }),
      command: [
        ...[bin, "monitor", "--no-workspace", "--no-history", "--port", "0"],
        ...["--data-dir", dataDirectory, "--forward", receiver.url],
      ],
    });
  const load = startLoad({ recordings: readRecordings(), random });
  t.after(() => load.abandon());

  const points = ["commit", "committed", "remove", null] as const;
  for (let kill = 0; kill < KILLS; kill++) {
    const point = random.pick(points);
    const monitor = start(point === null ? undefined : `${point}:${random.between(1, 25)}:0`);
    // What waits from before may bring it to the moment before it is ready.
    load.target = await monitor.ready.catch(() => null);
    if (point === null) {
      await pause(random.between(0, 500));
      await monitor.kill();
    }
    assert.equal(await Promise.race([monitor.untilEnded(), load.failed]), "SIGKILL");
    load.target = null;
  }

  receiver.isWell = true;
  const last = start();
  const url = await last.ready;
  load.target = url;
  await load.stop();
  await until(
    "everything is forwarded",
    async () => (await scrapedValue(url, "dspy_forward_waiting_items")) === 0,
  );
  assert.equal(await scrapedValue(url, "dspy_forward_dropped_total"), 0);
  await last.kill();

  const sent = new Set(load.copies.flatMap(({ batches }) => batches.flatMap(spanIdsOf)));
  const missing = [...sent].filter((id) => !receiver.times.has(id));
  assert.deepEqual(missing, [], `${missing.length} of ${sent.size} spans never arrived`);
  const strange = [...receiver.times.keys()].filter((id) => !sent.has(id));
  assert.deepEqual(strange, [], "and nothing that was not sent");

  // A span comes again when its sender sent it again, or with the request that a kill or a fault cut off.
  const { unanswered, repeated, acknowledged } = load.counts;
  const arrivals = [...receiver.times.values()].reduce((sum, times) => sum + times, 0);
  t.diagnostic(
    `${sent.size} spans arrived ${arrivals} times: ${acknowledged} batches, ${unanswered} unanswered, ${repeated} repeated; ${receiver.counts.failed} requests refused, ${receiver.counts.silent} taken without an answer`,
  );
  assert.ok(Math.max(...receiver.times.values()) <= 3 + KILLS + receiver.counts.silent);
  assert.ok(receiver.counts.failed + receiver.counts.silent > 0 || KILLS < 10);
});

function spanIdsOf({ body, headers }: Batch): string[] {
  const bytes = headers["content-encoding"] === "gzip" ? gunzipSync(body) : body;
  const { spans } =
    headers["content-type"] === "application/json"
      ? decodeTracesJson(Buffer.from(bytes).toString("utf8"), agentSpans)
      : decodeTracesProtobuf(bytes, agentSpans);
  return spans.map(({ traceId, spanId }) => `${traceId}/${spanId}`);
}

/** Takes spans, and counts how often each came; until it is well it fails now and then. */
async function startReceiver(t: TestContext, random: Random) {
  const receiver = {
    url: "",
    isWell: false,
    times: new Map<string, number>(),
    counts: { failed: 0, silent: 0 },
  };
  const server = createServer(async (request, response) => {
    const received = await buffer(request).catch(() => null);
    // The monitor was killed while it sent.
    if (received === null) return;
    const body = gunzipSync(received);
    const luck = receiver.isWell ? 1 : random.next();
    if (luck < FAILING_SHARE) {
      receiver.counts.failed++;
      response.writeHead(503, { "retry-after": "0" }).end();
      return;
    }
    if (request.url === "/v1/traces") {
      for (const { traceId, spanId } of decodeTracesProtobuf(body, agentSpans).spans) {
        const id = `${traceId}/${spanId}`;
        receiver.times.set(id, (receiver.times.get(id) ?? 0) + 1);
      }
    }
    if (luck < FAILING_SHARE + SILENT_SHARE) {
      receiver.counts.silent++;
      request.socket.destroy();
      return;
    }
    response.writeHead(200, { "content-type": "application/x-protobuf" }).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  receiver.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return receiver;
}

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const deadlineMs = Date.now() + 30_000;
  while (!(await isSo())) {
    assert.ok(Date.now() < deadlineMs, `never: ${what}`);
    await pause(50);
  }
}
