/**
 * One part of the monitoring that comes with a deployment: tables, grants, notebook,
 * dashboard, alerts. Each looks first whether it is there already; what fails is told,
 * and undoes neither the deployment nor the other parts.
 */
import type { AgentConfig } from "../../config/agent-config.ts";
import type { ServingEndpoint } from "../../databricks/serving-endpoints.ts";
import type { ModelRef } from "../endpoint/deployment-record.ts";
import type { DeployContext, StepOutcome } from "../progress.ts";

export type MonitoringResult = {
  readonly notebookPath: string | null;
  readonly dashboardId?: string;
  readonly alertIds: readonly string[];
  /** With catalog and schema. */
  readonly tables: readonly string[];
  /** A file on this machine. */
  readonly grafanaPath?: string;
};

export type MonitoringInput = {
  readonly context: DeployContext;
  readonly config: AgentConfig;
  readonly endpointName: string;
};

export type MonitoringStep = {
  /** As it reads after "monitoring: ". */
  readonly name: string;
  /** Reads only; `null` where `agent.yaml` asks for nothing of it. */
  plan(
    input: MonitoringInput,
  ): Promise<{ readonly outcome: "planned" | "unchanged"; readonly detail: string } | null>;
  run(
    input: MonitoringInput & { readonly endpoint: ServingEndpoint; readonly model: ModelRef },
  ): Promise<{
    readonly outcome: Extract<StepOutcome, "done" | "unchanged" | "skipped">;
    readonly detail: string;
    /** What people are to know of it though it went well. */
    readonly warnings?: readonly string[];
    /** Lists are added to those of other steps. */
    readonly result?: Partial<MonitoringResult>;
  }>;
};
