/**
 * Makes the state of a Databricks App, as Databricks reports it, a result of a health check.
 * Pure. An app that somebody stopped is not down; one that is being deployed may or may not
 * answer, and is no failure yet.
 */
import { foreignLine } from "../../signals/foreign-line.ts";
import type { HealthResult } from "../../signals/health-result.ts";

/** The part of an app that is looked at. */
export type AppState = {
  readonly name: string;
  /** Of the machine: `ACTIVE`, `STARTING`, `STOPPED`, `ERROR` and the like. */
  readonly computeState: string | null;
  /** Of the program: `RUNNING`, `DEPLOYING`, `CRASHED` or `UNAVAILABLE`. */
  readonly appState: string | null;
  /** Databricks' own words. */
  readonly message: string | null;
  readonly activeDeployment: unknown;
  readonly pendingDeployment: unknown;
};

type Verdict = Pick<HealthResult, "status" | "state" | "message">;

export function healthOfApp(app: AppState, { timeMs }: { readonly timeMs: number }): HealthResult {
  return {
    component: appComponent(app.name),
    endpoint: app.name,
    ...judge(app),
    latencyMs: null,
    timeMs,
  };
}

export function appComponent(name: string): string {
  return `app/${name}`;
}

function judge(app: AppState): Verdict {
  switch (app.computeState) {
    case "STOPPED":
    case "STOPPING":
      return { status: "unknown", state: "stopped", message: "Stopped: it answers nobody." };
    case "DELETING":
      return { status: "unknown", state: "deleting", message: "Being deleted." };
    case "ERROR":
      return down(app, "error", "Its machine has failed");
    case "STARTING":
      return { status: "degraded", state: "starting", message: "Its machine is being started." };
  }
  switch (app.appState) {
    case "RUNNING":
      return app.computeState === "UPDATING"
        ? { status: "healthy", state: "updating", message: "Runs while its machine is changed." }
        : { status: "healthy", state: "running", message: "Running." };
    case "DEPLOYING":
      return { status: "degraded", state: "deploying", message: "A deployment is in progress." };
    case "CRASHED":
      return down(app, "crashed", "The program has crashed");
    case "UNAVAILABLE":
      return app.activeDeployment === null && app.pendingDeployment === null
        ? { status: "unknown", state: "not_deployed", message: "Nothing was deployed to it yet." }
        : down(app, "unavailable", "The program can't be reached");
  }
  const told = [app.computeState, app.appState].filter((state) => state !== null).join(", ");
  return {
    status: "unknown",
    state: "unknown",
    message: told
      ? `Databricks reports the state ${foreignLine(told)}, which is not known here.`
      : "Databricks reports no state.",
  };
}

function down({ message }: AppState, state: string, what: string): Verdict {
  const said = message === null ? "" : `: "${foreignLine(message).replace(/\.$/, "")}"`;
  return { status: "unhealthy", state, message: `${what}${said}.` };
}
