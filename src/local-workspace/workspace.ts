/**
 * A Databricks workspace on this machine: the part of its REST API that the
 * monitor and the example traffic need, with three recorded agents in it. It is
 * written from Databricks' documents and SDKs alone and shares no code with the
 * rest of the product, so that the two readings of the API check each other.
 */
import { randomBytes } from "node:crypto";
import type { AddressInfo } from "node:net";
import { serve } from "@hono/node-server";
import type { Clock } from "./clock.ts";
import { createOtlpSender, type OtlpCounts } from "./otlp-sender.ts";
import { measureProcessUse } from "./process-use.ts";
import { readRecordings } from "./recordings.ts";
import { createWorkspaceApi } from "./workspace-api.ts";

export type LocalWorkspaceOptions = {
  /** A free one when it is left out. */
  readonly port?: number;
  /** What callers must bear. A random one when it is left out. */
  readonly token?: string;
  /** The monitor that the agents report to, its address or that of its `/v1/traces`; `null`: to nobody. */
  readonly otlpUrl: string | null;
  /** Sent with the telemetry, such as `authorization`. */
  readonly otlpHeaders?: Readonly<Record<string, string>>;
  readonly clock: Clock;
  /** Told once, when telemetry is dropped for the first time. Warns on stderr when it is left out. */
  readonly onFirstDrop?: (reason: string) => void;
};

export type LocalWorkspace = {
  /** On loopback, such as `http://127.0.0.1:41234`. */
  readonly url: string;
  readonly token: string;
  /** What became of the agents' telemetry so far. */
  telemetry(): OtlpCounts;
  close(): Promise<void>;
};

const TOKEN_BYTES = 16;

export async function startLocalWorkspace(options: LocalWorkspaceOptions): Promise<LocalWorkspace> {
  const { port = 0, token = `dapi${randomBytes(TOKEN_BYTES).toString("hex")}`, clock } = options;
  const { otlpUrl, otlpHeaders = {}, onFirstDrop = warnOfDrop } = options;
  const sender =
    otlpUrl === null
      ? null
      : createOtlpSender({ url: otlpUrl, headers: otlpHeaders, clock, onFirstDrop });
  const processUse = measureProcessUse(clock);
  const waits = cancellable(clock);
  const api = createWorkspaceApi({
    token,
    clock: waits.clock,
    agents: readRecordings(),
    processUse: processUse.last,
    sendTelemetry: (body) => sender?.send(body),
  });
  const server = serve({ fetch: api.fetch, hostname: "127.0.0.1", port });
  await new Promise<void>((resolve, reject) => {
    server.once("listening", resolve);
    server.once("error", reject);
  });

  return {
    // The address of a server that listens on TCP is an AddressInfo.
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    token,
    telemetry: () => sender?.counts() ?? { sent: 0, dropped: 0, queued: 0 },
    close() {
      processUse.close();
      waits.cancel();
      sender?.close();
      return new Promise((resolve) => {
        server.close(() => resolve());
        // Only an HTTP/2 server lacks it, and this is none.
        if ("closeAllConnections" in server) server.closeAllConnections();
      });
    },
  };
}

/** Answers that are still waited for must not keep the process alive. */
function cancellable(clock: Clock): { readonly clock: Clock; cancel(): void } {
  const cancels = new Set<() => void>();
  return {
    clock: {
      now: () => clock.now(),
      every: (intervalMs, run) => clock.every(intervalMs, run),
      after(delayMs, run) {
        const cancelRun = clock.after(delayMs, () => {
          cancels.delete(cancel);
          run();
        });
        const cancel = () => {
          cancels.delete(cancel);
          cancelRun();
        };
        cancels.add(cancel);
        return cancel;
      },
    },
    cancel() {
      for (const cancel of cancels) cancel();
    },
  };
}

function warnOfDrop(reason: string) {
  process.stderr.write(`local workspace: telemetry of an agent was dropped: ${reason}\n`);
}
