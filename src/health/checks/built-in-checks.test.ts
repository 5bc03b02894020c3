/**
 * The built-in checks against the local workspace, over real HTTP. A proxy between
 * the two tells what was asked, and changes answers into those of a worse day.
 */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, afterEach, before, test } from "node:test";
import { systemClock } from "../../clock.ts";
import { createDatabricksClient, type DatabricksClient } from "../../databricks/client.ts";
import { Secret } from "../../databricks/secret.ts";
import { type LocalWorkspace, startLocalWorkspace } from "../../local-workspace/workspace.ts";
import type { ComponentResult } from "../check.ts";
import { HealthCheckManager } from "../health-check-manager.ts";
import { checkEndpointHealth, createEndpointCheck } from "./endpoint-check.ts";
import { checkModelRegistryHealth } from "./model-registry-check.ts";
import { checkVectorStoreHealth } from "./vector-store-check.ts";

const endpointName = "support-rag";
const modelName = "main.agents.support_rag";
const indexName = "ml.docs.index";

let workspace: LocalWorkspace;
before(async () => {
  workspace = await startLocalWorkspace({ otlpUrl: null, clock: systemClock });
});
after(() => workspace.close());

/** What each test has opened is closed though one of its assertions fails. */
const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

type Asked = { readonly client: DatabricksClient; readonly seen: string[]; close(): void };
/** What the workspace says in this test: its own answer, changed, or another status. */
type Change = (text: string) => string | { readonly status: number; readonly text: string };

