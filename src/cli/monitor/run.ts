/**
 * One run of the monitor: starts its parts in order, waits for the end, and stops
 * them in the opposite order, so that nothing that was acknowledged is lost.
 */
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { type Clock, systemClock } from "../../clock.ts";
import { createDatabricksClient, type DatabricksClient } from "../../databricks/client.ts";
import { type Credentials, resolveCredentials } from "../../databricks/credentials.ts";
import { listServingEndpoints } from "../../databricks/serving-endpoints.ts";
import { getWarehouse } from "../../databricks/warehouses.ts";
import type { Forward } from "../../export/otlp/forward.ts";
import { isDuckDbInstalled } from "../../history/duckdb.ts";
import { diskFiles } from "../../history/files.ts";
import { History } from "../../history/history.ts";
import { lastSealedPlace } from "../../history/sealed-marks.ts";
import { Monitor } from "../../monitor/monitor.ts";
import { dataDirectoryOf } from "../../monitor-client/data-directory.ts";
import { followAlertSettings } from "../../monitor-client/follow-alert-settings.ts";
import { announceMonitor } from "../../monitor-client/monitor-address.ts";
import { MonitorError } from "../../monitor-error.ts";
import type { Channel } from "../../notify/channel.ts";
import { readSecret } from "../../notify/read-secret.ts";
import { createSlackChannel } from "../../notify/slack/slack-channel.ts";
import { monitorWarnings } from "../../publish/notification-destination.ts";
import { readWebhook } from "../../publish/read-webhook.ts";
import { defaultRules, exampleRules, receiverRules } from "../../rules/built-in-rules.ts";
import { type MonitorServer, startServer } from "../../server/server.ts";
import { type AppSource, startAppSource } from "../../sources/app-source.ts";
import { type EndpointSource, startEndpointSource } from "../../sources/endpoint-source.ts";
import { type MlflowSource, startMlflowSource } from "../../sources/mlflow-source.ts";
import type { SourceStatus } from "../../sources/progress.ts";
import { Summaries } from "../../summaries/summaries.ts";
import { SUMMARIES_FILE } from "../../summaries/summary-store.ts";
import { untilStopped } from "../until-stopped.ts";
import { historyDirectory, makeHistoryDirectory } from "./data-directory.ts";
import { startExports } from "./exports.ts";
import { forwardOf, refuseOwnAddress } from "./forward.ts";
import { keepsHistory } from "./keeps-history.ts";
import { findMlflow, type Mlflow, readFromMs } from "./mlflow.ts";
import type { MonitorCommandOptions } from "./options.ts";
import { problemText } from "./problem-text.ts";
import { readPriceBook } from "./read-price-book.ts";
import { notRead, startWarehouseSources, type WarehouseSources } from "./warehouse-sources.ts";

/** How often the states of a workspace's endpoints are asked for; its metrics change once a minute. */
const polling = {
  workspace: { intervalMs: 15_000, metricsIntervalMs: 60_000 },
  local: { intervalMs: 2_000, metricsIntervalMs: 10_000 },
} as const;
const MLFLOW_INTERVAL_MS = 15_000;

const rulesFor = {
  local: exampleRules,
  workspace: defaultRules,
  receiver: receiverRules,
} as const;

/** A wait after which a person wants to know what is being waited for. */
const NOTICEABLE_MS = 1_000;
const CHANNEL_TIMEOUT_MS = 10_000;

export type Run = {
  readonly monitor: Monitor;
  readonly page: string;
  readonly telemetry: "recorded" | "live";
  readonly interrupted: boolean;
};

/** What is watched, decided before anything is started. */
type Watched =
  | { readonly kind: "local" }
  | { readonly kind: "workspace"; readonly client: DatabricksClient }
  | { readonly kind: "receiver" };

