/**
 * The HTTP edge of the monitor: OTLP in; the JSON API, `/metrics` and the page
 * out. It binds to loopback only.
 */
import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { extname } from "node:path";
import { getRequestListener, type HttpBindings } from "@hono/node-server";
import { type Context, Hono } from "hono";
import type { Monitor } from "../monitor/monitor.ts";
import { MonitorError } from "../monitor-error.ts";
import { scrub } from "../signals/scrub.ts";
import { encodePart } from "../store/journal-part.ts";
import { agentView } from "./api/agent-view.ts";
import { exportsAnswer } from "./api/exports.ts";
import { overview, type Surroundings } from "./api/overview.ts";
import { type Range, rangeOf, ranges } from "./api/range.ts";
import { releaseFilterOf } from "./api/release-filter.ts";
import { releasesAnswer } from "./api/releases.ts";
import { rulesAnswer } from "./api/rules.ts";
import { guard } from "./guard.ts";
import { createMetricsPage } from "./metrics-page.ts";
import { METRICS_CONTENT_TYPE } from "./metrics-text.ts";
import { type Refusals, receiveOtlp } from "./otlp.ts";

/** OTLP's own port, so that exporters find the monitor by themselves. */
export const DEFAULT_PORT = 4318;

const HOSTNAME = "127.0.0.1";
/** Open connections at once. */
const CONNECTIONS_MAX = 512;
/** Time to send the headers of a request, in milliseconds. */
const HEADERS_TIMEOUT_MS = 10_000;
/** Time to send a whole request, in milliseconds. */
const REQUEST_TIMEOUT_MS = 30_000;
/** How often both are enforced, in milliseconds; Node's own 30 s would let slow senders stay longer. */
const TIMEOUTS_CHECKED_EVERY_MS = 5_000;
/** How long a stop waits for requests under way, in milliseconds. */
const CLOSE_GRACE_MS = 3_000;

/** The built page: beside `src/` in a checkout, beside the compiled server in a package. */
const pageDirectory = new URL("../../dist/web/", import.meta.url);

export type MonitorServer = {
  readonly url: string;
  /** `/readyz` answers 503 from now on; nothing new is taken. Requests under way may end. */
  close(): Promise<void>;
};

/**
 * @param port 0 for any free port.
 * @throws MonitorError `PORT_IN_USE`.
 */
export async function startServer({
  monitor,
  surroundings,
  port,
}: {
  readonly monitor: Monitor;
  readonly surroundings: Surroundings;
  readonly port: number;
}): Promise<MonitorServer> {
  const serving = { port, stopping: false };
  const app = createApp(monitor, surroundings, serving);
  const server = createServer(
    {
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: TIMEOUTS_CHECKED_EVERY_MS,
    },
    getRequestListener(app.fetch),
  );
  server.maxConnections = CONNECTIONS_MAX;
  serving.port = await listen(server, port);
  return {
    url: `http://${HOSTNAME}:${serving.port}`,
    close() {
      serving.stopping = true;
      return closeServer(server);
    },
  };
}

