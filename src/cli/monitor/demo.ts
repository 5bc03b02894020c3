/**
 * The example agents on the workspace of this machine: deployed by the deployer that
 * users have, then called as by their users. It goes on beside the monitor, so that the
 * page is there at once.
 */
import { join } from "node:path";
import type { Clock } from "../../clock.ts";
import type { LocalWorkspace } from "../../local-workspace/workspace.ts";
import { MonitorError } from "../../monitor-error.ts";
import { putExampleSecret } from "../example-secret.ts";

export type DemoOptions = {
  readonly workspace: LocalWorkspace;
  /** Where the agents report to. */
  readonly otlpUrl: string;
  readonly dataDirectory: string;
  readonly clock: Clock;
  readonly onProblem: (problem: string) => void;
};

export type Demo = { close(): Promise<void> };

/** In the checkout and in the package they stand at the same place. */
const examples = new URL("../../../examples/", import.meta.url);
const NAMES = ["support-rag", "order-agent", "triage-pipeline"] as const;

export function startDemo(options: DemoOptions): Demo {
  const closing = new AbortController();
  const parts: { close(): Promise<void> }[] = [];
  const running = run(options, closing.signal, parts).catch((error: unknown) => {
    if (closing.signal.aborted) return;
    if (!(error instanceof MonitorError)) throw error;
    options.onProblem(
      `The examples could not be deployed: ${error.message}\n  Hint: ${error.hint}`,
    );
  });
  return {
    async close() {
      closing.abort();
      await running;
      for (const part of parts) await part.close();
    },
  };
}

async function run(
  { workspace, otlpUrl, dataDirectory, clock }: DemoOptions,
  signal: AbortSignal,
  parts: { close(): Promise<void> }[],
): Promise<void> {
  const { DatabricksDeployerWithMonitoring, loadAgentConfig } = await import("../../deployment.ts");
  const { startTraffic } = await import("../../local-workspace/traffic.ts");
  const { url, token } = workspace;
  await putExampleSecret(workspace);
  const deployer = new DatabricksDeployerWithMonitoring({
    host: url,
    token,
    // Not the monitor's: the thresholds of the examples look at minutes, and here a fault is told within seconds.
    dataDir: join(dataDirectory, "deployer"),
    signal,
  });
  await Promise.all(
    NAMES.map(async (name) => {
      const file = new URL(`${name}/agent.yaml`, examples);
      const config = await loadAgentConfig(decodeURIComponent(file.pathname), {
        environment: "dev",
      });
      const monitoring = { ...config.monitoring, telemetry: { endpoint: otlpUrl } };
      await deployer.deploy({ ...config, monitoring });
    }),
  );
  signal.throwIfAborted();
  parts.push(startTraffic({ url, token, clock, random: Math.random }));
}
