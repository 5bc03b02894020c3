/** What a deployment is asked, and what it resolves to. */
import type { MonitoringResult } from "./monitoring/monitoring-step.ts";
import type { StepResult } from "./progress.ts";

export type DeployOptions = {
  /** Checked against the one that the configuration was read for. */
  readonly environment?: string | undefined;
  /** True by default. */
  readonly enableMonitoring?: boolean | undefined;
  /** Resolves to what would be done, and writes nothing. */
  readonly dryRun?: boolean | undefined;
};

export type DeploymentResult = {
  readonly status: "success" | "unchanged" | "planned";
  readonly agentName: string;
  readonly agentVersion: string;
  readonly environment: string | null;
  readonly endpointName: string;
  /** Where it is asked. */
  readonly endpointUrl: string;
  readonly modelName: string;
  /** `null` in a plan that registers a new one. */
  readonly modelVersion: string | null;
  /** What was served before; absent on a first deployment. */
  readonly previousVersion?: string;
  readonly steps: readonly StepResult[];
  readonly monitoring?: MonitoringResult;
  /** Of a plan: what the identity lacks for it, as far as that can be read. */
  readonly missingPermissions?: readonly MissingPermission[];
  readonly warnings: readonly string[];
};

export type MissingPermission = {
  /** As SQL writes it, such as `USE SCHEMA`; `CAN MANAGE` for an endpoint. */
  readonly privilege: string;
  /** Such as `schema ml.agents`. */
  readonly on: string;
  readonly purpose: string;
  /** What gives it, as a statement or a sentence. */
  readonly grant: string;
  /** `unknown`: it could not be read whether the identity has it. */
  readonly state: "missing" | "unknown";
};