export function createApp(
  monitor: Monitor,
  surroundings: Surroundings,
  serving: { readonly port: number; readonly stopping: boolean },
): Hono<{ Bindings: HttpBindings }> {
  const refusals: Refusals = new Map();
  const metrics = createMetricsPage(monitor, refusals, surroundings);
  const app = new Hono<{ Bindings: HttpBindings }>();
  app.use(guard(() => serving.port));

  app.get("/healthz", (context) => context.text("ok\n"));
  app.get("/readyz", (context) => {
    if (serving.stopping) return context.text("stopping\n", 503);
    const problem = monitor.storeProblem;
    return problem === null ? context.text("ready\n") : context.text(`${problem}\n`, 503);
  });
  app.get("/metrics", (context) =>
    context.body(metrics(), 200, { "content-type": METRICS_CONTENT_TYPE }),
  );
  app.post(
    "/v1/traces",
    receiveOtlp(refusals, (...received) => monitor.takeTraces(...received)),
  );
  app.post(
    "/v1/metrics",
    receiveOtlp(refusals, (...received) => monitor.takeMetrics(...received)),
  );

  // Whoever opens the address in a browser is told that it is right, and what it is for.
  for (const path of ["/v1/traces", "/v1/metrics"]) {
    app.all(path, (context) => {
      const message = `${path} takes POST, not ${context.req.method}: OTLP over HTTP`;
      return context.json({ error: { message } }, 405, { allow: "POST" });
    });
  }

  app.get("/api/journal", async (context) => {
    const after = context.req.query("after") ?? "0";
    if (!/^\d{1,15}$/.test(after)) {
      return context.json({ error: { message: "after is no place in the journal" } }, 400);
    }
    const { entries, upTo, damaged = 0, last } = await monitor.journalledAfter(Number(after));
    return context.body(encodePart(entries), 200, {
      "content-type": "application/octet-stream",
      "journal-up-to": String(upTo),
      "journal-last": String(last),
      "journal-damaged": String(damaged),
      "monitor-started-ms": String(monitor.startedMs),
    });
  });

  app.get("/api/overview", (context) =>
    withRange(context, monitor, async (asked) =>
      context.json(await overview(monitor, surroundings, asked)),
    ),
  );
  app.get("/api/agents/:endpoint", (context) =>
    withRange(context, monitor, async (asked) => {
      const endpoint = context.req.param("endpoint");
      const releaseFilter = releaseFilterOf(context.req.query());
      const view = await agentView(monitor, surroundings, { endpoint, releaseFilter, ...asked });
      return view
        ? context.json(view)
        : context.json({ error: { message: `no agent is called ${endpoint}` } }, 404);
    }),
  );

  app.get("/api/agents/:endpoint/releases", (context) => {
    const endpoint = context.req.param("endpoint");
    const agent = monitor.state.agents.get(endpoint);
    if (!agent) return context.json({ error: { message: `no agent is called ${endpoint}` } }, 404);
    const { before, after } = context.req.query();
    const names = before !== undefined && after !== undefined ? { before, after } : null;
    return context.json(releasesAnswer(agent, names));
  });

  app.get("/api/rules", (context) =>
    context.json(rulesAnswer(monitor, context.req.query("endpoint") ?? null)),
  );

  app.get("/api/exports", (context) =>
    context.json(
      exportsAnswer(
        { asOfMs: monitor.now(), startedMs: monitor.startedMs },
        surroundings.exports?.() ?? [],
      ),
    ),
  );

  app.get("/", () => pageFile("index.html"));
  app.get("/assets/:file{[\\w.-]+}", (context) => pageFile(`assets/${context.req.param("file")}`));

  app.notFound((context) =>
    context.json(
      { error: { message: `nothing answers ${context.req.method} ${context.req.path}` } },
      404,
    ),
  );
  app.onError((error, context) => {
    process.stderr.write(
      `A request failed, which is a bug: ${scrub(error.stack ?? error.message)}\n`,
    );
    return context.json(
      { error: { message: "the monitor failed to answer; this is a bug of it" } },
      500,
    );
  });
  return app;
}

async function withRange(
  context: Context,
  monitor: Monitor,
  answer: (asked: { readonly name: string; readonly range: Range }) => Promise<Response>,
): Promise<Response> {
  const name = context.req.query("range") ?? "5m";
  const range = rangeOf(name, monitor.now());
  if (range) return answer({ name, range });
  const known = Object.keys(ranges).join(", ");
  return context.json({ error: { message: `the range is not one of ${known}` } }, 400);
}

const contentTypes: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

async function pageFile(path: string): Promise<Response> {
  try {
    const body = await readFile(new URL(path, pageDirectory));
    const isHashed = path.startsWith("assets/");
    return new Response(body, {
      headers: {
        "content-type": contentTypes[extname(path)] ?? "application/octet-stream",
        "cache-control": isHashed ? "public, max-age=31536000, immutable" : "no-cache",
      },
    });
  } catch {
    const isPage = path === "index.html";
    return new Response(
      isPage ? "The page is not built: run npm run build:page in the checkout.\n" : "not found\n",
      { status: 404, headers: { "content-type": "text/plain; charset=utf-8" } },
    );
  }
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => reject(listenError(port, cause)));
    server.listen(port, HOSTNAME, () => resolve((server.address() as AddressInfo).port));
  });
}

function listenError(port: number, cause: NodeJS.ErrnoException): MonitorError {
  if (cause.code === "EADDRINUSE") {
    return new MonitorError(
      "PORT_IN_USE",
      `cannot listen on ${HOSTNAME}:${port}: another program is using the port`,
      {
        hint: `See which with "lsof -i :${port}" and stop it, or choose another port with --port.`,
        cause,
      },
    );
  }
  return new MonitorError(
    "PORT_IN_USE",
    `cannot listen on ${HOSTNAME}:${port}: ${cause.code ?? "unknown failure"}`,
    { hint: "Choose another port with --port, above 1023.", cause },
  );
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const force = setTimeout(() => server.closeAllConnections(), CLOSE_GRACE_MS);
    server.close(() => {
      clearTimeout(force);
      resolve();
    });
    server.closeIdleConnections();
  });
}
