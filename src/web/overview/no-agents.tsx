/** What stands in place of the agents before there are any, by where they would come from. */
import type { Source } from "../api.ts";
import { Empty } from "../elements/empty.tsx";

export function NoAgents({ source }: { source: Source | null }) {
  switch (source?.kind) {
    case "local":
      return (
        <Empty command="npm start">
          The example agents appear here a few seconds after the monitor starts. If they don't,
          start it anew:
        </Empty>
      );
    case "workspace":
      return (
        <Empty command={otlpCommand()}>
          Each serving endpoint of {source.host ?? "the workspace"} appears here with its first
          request. An agent outside Model Serving appears when it sends its telemetry here:
        </Empty>
      );
    default:
      return (
        <Empty command={otlpCommand()}>
          Each agent appears here with its first request: traffic, latency, errors, tokens, cost.
          Set this where the agent runs, then call it once:
        </Empty>
      );
  }
}

function otlpCommand(): string {
  return `export OTEL_EXPORTER_OTLP_ENDPOINT=${location.origin}`;
}
