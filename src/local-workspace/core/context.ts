/**
 * What every API of the workspace is given, and what an API is: routes under one
 * name, mounted by the list in `workspace-api.ts`.
 */
import type { Hono } from "hono";
import type { Grants } from "../access/grants.ts";
import type { ObjectPermissions } from "../access/object-permissions.ts";
import type { Principal, Principals } from "../access/principals.ts";
import type { Clock } from "../clock.ts";
import type { AgentRecordings } from "../recordings.ts";
import type { ProcessUse } from "../serving/endpoint-metrics.ts";
import type { SqlEngine } from "../sql/engine.ts";
import type { Behaviour } from "./behaviour.ts";
import type { FileTree } from "./file-tree.ts";
import type { Lifetime } from "./lifetime.ts";
import type { State } from "./state.ts";

export type WorkspaceContext = {
  readonly clock: Clock;
  readonly state: State;
  /** Holds the state and the directories below; what an API keeps beside them has a name of its own. */
  readonly dataDirectory: string;
  /** `<catalog>/<schema>/<volume>/…` */
  readonly volumes: FileTree;
  /** `<catalog>/<schema>/<model>/<version>/…` */
  readonly models: FileTree;
  /** Contents of notebooks and files, by the object's id. */
  readonly workspaceFiles: FileTree;
  /** `<catalog>/<schema>/<table>/…` */
  readonly tables: FileTree;
  readonly principals: Principals;
  readonly grants: Grants;
  readonly permissions: ObjectPermissions;
  /** Runs SQL over the tables; nothing of it is loaded before the first statement. */
  readonly sql: SqlEngine;
  readonly lifetime: Lifetime;
  readonly behaviour: Behaviour;
  /** From 0 to below 1. */
  readonly random: () => number;
  /** A Python that serves models and runs notebooks; `null` where none is configured. */
  readonly python: string | null;
  /** The examples that answer from recordings where no Python serves them. */
  readonly recordedAgents: readonly AgentRecordings[];
  /** Takes the telemetry of recorded agents: one OTLP body of traces. */
  readonly sendTelemetry: (body: Uint8Array) => void;
  readonly processUse: () => ProcessUse | null;
  /** Where the workspace is reached; known once it listens. */
  url(): string;
};

/** What a request carries once it is let in. */
export type WorkspaceEnv = { Variables: { principal: Principal; requestId: string } };

export type WorkspaceRoutes = Hono<WorkspaceEnv>;

export type WorkspaceApi = {
  /** As `docs/local-workspace.md` heads its routes. */
  readonly name: string;
  /** Adds the routes, and starts what goes on without a request. */
  mount(routes: WorkspaceRoutes, context: WorkspaceContext): void;
  /** Whether its routes answer without a token. */
  readonly isOpen?: true;
};
