/**
 * A Databricks workspace on this machine: the part of its REST API that the
 * monitor and the example traffic need, with three recorded agents in it. It is
 * written from Databricks' documents and SDKs alone and shares no code with the
 * rest of the product, so that the two readings of the API check each other.
 */
import { randomBytes } from "node:crypto";
import type { AddressInfo } from "node:net";
import { serve } from "@hono/node-server";
import { ADMIN_NAME } from "./access/principals.ts";
import type { Clock } from "./clock.ts";
import type { Behaviour } from "./core/behaviour.ts";
import { type Call, createCallLog } from "./core/call-log.ts";
import { createFaults, type Faults } from "./core/faults.ts";
import { openContext } from "./core/open-context.ts";
import { createOtlpSender, type OtlpCounts } from "./otlp-sender.ts";
import { readRecordings } from "./recordings.ts";
import { seedWorkspace } from "./seed.ts";
import { measureProcessUse } from "./serving/process-use.ts";
import { createWorkspaceApi } from "./workspace-api.ts";

export type LocalWorkspaceOptions = {
  /** A free one when it is left out. */
  readonly port?: number;
  /** The admin's. A random one when it is left out. */
  readonly token?: string;
  /** Further callers, by name: users or service principals, who may do what they are granted. */
  readonly principals?: Readonly<Record<string, string>>;
  /** What the workspace holds is kept there. A temporary directory when it is left out. */
  readonly dataDirectory?: string;
  /** Whether a new workspace has the example agents, ready to answer; true when it is left out. */
  readonly examples?: boolean;
  /** A Python with mlflow and dspy, to serve models. Without one, only the examples answer. */
  readonly python?: string;
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
  /** What goes wrong on purpose. */
  readonly faults: Pick<Faults, "add" | "clear">;
  /** How long things take, and which deployments fail; may be changed at any time. */
  readonly behaviour: Behaviour;
  /** The last requests, oldest first, without their tokens. */
  calls(): readonly Call[];
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
  let url = "";
  const { context, close: closeContext } = openContext({
    dataDirectory: options.dataDirectory ?? null,
    tokens: [
      { name: ADMIN_NAME, token, isAdmin: true },
      ...Object.entries(options.principals ?? {}).map(([name, each]) => ({
        name,
        token: each,
        isAdmin: false,
      })),
    ],
    clock,
    python: options.python ?? null,
    recordedAgents: readRecordings(),
    processUse: processUse.last,
    sendTelemetry: (body) => sender?.send(body),
    random: Math.random,
    url: () => url,
  });
  seedWorkspace(context, { withExamples: options.examples ?? true });
  const faults = createFaults();
  const callLog = createCallLog();
  const api = createWorkspaceApi({ context, faults, callLog });
  const server = serve({ fetch: api.fetch, hostname: "127.0.0.1", port });
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("listening", resolve);
      server.once("error", reject);
    });
  } catch (error) {
    processUse.close();
    sender?.close();
    await closeContext();
    throw error;
  }
  // The address of a server that listens on TCP is an AddressInfo.
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  async function close(): Promise<void> {
    processUse.close();
    sender?.close();
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    // Only an HTTP/2 server lacks it, and this is none.
    if ("closeAllConnections" in server) server.closeAllConnections();
    await closed;
    await closeContext();
  }
  let closing: Promise<void> | null = null;

  return {
    url,
    token,
    faults,
    behaviour: context.behaviour,
    calls: callLog.calls,
    telemetry: () => sender?.counts() ?? { sent: 0, dropped: 0, queued: 0 },
    close() {
      closing ??= close();
      return closing;
    },
  };
}

function warnOfDrop(reason: string) {
  process.stderr.write(`local workspace: telemetry of an agent was dropped: ${reason}\n`);
}
