/** Puts the parts of the workspace together that all its APIs share. */
import { join } from "node:path";
import { createGrants } from "../access/grants.ts";
import { createObjectPermissions } from "../access/object-permissions.ts";
import { createPrincipals, type PrincipalToken } from "../access/principals.ts";
import type { Clock } from "../clock.ts";
import { createSqlEngine } from "../sql/engine.ts";
import { workspaceCatalog } from "../sql/workspace-catalog.ts";
import type { WorkspaceContext } from "./context.ts";
import { openDataDirectory } from "./data-directory.ts";
import { openFileTree } from "./file-tree.ts";
import { createLifetime } from "./lifetime.ts";
import { openState } from "./state.ts";

export type OpenContextOptions = Pick<
  WorkspaceContext,
  "recordedAgents" | "sendTelemetry" | "processUse" | "python" | "url" | "random"
> & {
  /** `null`: a temporary one. */
  readonly dataDirectory: string | null;
  /** The first admin's first; there is at least one. */
  readonly tokens: readonly PrincipalToken[];
  readonly clock: Clock;
};

export type OpenContext = { readonly context: WorkspaceContext; close(): Promise<void> };

/** How long a new configuration of an endpoint takes, unless a test says otherwise. */
const ENDPOINT_START_MS = 50;
/** As in Databricks. */
const SCALE_TO_ZERO_MS = 30 * 60_000;
/** There it is minutes, up to an hour. */
const INFERENCE_TABLE_DELAY_MS = 1_000;

/** @throws Error when the data directory can't be used, such as when another workspace has it. */
export function openContext(options: OpenContextOptions): OpenContext {
  const { clock: outerClock, tokens, dataDirectory: path, ...given } = options;
  const directory = openDataDirectory(path);
  let state: ReturnType<typeof openState>;
  try {
    state = openState(join(directory.path, "state.sqlite"));
  } catch (error) {
    directory.close();
    throw error;
  }
  const lifetime = createLifetime();
  const { clock, cancel } = cancellable(outerClock);
  const admin = tokens.find(({ isAdmin }) => isAdmin)?.name ?? "";
  const sql = createSqlEngine({
    dataDirectory: directory.path,
    // Asked only once there is a statement.
    catalog: () => workspaceCatalog(context),
    now: clock.now,
  });
  lifetime.atClose(sql.close);
  const context: WorkspaceContext = {
    ...given,
    clock,
    state,
    dataDirectory: directory.path,
    volumes: openFileTree(join(directory.path, "volumes")),
    models: openFileTree(join(directory.path, "models")),
    workspaceFiles: openFileTree(join(directory.path, "workspace")),
    tables: openFileTree(join(directory.path, "tables")),
    principals: createPrincipals({ tokens, state, clock }),
    grants: createGrants({ state, admin }),
    permissions: createObjectPermissions(state),
    sql,
    lifetime,
    behaviour: {
      endpointStartMs: ENDPOINT_START_MS,
      scaleToZeroMs: SCALE_TO_ZERO_MS,
      inferenceTableDelayMs: INFERENCE_TABLE_DELAY_MS,
      failingStarts: new Map(),
      notificationHosts: new Set(),
      warehouseStartMs: 0,
    },
  };
  return {
    context,
    async close() {
      await lifetime.close();
      cancel();
      state.close();
      directory.close();
    },
  };
}

/** What is still waited for must neither keep the process alive nor happen after the close. */
function cancellable(clock: Clock): { readonly clock: Clock; cancel(): void } {
  const cancels = new Set<() => void>();
  const keep = (cancelTimer: () => void) => {
    const cancel = () => {
      cancels.delete(cancel);
      cancelTimer();
    };
    cancels.add(cancel);
    return cancel;
  };
  return {
    clock: {
      now: () => clock.now(),
      every: (intervalMs, run) => keep(clock.every(intervalMs, run)),
      after(delayMs, run) {
        const cancel = keep(
          clock.after(delayMs, () => {
            cancels.delete(cancel);
            run();
          }),
        );
        return cancel;
      },
    },
    cancel() {
      for (const cancel of cancels) cancel();
    },
  };
}