/** @throws MonitorError when the run can't start; nothing is left running then. */
export async function run(options: MonitorCommandOptions): Promise<Run> {
  const clock = systemClock;
  const priceBook = await readPriceBook(options.priceBook, (path) => readFile(path, "utf8"));
  const credentials = credentialsOf(options);
  const watched = await decide(options, credentials, clock);
  const mlflow = options.mlflow && (await findMlflow(options.mlflow, { credentials, clock }));
  const started: { close(): Promise<void> }[] = [];
  const stopAll = async () => {
    for (let part = started.pop(); part; part = started.pop()) {
      try {
        await part.close();
      } catch (error) {
        say(`Something did not stop well: ${error instanceof Error ? error.message : "unknown"}`);
      }
    }
  };
  const keep = <T extends { close(): Promise<void> }>(part: T): T => {
    started.push(part);
    return part;
  };

  try {
    const channel = await channelOf(options, watched, keep);
    let page = "";
    const dataDirectory = options.dataDirectory ?? defaultDataDirectory(watched);
    const settings = keep(
      await followAlertSettings({
        dataDirectory,
        clock,
        readWebhook: (reference) => readWebhook(reference, watchedClient(watched)),
        channelTo,
        onNotice: say,
      }),
    );
    const forward =
      options.forward &&
      keep(
        await forwardOf(options.forward, {
          dataDirectory,
          clock,
          random: Math.random,
          fetch,
          onNotice: say,
        }),
      );
    const withHistory = keepsHistory(options, { isDuckDbInstalled, say });
    const summaries = withHistory
      ? keep(new Summaries(join(historyDirectory(dataDirectory), SUMMARIES_FILE)))
      : undefined;
    const monitor = keep(
      await Monitor.start({
        dataDirectory,
        journal: { readUpTo: lastSealedPlace(historyDirectory(dataDirectory), diskFiles) },
        forward: forward ?? undefined,
        startHistory: withHistory
          ? (journal) => {
              const directory = historyDirectory(dataDirectory);
              makeHistoryDirectory(directory);
              return new History({
                directory,
                entriesAfter: (seq) => journal.entriesAfter(seq),
                clock,
                workspaceId:
                  watched.kind === "workspace" ? new URL(watched.client.host).host : watched.kind,
                priceBook,
                onNotice: say,
              });
            }
          : undefined,
        clock,
        random: Math.random,
        rules: rulesFor[watched.kind],
        ownAlerts: settings.own,
        channel,
        priceBook,
        pageUrl: (endpoint) =>
          endpoint === null ? `${page}/` : `${page}/#/agents/${encodeURIComponent(endpoint)}`,
        formatTime,
        onNotice: say,
      }),
    );
    settings.follow((own) => monitor.setOwnAlerts(own));
    const exports = keep(
      await startExports({
        monitor: {
          observe: (seen) => monitor.observe(seen),
          components: () => monitor.state.components.keys(),
        },
        dataDirectory,
        directory: withHistory ? historyDirectory(dataDirectory) : null,
        wanted: options.export,
        host: watchedClient(watched)?.host ?? null,
        profile: options.profile ?? null,
        clock,
        random: Math.random,
        onNotice: say,
      }),
    );
    let source: EndpointSource | null = null;
    let apps: AppSource | null = null;
    let traces: MlflowSource | null = null;
    let tables: WarehouseSources | null = null;
    const server = keep(
      await startServer({
        monitor,
        port: options.port,
        surroundings: {
          summaries,
          source: {
            kind: watched.kind,
            host: watched.kind === "workspace" ? watched.client.host : null,
            telemetry: watched.kind === "local" ? "recorded" : "live",
          },
          forwarding: forward ? () => forward.status() : undefined,
          sources: () => [
            ...(source?.status().map(endpointRow) ?? []),
            ...(apps?.status().map(dataRow) ?? []),
            ...(traces?.status().map(dataRow) ?? []),
            ...(tables?.status().map(dataRow) ?? []),
            ...(watched.kind === "workspace" && options.warehouseId === null ? [notRead] : []),
          ],
          exports: exports.status,
        },
      }),
    );
    page = server.url;
    const { startedMs } = monitor;
    keep({ close: await announceMonitor(dataDirectory, { url: page, startedMs }) });
    if (options.forward) refuseOwnAddress(options.forward.url, page);
    const client =
      watched.kind === "local"
        ? await startLocal({ server, clock, dataDirectory }, keep)
        : watchedClient(watched);
    if (client) {
      source = keep(
        startEndpointSource({
          client,
          clock,
          ...polling[watched.kind === "local" ? "local" : "workspace"],
          onBatch: (batch) => monitor.observe(batch),
          onProblem: ({ source: name, error }) => say(problemText(sourceNames[name], error)),
        }),
      );
    }
    if (watched.kind === "workspace") {
      apps = keep(
        startAppSource({
          client: watched.client,
          clock,
          intervalMs: polling.workspace.intervalMs,
          apps: options.apps,
          onBatch: (batch) => monitor.observe(batch),
          onProblem: ({ source: name, error }) => say(problemText(name, error)),
        }),
      );
    }
    if (mlflow) {
      traces = keep(
        startMlflowSource({
          ...mlflow,
          clock,
          intervalMs: MLFLOW_INTERVAL_MS,
          fromMs: readFromMs(monitor.state.lastSpansMs, clock.now()),
          onSpans: ({ spans, dropped }) => monitor.takeReadSpans(spans, dropped),
          onProblem: ({ source: name, error }) => say(problemText(name, error)),
        }),
      );
    }
    if (watched.kind === "workspace" && options.warehouseId !== null) {
      tables = keep(
        startWarehouseSources({
          client: watched.client,
          warehouseId: options.warehouseId,
          spanTables: options.spanTables,
          monitor,
          clock,
          onProblem: ({ source: name, error }) => say(problemText(name, error)),
        }),
      );
    }
    if (forward) sayForwarding(forward.status());
    sayStarted(watched, mlflow, page, options.forMs);
    const interrupted = await untilStopped(options.forMs, clock);
    if (interrupted) say("Stopping. Once more to stop at once.");
    await stopAll();
    const telemetry = watched.kind === "local" ? "recorded" : "live";
    return { monitor, page, telemetry, interrupted };
  } catch (error) {
    await stopAll();
    throw error;
  }
}

