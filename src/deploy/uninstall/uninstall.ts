/**
 * Removes what the product made in a workspace for one agent. Said again it goes on where it
 * was stopped: what is gone is not found any more. One failure keeps nothing else from going.
 */
import type { AgentConfig } from "../../config/agent-config.ts";
import type { DatabricksClient } from "../../databricks/client.ts";
import { isNotThere } from "../../databricks/databricks-error.ts";
import { MonitorError } from "../../monitor-error.ts";
import { finders } from "./find-objects.ts";
import type { FoundObject, ObjectKind } from "./found-object.ts";

export type UninstallObject = {
  readonly kind: ObjectKind;
  readonly name: string;
  /** `planned`: it would be removed. */
  readonly outcome: "planned" | "removed" | "stays" | "failed";
  /** Why it stays, or what failed. */
  readonly reason?: string;
};

export type UninstallOptions = {
  readonly client: DatabricksClient;
  readonly config: AgentConfig;
  /** Whether tables of rows, the volume that they came through and the job of roll-ups may go. */
  readonly tables: boolean;
  /** Whether the registered model may go. */
  readonly models: boolean;
  /** Only these; all when left out. */
  readonly only?: readonly ObjectKind[] | undefined;
};

export type Uninstall = {
  readonly objects: readonly UninstallObject[];
  /** Removes what is planned, one after the other. */
  run(onObject: (object: UninstallObject) => void): Promise<readonly UninstallObject[]>;
};

/** Reads only; what can't be read is told as failed. */
export async function planUninstall(options: UninstallOptions): Promise<Uninstall> {
  const found: (FoundObject | UninstallObject)[] = [];
  for (const [kind, find] of finders) {
    if (options.only && !options.only.includes(kind)) continue;
    try {
      found.push(...(await find(options)));
    } catch (error) {
      if (!(error instanceof MonitorError)) throw error;
      const reason = `${error.message}. ${error.hint}`;
      found.push({ kind, name: "whatever there is", outcome: "failed", reason });
    }
  }
  return {
    objects: found.map(plannedOf),
    async run(onObject) {
      const done: UninstallObject[] = [];
      for (const object of found) {
        const outcome = await removed(object);
        if (outcome.outcome !== "stays") onObject(outcome);
        done.push(outcome);
      }
      return done;
    },
  };
}

function plannedOf(object: FoundObject | UninstallObject): UninstallObject {
  if ("outcome" in object) return object;
  const { kind, name, fate } = object;
  return "stays" in fate
    ? { kind, name, outcome: "stays", reason: fate.stays }
    : { kind, name, outcome: "planned" };
}

async function removed(object: FoundObject | UninstallObject): Promise<UninstallObject> {
  if ("outcome" in object || "stays" in object.fate) return plannedOf(object);
  const { kind, name, fate } = object;
  try {
    await fate.remove();
  } catch (error) {
    if (!(error instanceof MonitorError)) throw error;
    if (!isNotThere(error)) {
      return { kind, name, outcome: "failed", reason: `${error.message}. ${error.hint}` };
    }
  }
  return { kind, name, outcome: "removed" };
}
