/** The monitor on this machine: whether its port is free, whether one runs, whether telemetry arrives. */
import { createServer } from "node:net";
import * as z from "zod";
import { readMonitorAddress } from "../monitor-client/monitor-address.ts";
import { type Check, failed, ok, skipped, warning } from "./check.ts";

const HOSTNAME = "127.0.0.1";
const TIMEOUT_MS = 3_000;
/** Agents that are called send something within this. */
const QUIET_MS = 15 * 60_000;

const overviewSchema = z.object({
  asOfMs: z.number(),
  startedMs: z.number(),
  agents: z.array(z.object({ endpoint: z.string(), freshness: z.string() })),
  data: z.array(
    z.object({
      name: z.string(),
      state: z.enum(["ok", "failing", "waiting"]),
      asOfMs: z.number().nullable(),
      message: z.string(),
    }),
  ),
  dropped: z.array(z.object({ reason: z.string(), count: z.number() })),
});
type Overview = z.infer<typeof overviewSchema>;

export type MonitorSeen = { readonly url: string; readonly overview: Overview };

/** The monitor that runs on the data directory; `null` where none does. */
export async function findMonitor(dataDirectory: string): Promise<MonitorSeen | null> {
  const address = await readMonitorAddress(dataDirectory);
  if (address === null) return null;
  const overview = await askOverview(address.url);
  return overview?.startedMs === address.startedMs ? { url: address.url, overview } : null;
}

async function askOverview(url: string): Promise<Overview | null> {
  try {
    const response = await fetch(`${url}/api/overview`, {
      redirect: "error",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    return response.ok ? overviewSchema.parse(await response.json()) : null;
  } catch {
    return null;
  }
}

export function portCheck(port: number, seen: MonitorSeen | null): Check {
  return {
    name: "port",
    async run() {
      const code = await bindCode(port);
      if (code === null) return ok(`${HOSTNAME}:${port} is free.`);
      const url = `http://${HOSTNAME}:${port}`;
      if (seen?.url === url) return ok(`The monitor of this data directory answers at ${url}.`);
      if (code === "EADDRINUSE") {
        return (await askOverview(url))
          ? warning(
              `Another monitor, of another data directory, answers at ${url}.`,
              "stop it, or name its directory with --data-dir",
            )
          : failed(
              `Another program uses ${HOSTNAME}:${port}, where agents look for a monitor.`,
              `lsof -i :${port}; stop that program, or start the monitor with --port ${port + 1}`,
            );
      }
      return failed(
        `${HOSTNAME}:${port} can't be listened on (${code}).`,
        "choose a --port above 1023",
      );
    },
  };
}

/** `null` where it can be listened on. */
function bindCode(port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? "unknown"));
    server.listen(port, HOSTNAME, () => server.close(() => resolve(null)));
  });
}

export function monitorCheck(dataDirectory: string, seen: MonitorSeen | null): Check {
  return {
    name: "monitor",
    async run() {
      if (seen) {
        const { agents } = seen.overview;
        return ok(`It runs at ${seen.url} and knows ${agents.length} agents.`);
      }
      return warning(
        `No monitor runs on ${dataDirectory}.`,
        `npx dspy-databricks monitor --data-dir '${dataDirectory}'`,
      );
    },
  };
}

export function sourcesCheck(seen: MonitorSeen | null): Check {
  return {
    name: "sources",
    async run() {
      if (!seen) return skipped("No monitor runs.");
      const failing = seen.overview.data.filter(({ state }) => state === "failing");
      if (failing.length === 0) {
        return ok(`${seen.overview.data.map(({ name }) => name).join(", ")}: none fails.`);
      }
      const told = failing.map(({ name, message }) => `${name}: ${message}`).join(" ");
      return warning(told, `look at ${seen.url}/#/ under Data, which says since when`);
    },
  };
}

export function telemetryCheck(seen: MonitorSeen | null, nowMs: number): Check {
  return {
    name: "telemetry",
    async run() {
      if (!seen) return skipped("No monitor runs.");
      const { agents, data, dropped } = seen.overview;
      const traces = data.find(({ name }) => name === "Traces");
      const send = `OTEL_EXPORTER_OTLP_ENDPOINT=${seen.url} OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf, where the agent runs`;
      const lost = agents.filter(({ freshness }) => freshness === "telemetry_lost");
      if (lost.length > 0) {
        const names = lost.map(({ endpoint }) => endpoint).join(", ");
        return failed(`Called, but their telemetry does not arrive any more: ${names}.`, send);
      }
      if (!traces || traces.asOfMs === null) return warning("No span has arrived yet.", send);
      const agoMs = nowMs - traces.asOfMs;
      const left = dropped.reduce((sum, { count }) => sum + count, 0);
      const evidence = `The last span came ${Math.max(0, Math.round(agoMs / 1000))} s ago; ${left} spans and values were left out${left > 0 ? ` (${dropped.map(({ reason, count }) => `${count} ${reason}`).join(", ")})` : ""}.`;
      return agoMs > QUIET_MS ? warning(evidence, send) : ok(evidence);
    },
  };
}
