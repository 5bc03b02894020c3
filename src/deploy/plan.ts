/** What a deployment would do, from what was seen. Pure. */
import type { AgentConfig } from "../config/agent-config.ts";
import { foreignLine } from "../signals/foreign-line.ts";
import { isServedOrComing } from "./endpoint/apply-config.ts";
import { desiredConfig } from "./endpoint/desired-config.ts";
import { hasTable, tableNameOf, wantedTable } from "./endpoint/inference-table.ts";
import { isUpdating } from "./endpoint/update-state.ts";
import { isVerified } from "./endpoint/verified.ts";
import type { Seen } from "./observe.ts";
import type { StepName, StepOutcome, StepResult } from "./progress.ts";

const QUESTION_MAX_CHARS = 80;

export function planSteps(config: AgentConfig, seen: Seen): readonly StepResult[] {
  return [...planModel(seen), ...planEndpoint(config, seen)];
}

function planModel({ directory, version, modelName, isModelThere }: Seen): StepResult[] {
  if (!directory) return [];
  const outcome = version?.isReady ? "unchanged" : "planned";
  const model = isModelThere ? modelName : `${modelName}, which is new`;
  return [
    version
      ? step(
          "model version",
          "unchanged",
          `version ${version.number} of ${modelName} has this content`,
        )
      : step("model version", "planned", `register a version of ${model}`),
    step("upload", outcome, `${directory.files.size} files, ${directory.sizeBytes} bytes`),
    step("finalize", outcome, "the version becomes ready"),
  ];
}

function planEndpoint(config: AgentConfig, { endpoint, modelName, version }: Seen): StepResult[] {
  const { deployment } = config;
  const model = version && { name: modelName, version: String(version.number) };
  const wanted = model && desiredConfig(config, model, endpoint);
  const isSame = Boolean(endpoint && wanted && isServedOrComing(endpoint, wanted));
  const isSettled = isSame && endpoint !== null && !isUpdating(endpoint);
  const how = [
    deployment.computeSize,
    deployment.scaleToZero ? "scaled to zero when idle" : "always on",
    `${deployment.trafficPercentage} % of the requests`,
  ].join(", ");
  const verb = endpoint ? "update" : "create";
  const table = wantedTable(config);
  const question = deployment.smokeRequest;
  return [
    step(
      "endpoint",
      isSame ? "unchanged" : "planned",
      isSame ? deployment.servingEndpoint : `${verb} ${deployment.servingEndpoint}: ${how}`,
    ),
    step("wait", isSettled ? "unchanged" : "planned", "until it is ready"),
    table
      ? step(
          "inference table",
          endpoint && hasTable(endpoint, table) ? "unchanged" : "planned",
          tableNameOf(table),
        )
      : step("inference table", "skipped", "agent.yaml asks for none"),
    question === false
      ? step("smoke request", "skipped", "agent.yaml asks for none")
      : step(
          "smoke request",
          isSettled && endpoint && isVerified(endpoint) ? "unchanged" : "planned",
          `ask "${foreignLine(question, { maxChars: QUESTION_MAX_CHARS })}"`,
        ),
  ];
}

function step(name: StepName, outcome: StepOutcome, detail: string): StepResult {
  return { name, outcome, durationMs: 0, detail };
}