async function ask({
  change = (text) => text,
  token = workspace.token,
}: {
  readonly change?: Change;
  readonly token?: string;
} = {}): Promise<Asked> {
  const seen: string[] = [];
  const proxy = createServer(async (incoming, outgoing) => {
    seen.push(`${incoming.method} ${incoming.url}`);
    const response = await fetch(workspace.url + incoming.url, {
      headers: { authorization: incoming.headers.authorization ?? "" },
    });
    const changed = change(await response.text());
    const { status, text } =
      typeof changed === "string" ? { status: response.status, text: changed } : changed;
    outgoing.writeHead(status, { "content-type": "application/json" }).end(text);
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  // The address of a server that listens on TCP is an AddressInfo.
  const host = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  const close = () => {
    proxy.close();
    proxy.closeAllConnections();
  };
  closers.push(close);
  return { client: clientFor(host, token), seen, close };
}

function clientFor(host: string, token: string): DatabricksClient {
  return createDatabricksClient({
    credentials: {
      host,
      signIn: { kind: "token", token: new Secret(token) },
      source: "environment",
    },
    fetch,
    clock: systemClock,
    random: () => 0,
  });
}

const shown = ({ name, status, state, message }: ComponentResult) =>
  `${name} ${status}/${state}: ${message}`;

async function check(...args: Parameters<typeof resultOf>): Promise<void> {
  await resultOf(...args);
}

/** As expected, after a single question that only reads, and without the token in it. */
async function resultOf(
  run: (client: DatabricksClient) => Promise<ComponentResult>,
  expected: string | RegExp,
  options: Parameters<typeof ask>[0] = {},
) {
  const { client, seen } = await ask(options);
  const result = await run(client);
  if (typeof expected === "string") assert.equal(shown(result), expected);
  else assert.match(shown(result), expected);
  assert.ok(result.latencyMs > 0 && result.latencyMs < 10_000);
  assert.equal(seen.length, 1, seen.join("\n"));
  assert.match(
    seen[0] ?? "",
    /^GET \/api\/2\.[01]\/(serving-endpoints|unity-catalog|vector-search)\//,
  );
  assert.ok(!JSON.stringify(result).includes(workspace.token));
  return result;
}

const endpoint = (client: DatabricksClient) => checkEndpointHealth({ client, endpointName });
const model = (client: DatabricksClient) =>
  checkModelRegistryHealth({ client, modelName, version: 1 });
const champion = (client: DatabricksClient) =>
  checkModelRegistryHealth({ client, modelName, alias: "champion" });
const index = (client: DatabricksClient) => checkVectorStoreHealth({ client, indexName });

const replacing =
  (from: string, to: string): Change =>
  (text) => {
    assert.ok(text.includes(from), text);
    return text.replaceAll(from, to);
  };

/** Whatever the workspace says of the container. */
const scaledToZero = (text: string) =>
  text.replaceAll(
    /"deployment_state_message":"[^"]*"/g,
    '"deployment_state_message":"Scaled to zero"',
  );

// How things are.

for (const [what, run, change, expected] of [
  [
    "an endpoint that serves",
    endpoint,
    undefined,
    "endpoint/support-rag healthy/ready: Ready to serve.",
  ],
  [
    "an endpoint that is scaled to zero",
    endpoint,
    scaledToZero,
    "endpoint/support-rag healthy/cold: Scaled to zero; the next request starts it and waits for that.",
  ],
  [
    "an endpoint that is scaled to zero and says not ready",
    endpoint,
    (text: string) => scaledToZero(text.replace('"READY"', '"NOT_READY"')),
    "endpoint/support-rag healthy/cold: Scaled to zero; the next request starts it and waits for that.",
  ],
  [
    "an endpoint that is not ready",
    endpoint,
    replacing('"ready":"READY"', '"ready":"NOT_READY"'),
    "endpoint/support-rag unhealthy/not_ready: Not ready to serve.",
  ],
  [
    "an endpoint whose model fails",
    endpoint,
    replacing("DEPLOYMENT_READY", "DEPLOYMENT_FAILED"),
    /^endpoint\/support-rag degraded\/entity_not_ready: .*main\.agents\.support_rag version 1\) is DEPLOYMENT_FAILED/,
  ],
  [
    "an endpoint without a state",
    endpoint,
    () => '{"name":"support-rag"}',
    "endpoint/support-rag unknown/unknown: Databricks reports no state.",
  ],
  [
    "a model version",
    model,
    undefined,
    `model/${modelName} healthy/ready: Version 1 is registered and complete.`,
  ],
  [
    "a model version by its alias",
    champion,
    undefined,
    `model/${modelName} healthy/ready: Version 1, which is "champion" now, is registered and complete.`,
  ],
  [
    "a model version that is not complete",
    champion,
    replacing('"READY"', '"PENDING_REGISTRATION"'),
    /unhealthy\/not_ready: Version 1, which is "champion" now, can't be served yet/,
  ],
  [
    "a model version that failed",
    model,
    replacing('"READY"', '"FAILED_REGISTRATION"'),
    /unhealthy\/failed: Version 1 can't be served: its registration failed\. Register the model again\.$/,
  ],
  [
    "a model version with another status",
    model,
    replacing('"READY"', '"HALF"'),
    /unknown\/unknown: Version 1 has the status HALF, which is not known here\.$/,
  ],
  [
    "a model version without a status",
    model,
    () => '{"version":1}',
    /unknown\/unknown: Version 1 is there without/,
  ],
  [
    "an index",
    index,
    undefined,
    "index/ml.docs.index healthy/ready: Can be searched and holds 6 rows.",
  ],
  [
    "an index that is not ready",
    index,
    (text: string) =>
      text
        .replace('"ready":true', '"ready":false')
        .replace("Index is ready.", "Embedding 12 of 600 rows."),
    'index/ml.docs.index unhealthy/not_ready: Not ready to be searched: "Embedding 12 of 600 rows".',
  ],
  [
    "an index whose update failed",
    index,
    replacing('"ready":true', '"ready":true,"detailed_state":"ONLINE_PIPELINE_FAILED"'),
    /degraded\/update_failed: Can be searched, but its last update failed, so what it finds may be old/,
  ],
  [
    "an index that is up to date",
    index,
    replacing('"ready":true', '"ready":true,"detailed_state":"ONLINE_NO_PENDING_UPDATE"'),
    /healthy\/ready/,
  ],
  [
    "an index without a status",
    index,
    () => '{"name":"ml.docs.index"}',
    "index/ml.docs.index unknown/unknown: Databricks reports no state.",
  ],
] as const satisfies readonly (readonly [
  string,
  typeof index,
  Change | undefined,
  string | RegExp,
])[]) {
  test(what, () => check(run, expected, change ? { change } : {}));
}

// What is not there is unhealthy; what could not be found out is unknown.

