/**
 * For tests of what reads tables: a workspace with real tables, a client that tells what it was
 * asked, and a clock on which the test says when a source looks.
 */
import assert from "node:assert/strict";
import type { Clock } from "../src/clock.ts";
import { createDatabricksClient } from "../src/databricks/client.ts";
import { Secret } from "../src/databricks/secret.ts";
import { WAREHOUSE_ID } from "../src/local-workspace/sql/warehouse.ts";
import { openTestWorkspace } from "../src/local-workspace/test-workspace.ts";

const HOST = "https://dbc.cloud.databricks.com";
export const MINUTE_MS = 60_000;

/** @param principals besides the admin. */
export function openTableWorkspace(principals: readonly string[]) {
  const workspace = openTestWorkspace({ principals });
  const { clock } = workspace;
  return {
    workspace,
    clock,
    async sql(statement: string): Promise<void> {
      const { body } = await workspace.ask("POST /api/2.0/sql/statements", {
        statement,
        warehouse_id: WAREHOUSE_ID,
      });
      assert.equal(body.status.state, "SUCCEEDED", JSON.stringify(body.status));
    },
    /** @param as the admin when it is left out. */
    clientAs(as: string | undefined) {
      const calls: string[] = [];
      const bodies: string[] = [];
      const client = createDatabricksClient({
        credentials: {
          host: HOST,
          signIn: { kind: "token", token: new Secret("dapi-canary") },
          source: "environment",
        },
        fetch: (url, { method = "GET", body }) => {
          const path = url.slice(HOST.length);
          calls.push(`${method} ${path}`);
          if (typeof body === "string") bodies.push(body);
          return workspace.request(path, {
            method,
            ...(typeof body === "string" ? { body } : {}),
            ...(as === undefined ? {} : { as }),
          });
        },
        clock,
        random: () => 0,
      });
      return { client, calls, bodies };
    },
  };
}

/**
 * A clock on which nothing becomes due by itself.
 *
 * @param loops of the source: how many of them wait for the next look once all have looked.
 */
export function lookingByHand(clock: Clock, { loops = 1 }: { readonly loops?: number } = {}) {
  let pending: (() => void)[] = [];
  let ended = () => {};
  const allLooked = () =>
    new Promise<void>((resolve) => {
      pending = [];
      ended = () => pending.length === loops && resolve();
    });
  return {
    clock: {
      ...clock,
      after(_delayMs: number, run: () => void) {
        pending.push(run);
        ended();
        return () => {};
      },
    },
    first: allLooked(),
    async look(): Promise<void> {
      const due = pending;
      const end = allLooked();
      for (const run of due) run();
      await end;
    },
  };
}
