/** What looking for what was made finds: its kind, its name, and what becomes of it. */
import type { AgentConfig } from "../../config/agent-config.ts";
import type { DatabricksClient } from "../../databricks/client.ts";

export const objectKinds = [
  "job",
  "alert",
  "destination",
  "dashboard",
  "notebook",
  "experiment",
  "folder",
  "endpoint",
  "model version",
  "model",
  "table",
  "volume",
  "schema",
] as const;
export type ObjectKind = (typeof objectKinds)[number];

export type FoundObject = {
  readonly kind: ObjectKind;
  /** As people know it. */
  readonly name: string;
  /** What removes it; a reason why it stays otherwise. Removing what is gone by now is done. */
  readonly fate: { readonly remove: () => Promise<void> } | { readonly stays: string };
};

export type FindContext = {
  readonly client: DatabricksClient;
  readonly config: AgentConfig;
  /** Whether tables of rows, the volume that they came through and the job of roll-ups may go. */
  readonly tables: boolean;
  /** Whether the registered model may go. */
  readonly models: boolean;
};

/** Why what the product did not make stays, and what holds the rows of several agents. */
export const reasons = {
  otherNotebook: "it is not the notebook that was put there",
  otherTable: "its comment does not say that it is ours",
  kept: "--tables removes it, with the rows of all agents in it",
} as const;
