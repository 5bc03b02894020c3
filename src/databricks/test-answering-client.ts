/** A client for tests whose workspace answers as it is told to, and tells what it was asked. */
import assert from "node:assert/strict";
import { createDatabricksClient, type DatabricksClient } from "./client.ts";
import { Secret } from "./secret.ts";
import { createTestClock, type TestClock } from "./test-clock.ts";

const host = "https://dbc.cloud.databricks.com";

export type AnsweringClient = {
  readonly client: DatabricksClient;
  readonly clock: TestClock;
  /** `METHOD /path?query`, and behind it the body where there is one. */
  readonly seen: string[];
};

/** One answer to everything. */
export function clientThatGets(
  body: unknown,
  { status = 200 }: { readonly status?: number } = {},
): AnsweringClient {
  return clientThatAnswers(() => Response.json(body, { status }));
}

/** @param answer is asked for the answer to each request; `count` is from 1. */
export function clientThatAnswers(
  answer: (request: string, count: number) => Response,
  { clock = createTestClock() }: { readonly clock?: TestClock } = {},
): AnsweringClient {
  const seen: string[] = [];
  const client = createDatabricksClient({
    credentials: {
      host,
      signIn: { kind: "token", token: new Secret("dapi-canary") },
      source: "environment",
    },
    fetch: async (url, { method, body }) => {
      const address = url.startsWith(host) ? url.slice(host.length) : url;
      const request = [method, address, typeof body === "string" ? body : ""].join(" ").trim();
      return answer(request, seen.push(request));
    },
    clock,
    random: () => 0,
  });
  return { client, clock, seen };
}

/**
 * What each call of an API asks, and what it makes of the answer: `[call, answer,
 * request, result]`. Where no result is given, the call tells nothing.
 */
export type ApiCase = readonly [
  call: (client: DatabricksClient) => Promise<unknown>,
  answer: unknown,
  request: string,
  result?: unknown,
];

export async function checkApiCase([call, answer, request, result]: ApiCase): Promise<void> {
  const { client, seen } = clientThatGets(answer);
  assert.deepEqual(await call(client), result);
  assert.deepEqual(seen, [request]);
}
