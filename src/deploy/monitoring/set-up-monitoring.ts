/** Runs the steps of monitoring, one after the other. A step that fails is a warning. */
import { MonitorError } from "../../monitor-error.ts";
import { foreignLine } from "../../signals/foreign-line.ts";
import type { StepResult } from "../progress.ts";
import type { MonitoringInput, MonitoringResult, MonitoringStep } from "./monitoring-step.ts";

/** Longest message of what failed. */
const MESSAGE_MAX_CHARS = 1_000;

type SetUpOptions = Omit<Parameters<MonitoringStep["run"]>[0], "endpointName"> & {
  readonly onResult: (result: StepResult) => void;
  readonly onWarning: (warning: string) => void;
};

export async function setUpMonitoring(
  steps: readonly MonitoringStep[],
  { onResult, onWarning, ...given }: SetUpOptions,
): Promise<MonitoringResult> {
  const { context, endpoint } = given;
  const input = { ...given, endpointName: endpoint.name };
  let all: MonitoringResult = { notebookPath: null, alertIds: [], tables: [] };
  for (const step of steps) {
    if ((await planOf(step, input)) === "not asked for") continue;
    const name = `monitoring: ${step.name}` as const;
    const startMs = context.clock.now();
    const tell = (outcome: StepResult["outcome"], detail: string) => {
      onResult({ name, outcome, durationMs: context.clock.now() - startMs, detail });
      context.onProgress({ step: name, state: outcome, message: detail });
    };
    context.signal?.throwIfAborted();
    context.onProgress({ step: name, state: "started", message: "" });
    try {
      const { outcome, detail, warnings = [], result = {} } = await step.run(input);
      for (const warning of warnings) onWarning(`${name}: ${warning}`);
      all = {
        ...all,
        ...result,
        alertIds: [...all.alertIds, ...(result.alertIds ?? [])],
        tables: [...all.tables, ...(result.tables ?? [])],
      };
      tell(outcome, detail);
    } catch (error) {
      // Who stops it stops all of it, and a bug is no warning.
      if (!(error instanceof MonitorError)) throw error;
      const what = foreignLine(error.message, { maxChars: MESSAGE_MAX_CHARS });
      tell("failed", what);
      onWarning(`${name} failed: ${what}. ${error.hint}`);
    }
  }
  return all;
}

/** What would be done, for those steps that `agent.yaml` asks something of. */
export async function planMonitoring(
  steps: readonly MonitoringStep[],
  input: MonitoringInput,
): Promise<readonly StepResult[]> {
  const results: StepResult[] = [];
  for (const step of steps) {
    const name = `monitoring: ${step.name}` as const;
    try {
      const told = await step.plan(input);
      if (told) results.push({ name, ...told, durationMs: 0 });
    } catch (error) {
      if (!(error instanceof MonitorError)) throw error;
      const detail = `could not be told: ${foreignLine(error.message, { maxChars: MESSAGE_MAX_CHARS })}`;
      results.push({ name, outcome: "planned", detail, durationMs: 0 });
    }
  }
  return results;
}

async function planOf(step: MonitoringStep, { config, context, endpointName }: MonitoringInput) {
  try {
    return (await step.plan({ config, context, endpointName })) === null
      ? "not asked for"
      : "asked";
  } catch (error) {
    if (!(error instanceof MonitorError)) throw error;
    // Running it will meet the same failure, and tell it.
    return "asked";
  }
}
