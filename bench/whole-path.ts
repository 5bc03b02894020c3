/**
 * Batches of spans through the whole monitor: HTTP, decoding, the journal's commit to disk,
 * traces put together and counted. The monitor runs in a process of its own
 * (`monitor-process.ts`), which tells the CPU time of all its threads; this process only
 * sends. So the figure is spans per second and core, whatever the disk makes it wait.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { Effort, Measured } from "./measure.ts";
import { FULL } from "./measure.ts";
import type { Told } from "./monitor-process.ts";
import { otlpBatch, type Recordings } from "./otlp-batches.ts";

/** The goal, as the peer to be compared with: spans per second and core. */
const GOAL_PER_SECOND = 300_000;
/** Exporters at once. */
const SENDERS = 4;
/** Batches of each sender in one round. */
const BATCHES = 60;
/** Rounds before the first that counts: V8 has compiled everything after them. */
const WARM_UPS = 2;

export async function wholePath(recordings: Recordings, effort: Effort): Promise<Measured> {
  const isFull = effort.rounds >= FULL.rounds;
  const rounds = isFull ? 3 : 1;
  const batches = isFull ? BATCHES : 10;
  const child = fork(new URL("monitor-process.ts", import.meta.url), { stdio: "inherit" });
  try {
    const ask = async (): Promise<Told> => {
      child.send("tell");
      const [told] = await once(child, "message");
      return told as Told;
    };
    const [{ port }] = (await once(child, "message")) as [Told];
    const senders = await Promise.all(
      Array.from({ length: SENDERS }, (_, index) => newSender(port, recordings, index)),
    );
    const figures: number[] = [];
    for (let round = -WARM_UPS; round < rounds; round++) {
      const before = await ask();
      const sent = await Promise.all(senders.map((send) => send(batches)));
      const spans = before.spansTaken + sent.reduce((sum, count) => sum + count, 0);
      let after = await ask();
      // Until the last trace is counted, as the monitor does it: a while after its last span.
      while (after.openTraces > 0) {
        await delay(100);
        after = await ask();
      }
      if (after.spansTaken !== spans) throw new Error(`${after.spansTaken} of ${spans} arrived.`);
      const cpuNs = (after.cpuMicros - before.cpuMicros) * 1e3;
      if (round >= 0) figures.push(cpuNs / (after.spansTaken - before.spansTaken));
    }
    for (const send of senders) send.end();
    const oursNs = figures.toSorted((a, b) => a - b)[Math.floor(figures.length / 2)] ?? 0;
    const peerNs = 1e9 / GOAL_PER_SECOND;
    const peer = "300 000 spans a second";
    const name = `whole_path@${recordings}×20`;
    return { rows: [{ name, oursNs, peer, peerNs, ratio: peerNs / oursNs }], notes: [] };
  } finally {
    child.send("stop");
    await once(child, "exit");
  }
}

/** Resolves with the number of spans that it sent. */
type Sender = { (batches: number): Promise<number>; end(): void };

/** One exporter on one connection: the next batch once the last was answered. */
async function newSender(port: number, recordings: Recordings, index: number): Promise<Sender> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  await once(socket, "connect");
  const batch = otlpBatch(recordings, {
    attributes: "20",
    firstId: index * 2 ** 24,
    endMs: Date.now(),
  });
  const head = [
    "POST /v1/traces HTTP/1.1",
    `Host: 127.0.0.1:${port}`,
    "Content-Type: application/x-protobuf",
    `Content-Length: ${batch.body.length}`,
    "User-Agent: OTel-OTLP-Exporter-Python/1.45.2",
    "\r\n",
  ].join("\r\n");
  return Object.assign(
    async (batches: number) => {
      for (let sent = 0; sent < batches; sent++) {
        batch.renew();
        socket.write(head);
        socket.write(batch.body);
        await accepted(socket);
      }
      return batches * batch.spanCount;
    },
    { end: () => socket.destroy() },
  );
}

/** Answers are so short that each comes at once, and have no body. */
async function accepted(socket: Socket): Promise<void> {
  const [answer] = await once(socket, "data");
  const text = String(answer);
  if (!text.startsWith("HTTP/1.1 200 ") || !text.endsWith("\r\n\r\n")) throw new Error(text);
}