/** `null` where there are none, or nothing asks for them. */
function credentialsOf({ watch, mlflow, profile }: MonitorCommandOptions): Credentials | null {
  if (watch !== "credentials" && mlflow?.server !== "databricks") return null;
  return resolveCredentials({
    env: process.env,
    profile,
    readFile: (path) => readFileSync(path, "utf8"),
    homeDirectory: homedir(),
  });
}

async function decide(
  options: MonitorCommandOptions,
  credentials: Credentials | null,
  clock: Clock,
): Promise<Watched> {
  if (options.watch === "local") return { kind: "local" };
  if (options.watch === "nothing") return { kind: "receiver" };
  if (!credentials) {
    if (process.env.DATABRICKS_TOKEN) {
      say("DATABRICKS_TOKEN is set but DATABRICKS_HOST is not, so no workspace is watched.");
    }
    if (options.warehouseId !== null) {
      throw new MonitorError("CREDENTIALS_MISSING", "no credentials for --warehouse", {
        hint: "Set DATABRICKS_HOST and DATABRICKS_TOKEN, or give --profile.",
      });
    }
    // Whoever names a server wants to see its agents, and no examples beside them.
    return { kind: options.mlflow ? "receiver" : "local" };
  }
  const client = createDatabricksClient({ credentials, fetch, clock, random: Math.random });
  // A wrong token or host is told now, not by a page that stays empty.
  const stopWaiting = clock.after(NOTICEABLE_MS, () => say(`Asking ${credentials.host} …`));
  try {
    await listServingEndpoints(client);
    if (options.warehouseId !== null) await getWarehouse(client, options.warehouseId);
  } finally {
    stopWaiting();
  }
  return { kind: "workspace", client };
}

type Keep = <T extends { close(): Promise<void> }>(part: T) => T;

async function channelOf(
  { slackWebhook }: MonitorCommandOptions,
  watched: Watched,
  keep: Keep,
): Promise<Channel | null> {
  let webhookUrl: string | null = null;
  if (slackWebhook !== undefined) {
    webhookUrl = await readSecret(slackWebhook, {
      env: process.env,
      readFile: (path) => readFile(path, "utf8"),
    });
  } else if (watched.kind === "local") {
    const { startSlackReceiver } = await import("../../local-workspace/slack-receiver.ts");
    webhookUrl = keep(await startSlackReceiver({})).url;
  }
  return webhookUrl === null ? null : channelTo(webhookUrl);
}

