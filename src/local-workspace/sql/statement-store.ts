/**
 * The statements that the API was given: each runs once, on its own, and its outcome
 * is kept for an hour.
 *
 * Source: databricks-sdk-py 0.156.0, `StatementExecutionAPI`.
 */
import type { Clock } from "../clock.ts";
import { newId } from "../core/ids.ts";
import { Refusal } from "../databricks-error.ts";
import type { SqlEngine, SqlRequest } from "./engine.ts";
import type { SqlResult } from "./run.ts";
import { SqlError } from "./sql-error.ts";

export type StatementState = "PENDING" | "RUNNING" | "SUCCEEDED" | "FAILED" | "CANCELED" | "CLOSED";

export type KeptStatement = {
  readonly id: string;
  /** Who may see it. */
  readonly owner: string;
  state: StatementState;
  result: SqlResult | null;
  error: {
    readonly errorCode: string;
    readonly message: string;
    readonly sqlState?: string;
  } | null;
  /** Settles when the statement has ended, whatever came of it. */
  readonly ended: Promise<void>;
  cancel(): void;
};

export type StatementStore = {
  start(request: SqlRequest, options: StartOptions): KeptStatement;
  find(id: string): KeptStatement | undefined;
};

export type StartOptions = {
  /** Settles when there is a warehouse to run on. */
  readonly warehouse: Promise<void>;
  /** @throws SqlError when the outcome may not be given to the caller. */
  readonly check: (result: SqlResult) => void;
};

const KEPT_MS = 60 * 60 * 1000;
const STATEMENTS_MAX = 1000;
/** Databricks puts statements in a queue; here, they wait for their turn. */
const RUNNING_MAX = 10;

export function createStatementStore({
  engine,
  clock,
}: {
  readonly engine: SqlEngine;
  readonly clock: Clock;
}): StatementStore {
  const statements = new Map<string, KeptStatement>();
  const slots = createSlots(RUNNING_MAX);

  return {
    find: (id) => statements.get(id),
    start(request, options) {
      if (statements.size >= STATEMENTS_MAX) forgetOldest(statements);
      const controller = new AbortController();
      const statement: KeptStatement = {
        id: newId(),
        owner: request.session.principal.name,
        state: "PENDING",
        result: null,
        error: null,
        ended: Promise.resolve().then(run),
        cancel() {
          if (statement.state !== "PENDING" && statement.state !== "RUNNING") return;
          statement.state = "CANCELED";
          controller.abort();
        },
      };
      async function run(): Promise<void> {
        try {
          await options.warehouse;
          await slots.run(async () => {
            if (controller.signal.aborted) return;
            statement.state = "RUNNING";
            const result = await engine.execute({ ...request, signal: controller.signal });
            options.check(result);
            if (isRunning(statement)) Object.assign(statement, { state: "SUCCEEDED", result });
          });
        } catch (error) {
          if (isRunning(statement)) fail(statement, error);
        }
        clock.after(KEPT_MS, () => statements.delete(statement.id));
      }
      statements.set(statement.id, statement);
      return statement;
    },
  };
}

function isRunning({ state }: KeptStatement): boolean {
  return state === "PENDING" || state === "RUNNING";
}

function fail(statement: KeptStatement, error: unknown): void {
  statement.state = "FAILED";
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof SqlError) {
    const { errorCode, sqlState } = error;
    statement.error = { errorCode, message, sqlState };
  } else if (error instanceof Refusal && error.errorCode === "PERMISSION_DENIED") {
    const text = `[INSUFFICIENT_PERMISSIONS] Insufficient privileges: ${message} SQLSTATE: 42501`;
    statement.error = { errorCode: "BAD_REQUEST", message: text, sqlState: "42501" };
  } else if (error instanceof Refusal) {
    statement.error = { errorCode: "BAD_REQUEST", message };
  } else {
    statement.error = { errorCode: "INTERNAL_ERROR", message };
  }
}

/** The oldest that has ended; those that run are never forgotten. */
function forgetOldest(statements: Map<string, KeptStatement>): void {
  for (const [id, statement] of statements) {
    if (isRunning(statement)) continue;
    statements.delete(id);
    return;
  }
  throw new Refusal("RESOURCE_EXHAUSTED", `More than ${STATEMENTS_MAX} statements run at once.`);
}

function createSlots(count: number): { run(work: () => Promise<void>): Promise<void> } {
  let free = count;
  const waiting: (() => void)[] = [];
  return {
    async run(work) {
      if (free > 0) free--;
      else await new Promise<void>((resolve) => waiting.push(resolve));
      try {
        await work();
      } finally {
        const next = waiting.shift();
        if (next) next();
        else free++;
      }
    },
  };
}
