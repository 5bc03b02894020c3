/** A client for tests whose workspace gives one answer to everything, and tells what it was asked. */
import { createDatabricksClient, type DatabricksClient } from "./client.ts";
import { Secret } from "./secret.ts";
import { createTestClock } from "./test-clock.ts";

export function clientThatGets(
  body: unknown,
  { status = 200 }: { readonly status?: number } = {},
): { readonly client: DatabricksClient; readonly seen: string[] } {
  const host = "https://dbc.cloud.databricks.com";
  const seen: string[] = [];
  const client = createDatabricksClient({
    credentials: {
      host,
      signIn: { kind: "token", token: new Secret("dapi-canary") },
      source: "environment",
    },
    fetch: async (url, { method }) => {
      seen.push(`${method} ${url.slice(host.length)}`);
      return Response.json(body, { status });
    },
    clock: createTestClock(),
    random: () => 0,
  });
  return { client, seen };
}