/** What is not Teams takes Slack's messages, or says that it does not. */
function channelTo(webhookUrl: string): Channel {
  const [refusal] = monitorWarnings(webhookUrl);
  if (refusal !== undefined) {
    throw new MonitorError("CONFIG_INVALID", refusal, {
      hint: "Give the URL of a Slack incoming webhook.",
    });
  }
  return createSlackChannel({ webhookUrl, fetch, timeoutMs: CHANNEL_TIMEOUT_MS });
}

/** The local workspace with its agents, and callers of them. */
async function startLocal(
  {
    server,
    clock,
    dataDirectory,
  }: {
    readonly server: MonitorServer;
    readonly clock: Clock;
    readonly dataDirectory: string;
  },
  keep: Keep,
): Promise<DatabricksClient> {
  // Loaded only here: a monitor of a real workspace carries none of it.
  const { startLocalWorkspace } = await import("../../local-workspace/workspace.ts");
  const { startDemo } = await import("./demo.ts");
  const otlpUrl = server.url;
  const workspace = keep(await startLocalWorkspace({ otlpUrl, clock, examples: false }));
  const { url, token } = workspace;
  keep(startDemo({ workspace, otlpUrl, dataDirectory, clock, onProblem: say }));
  const credentials = resolveCredentials({
    env: { DATABRICKS_HOST: url, DATABRICKS_TOKEN: token },
    readFile: () => "",
    homeDirectory: "",
  });
  if (!credentials) throw new Error("the local workspace has credentials");
  return createDatabricksClient({ credentials, fetch, clock, random: Math.random });
}

function watchedClient(watched: Watched): DatabricksClient | null {
  return watched.kind === "workspace" ? watched.client : null;
}

function defaultDataDirectory(watched: Watched): string {
  return watched.kind === "workspace"
    ? dataDirectoryOf(watched.client.host)
    : join(".dspy-databricks", watched.kind);
}

// ─── Words ──────────────────────────────────────────────────────────────────

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

function sayStarted(
  watched: Watched,
  mlflow: Mlflow | null,
  page: string,
  forMs: number | null,
): void {
  const what = {
    local: "three example agents on this machine, their telemetry recorded from real DSPy programs",
    workspace: watched.kind === "workspace" ? `${watched.client.host}, reading only` : "",
    receiver: "whatever sends telemetry here",
  }[watched.kind];
  say(`Watching ${what}.`);
  if (mlflow) {
    const names = mlflow.experiments.map(({ name }) => `"${name}"`).join(", ");
    say(`Reading the traces of ${names} on ${mlflow.server.client.host}.`);
  }
  say(`  Page     ${page}`);
  say(`  OTLP     ${page}/v1/traces`);
  say(`  Metrics  ${page}/metrics`);
  const ends = forMs === null ? "" : `It stops by itself after ${forMs / 1000} s. `;
  say(`${ends}Press Ctrl+C to stop.`);
}

function sayForwarding(lanes: ReturnType<Forward["status"]>): void {
  const [first] = lanes;
  if (!first) return;
  const signals = lanes.map(({ signal }) => signal).join(" and ");
  say(`Forwarding ${signals} to ${first.origin}.`);
}

const sourceNames = {
  endpoints: "Endpoint state",
  "endpoint-metrics": "Endpoint metrics",
} as const;

function endpointRow(status: ReturnType<EndpointSource["status"]>[number]) {
  return { ...dataRow(status), name: sourceNames[status.name] };
}

function dataRow({ name, state, asOfMs, message }: SourceStatus) {
  return { name, state, asOfMs, message };
}

/** `14:02` today, `23 Nov 14:02` otherwise. */
function formatTime(timeMs: number): string {
  const date = new Date(timeMs);
  const time = date.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  if (date.toDateString() === new Date().toDateString()) return time;
  return `${date.toLocaleDateString("en-GB", { day: "numeric", month: "short" })} ${time}`;
}