const others = {
  endpoint: (client: DatabricksClient) => checkEndpointHealth({ client, endpointName: "nobody" }),
  model: (client: DatabricksClient) =>
    checkModelRegistryHealth({ client, modelName: "main.agents.nobody", version: 1 }),
  alias: (client: DatabricksClient) =>
    checkModelRegistryHealth({ client, modelName, alias: "latest" }),
  index: (client: DatabricksClient) =>
    checkVectorStoreHealth({ client, indexName: "ml.docs.gone" }),
};
for (const [what, run] of Object.entries(others)) {
  test(`gone: ${what}`, () =>
    check(
      run,
      /unhealthy\/not_found: Cannot read .* answered 404 RESOURCE_DOES_NOT_EXIST: .*does not exist.* Check the name/,
    ));
}

for (const [what, run, grant] of [
  ["endpoint", endpoint, 'Give the identity CAN VIEW on serving endpoint "support-rag"'],
  ["model", model, `Give the identity EXECUTE on model "${modelName}"`],
  ["alias", champion, `Give the identity EXECUTE on model "${modelName}"`],
  ["index", index, 'Give the identity SELECT on index "ml.docs.index"'],
] as const) {
  test(`denied by a wrong token: ${what}`, () =>
    check(
      run,
      /unknown\/denied: .*401 UNAUTHENTICATED.*Check that the credentials from environment belong to this workspace/,
      {
        token: "dapi-wrong",
      },
    ));

  test(`not permitted: ${what}`, async () => {
    const text = '{"error_code":"PERMISSION_DENIED","message":"No."}';
    const result = await resultOf(run, /unknown\/denied: /, {
      change: () => ({ status: 403, text }),
    });
    assert.ok(result.message.includes(grant), result.message);
    assert.deepEqual(result.evidence, { httpStatus: 403, errorCode: "PERMISSION_DENIED" });
  });

  test(`broken: ${what}`, () =>
    check(run, /unknown\/failed: .*answered 500/, { change: () => ({ status: 500, text: "" }) }));

  test(`not what was asked for: ${what}`, () =>
    check(run, /unknown\/failed: .*answered 200, but it is/, {
      change: () => "<html>sign in</html>",
    }));

  test(`unreachable: ${what}`, async () => {
    const { client, close } = await ask();
    close();
    assert.match(
      shown(await run(client)),
      /unknown\/unreachable: .*was refused by the host \(ECONNREFUSED\).*Check that http/,
    );
  });
}

test("a name that can't exist is unknown, without asking", async () => {
  const { client, seen } = await ask();
  assert.match(
    shown(await checkEndpointHealth({ client, endpointName: "" })),
    /unknown\/failed: "" is not a name that can exist\. Check the name/,
  );
  const neither = { client, modelName } as unknown as Parameters<
    typeof checkModelRegistryHealth
  >[0];
  assert.match(
    shown(await checkModelRegistryHealth(neither)),
    /unknown\/failed: .*Give either version or alias\.$/,
  );
  assert.deepEqual(seen, []);
});

test("who stops waiting gets unknown", async () => {
  const { client } = await ask();
  const signal = AbortSignal.abort(new Error("enough"));
  assert.match(
    shown(await checkEndpointHealth({ client, endpointName, signal })),
    /unknown\/ended: It was not found out: Error: enough\.$/,
  );
});

test("a manager's report of a workspace, in which no agent was called", async () => {
  const { client, seen } = await ask({ change: scaledToZero });
  const manager = new HealthCheckManager();
  manager.registerCheck("agent", createEndpointCheck({ client, endpointName }));
  manager.registerCheck("model", ({ signal }) =>
    checkModelRegistryHealth({ client, modelName, version: 1, signal }),
  );
  manager.registerCheck("documents", ({ signal }) =>
    checkVectorStoreHealth({ client, indexName, signal }),
  );
  for (let run = 0; run < 3; run++) {
    const { status, components } = await manager.runAllChecks();
    assert.equal(status, "healthy");
    assert.deepEqual(
      components.map(({ name, state }) => `${name} ${state}`),
      ["agent cold", "model ready", "documents ready"],
    );
  }
  const [agent] = (await manager.runAllChecks()).components;
  assert.deepEqual(agent?.evidence, {
    ready: "READY",
    configUpdate: "NOT_UPDATING",
    served: `${modelName} 1`,
  });
  assert.equal(seen.length, 12);
  assert.deepEqual(
    seen.filter((request) => !request.startsWith("GET ") || request.includes("invocations")),
    [],
  );
});
